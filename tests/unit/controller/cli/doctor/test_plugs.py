"""Fails if a unit that starts itself, or a plug that nobody reaches, passes for a load of ours."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.plugs import CHECKS, LINGER, RULE, Facts, UnitSeen, judge, knock, look
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import Config
from rackgrid.config_file import load_config

ROOT = Path(__file__).parents[5]
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
LOADED = {"LoadState": "loaded", "UnitFileState": "disabled"}
UNIT = UnitSeen("transcode", "transcoder.service", False, LOADED, True)
USER = UnitSeen("fold", "fold.service", True, Unknown("of the user's manager"), True)
SOUND = Facts(units=(UNIT,), plugs={"heater": ""})


def unit_with(**properties: str) -> tuple[UnitSeen, ...]:
    return (replace(UNIT, properties={**LOADED, **properties}),)


WORLDS = [
    world("unit-loads", PASS, "transcoder.service"),
    world("unit-loads", FAIL, "there is no", units=unit_with(LoadState="not-found")),
    world("unit-loads", FAIL, "systemctl disable", units=unit_with(UnitFileState="enabled")),
    world("unit-loads", FAIL, "polkit", units=(replace(UNIT, is_allowed=False),)),
    world("unit-loads", FAIL, "enable-linger", units=(replace(USER, is_allowed=False),)),
    world("unit-loads", SKIP, "user's manager", units=(USER,)),
    world("unit-loads", SKIP, "no load is a unit", units=()),
    world("plug-answers", PASS, "its plug is there"),
    world("plug-answers", FAIL, "No route", plugs={"heater": "10.0.0.9: No route to host"}),
    world("plug-answers", SKIP, "no load is an HTTP plug", plugs={}),
    world("plug-answers", SKIP, "another machine", plugs=Unknown("another machine")),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_plugs_are_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def configured(tmp_path: Path, address: str = "10.0.0.9") -> Config:
    put(tmp_path, "board.toml", (ROOT / "hardware/profiles/pi-relay4.toml").read_bytes())
    loads = "".join(
        f'\n[[load]]\nname = "{name}"\nworth = 0.2\nnominal_w = 5.0\n{way}\n'
        for name, way in (
            ("transcode", 'unit = "transcoder.service"'),
            ("fold", 'user_unit = "fold.service"'),
            ("heater", f'http = "shelly://{address}/0"'),
        )
    )
    text = (ROOT / "systemd/rackgrid.toml").read_text().replace("[feed]", "grant_s = 5\n[feed]")
    return load_config(put(tmp_path, "r.toml", text + loads))


def test_look_asks_for_units_and_finds_the_rule_that_names_them(tmp_path: Path) -> None:
    def run(argv: Sequence[str]) -> str:
        assert argv[:3] == ["systemctl", "show", "transcoder.service"]
        return "LoadState=loaded\nUnitFileState=disabled\n"

    case = case_in(tmp_path, host=Host(tmp_path, run), config=configured(tmp_path))
    before = look(case)
    assert isinstance(before, Facts)
    assert [(seen.load, seen.is_allowed) for seen in before.units] == [
        ("transcode", False),
        ("fold", False),
    ]
    put(tmp_path, RULE, 'var units = ["transcoder.service"];')
    put(tmp_path, LINGER, "")
    after = look(case)
    assert isinstance(after, Facts)
    assert after.units[0].properties == LOADED
    assert [seen.is_allowed for seen in after.units] == [True, True]
    assert isinstance(after.plugs, Unknown)


def test_look_knocks_at_plugs_of_this_machines_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plug:
        address = f"127.0.0.1:{plug.getsockname()[1]}"
        facts = look(case_in(tmp_path, host=Host(), config=configured(tmp_path, address)))
        assert isinstance(facts, Facts)
        assert facts.plugs == {"heater": ""}
    assert knock(address) == f"{address}: Connection refused"


def test_look_without_a_configuration_is_skipped(tmp_path: Path) -> None:
    assert {finding.grade for finding in judge(look(case_in(tmp_path)))} == {SKIP}
