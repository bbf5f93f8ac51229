"""Fails if a server that lets nobody in, or forgets, passes for one that serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.mqtt import CHECKS, judge, look
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import MqttConfig
from rackgrid.config_file import load_config

ROOT = Path(__file__).parents[5]
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
WORLDS = [
    world("mqtt-server", PASS, "connected", facts=("", "")),
    world("mqtt-server", FAIL, "refused", facts=("refused", "")),
    world("mqtt-server", SKIP, "no [mqtt]", facts=Unknown("no [mqtt]")),
    world("mqtt-retained", PASS, "came back", facts=("", "")),
    world("mqtt-retained", WARN, "allow this user", facts=("", "it does not come back")),
    world("mqtt-retained", SKIP, "let us in", facts=("refused", "")),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_server_is_judged(each: World) -> None:
    hold([each], lambda each: judge(each.change["facts"]))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_look_visits_the_server_that_is_configured_and_no_other(tmp_path: Path) -> None:
    put(tmp_path, "board.toml", (ROOT / "hardware/profiles/pi-relay4.toml").read_bytes())
    config = load_config(put(tmp_path, "r.toml", (ROOT / "systemd/rackgrid.toml").read_bytes()))
    assert look(case_in(tmp_path)) == Unknown("not given")
    assert look(case_in(tmp_path, config=config)) == Unknown("there is no [mqtt]")
    mqtt = MqttConfig("127.0.0.1", 1, "", None, None, "rackgrid")
    there = replace(config, mqtt=mqtt)
    assert isinstance(look(case_in(tmp_path, config=there)), Unknown)
    found = look(case_in(tmp_path, host=Host(), config=there))
    assert found == ("127.0.0.1:1: [Errno 111] Connection refused", "")
