"""The planner of a configuration: none where nothing is planned, and its thermometers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.daemon import VIEW
from tests.unit.controller.core.stage import board

from rackgrid.adapters.planner import World
from rackgrid.adapters.plans import ahead_of, hears, is_plain, open_plans
from rackgrid.config import Config
from rackgrid.config_file import load_config

CORPUS = Path(__file__).parents[1] / "config_corpus"
RACK = '[rack]\nname = "demo"\ninterface = "lo"\n[feed]\ncapacity_w = 30\n'
NODE = '[node]\nname = "pi-1"\nboard = "board.toml"\n'
FAN = '[[load]]\nname = "fan"\n'
LAMP = '[[load]]\nname = "lamp"\nworth = 1\nuser_unit = "lamp.service"\nnominal_w = 5\n'
MQTT = '[mqtt]\nhost = "127.0.0.1"\n'
FRIDGE = 'kind = "thermal"\nworth = 0.5\nlow_c = 3\nhigh_c = 7\n'
TOPIC = 'temperature_topic = "kitchen/fridge"\n'
WORLD = World(lambda: None, lambda _from, _until: (), dict)


def config(folder: Path, load: str, *, node: str = "", rest: str = "") -> Config:
    (folder / "board.toml").write_text((CORPUS / "board.toml").read_text())
    path = folder / "rackgrid.toml"
    path.write_text(RACK + NODE + node + FAN + load + rest)
    return load_config(path)


@pytest.mark.parametrize(
    ("load", "node", "plain"),
    [
        ("worth = 0.5\n", "", True),
        ("worth = 0.5\nstart_cost = 0.001\n", "", True),
        ('worth = 0.5\none_of = "warm"\n', "", False),
        ('worth = 0.5\nbeside = "lamp"\n' + LAMP, "", False),
        ('worth = 0.5\nafter = "lamp"\n' + LAMP, "", False),
        ("worth = 0.5\n", "max_burn_w = 0\n", False),
        ('kind = "task"\nrevenue_per_hour = 0.1\n', "", False),
    ],
)
def test_nothing_is_planned_where_worth_is_what_the_configuration_says(
    tmp_path: Path, load: str, node: str, plain: bool
) -> None:
    made = config(tmp_path, load, node=node)
    assert is_plain(made) is plain
    assert (open_plans(made, WORLD, None, lambda: VIEW) is None) is plain


def test_thermometer_is_read_from_its_file(tmp_path: Path) -> None:
    made = config(tmp_path, FRIDGE + 'temperature_file = "warm"\n')
    plans = open_plans(made, WORLD, None, lambda: VIEW)
    assert plans is not None
    assert [path for path, _ in plans.reader.places] == [tmp_path / "warm"]
    assert not hears(made)


def test_load_with_a_deadline_has_something_ahead_and_others_have_not(tmp_path: Path) -> None:
    due = 'kind = "deadline"\nenergy_wh = 20\nby = "07:00"\ntimezone = "UTC"\n'
    made = config(tmp_path, due)
    plans = open_plans(made, replace(WORLD, wall_ns=lambda: 10**18), None, lambda: VIEW)
    assert plans is not None
    assert ahead_of(plans, "fan") is None, "nothing was looked at yet"
    known = board()
    plans.poll(replace(known, specs={"fan": known.specs["lamp"]}), 10**12)
    plans.close()
    ahead = ahead_of(plans, "fan")
    assert ahead is not None
    assert (ahead["left_wh"], ahead["tariff"], ahead["yesterday"]) == (20, False, False)
    assert ahead_of(plans, "lamp") is None
    assert ahead_of(None, "fan") is None


def test_temperatures_and_tariffs_over_mqtt_are_heard(tmp_path: Path) -> None:
    assert hears(config(tmp_path, FRIDGE + TOPIC, rest=MQTT))
    grid = '[[source]]\nname = "grid"\nprice = 0.3\ntariff_topic = "prices"\n'
    assert hears(config(tmp_path, "worth = 0.5\n", rest=MQTT + grid))
    assert not hears(config(tmp_path, "worth = 0.5\n", rest=MQTT))
