"""Fails if a rack that its daemon calls ill passes for a sound one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, uncovered, world

from rackgrid.cli.api import Record
from rackgrid.cli.doctor.finding import Finding, Grade
from rackgrid.cli.doctor.rack import CHECKS, Facts, judge, look
from rackgrid.cli.doctor.unknown import Unknown

PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
STATE: dict[str, Any] = {
    "node": {"name": "pi-1", "id": "a"},
    "role": "broker",
    "broker": "pi-1",
    "roster": [{"id": "a", "name": "pi-1"}, {"id": "b", "name": "pi-2"}],
    "members": [{"id": "a", "name": "pi-1", "excess_w": 0.0}, {"id": "b", "name": "pi-2"}],
    "loads": [{"name": "fan", "node": "pi-2", "fault": ""}],
    "rejected": {"malformed": 3},
}


def state(**change: Any) -> dict[str, Any]:
    return {**copy.deepcopy(STATE), **change}


CLONE = {"id": "a", "fault": "cloned"}
FLOOD = [{"id": "b", "fault": "throttled"}, {"id": "ff", "fault": "throttled"}]
ABSENT = [*STATE["roster"], {"id": "c", "name": "pi-3", "absent": True}]
TWICE = [{"id": "a", "name": "pi-1"}, {"id": "b", "name": "pi-1"}]
EXCESS = [*STATE["members"], {"id": "c", "name": "pi-3", "excess_w": 4.0}]
DARK = [{"name": "fan", "node": "pi-2", "fault": "", "notice": "it draws nothing"}]
WORN = [
    {"name": "fan", "node": "pi-1", "fault": "", "switches": 93_000, "life_percent": 93.0},
    {"name": "lamp", "node": "pi-1", "fault": "", "switches": 80_000, "life_percent": 80.0},
    {"name": "pump", "node": "pi-1", "fault": "", "switches": 80_000, "life_percent": None},
]
WELDED = [{"name": "fan", "node": "pi-2", "fault": "welded"}]
NO_ANSWER = Unknown("Connection refused")
WORLDS = [
    world("daemon", PASS, "pi-1 answers (broker)"),
    world("daemon", WARN, "journalctl", state=NO_ANSWER, is_expected=True),
    world("daemon", SKIP, "refused", state=NO_ANSWER),
    world("node-names", PASS, "2 nodes, 2 names"),
    world("node-names", FAIL, "2 nodes are called pi-1", state=state(members=TWICE)),
    world("clones", PASS, "no sign"),
    world("clones", PASS, "no sign", state=state(rejected={"own_echo": 5000})),
    world("clones", FAIL, "node pi-1 (a): two", state=state(suspects=[CLONE])),
    world("clones", FAIL, "node f (f): two", state=state(suspects=[{**CLONE, "id": "f"}])),
    world("clones", PASS, "no sign", state=state(suspects=[{"id": "a", "fault": "throttled"}])),
    world("clones", PASS, "no sign", state=state(rejected={"unproven": 500})),
    world("forgery", PASS, "nobody speaks"),
    world("forgery", FAIL, "3 times", state=state(rejected={"forged": 3})),
    world("forgery", FAIL, "rackgrid key rotate", state=state(rejected={"forged": 1})),
    world("forgery", PASS, "nobody speaks", state=state(rejected={"bad_mac": 9, "replayed": 9})),
    world("floods", PASS, "no node sends"),
    world("floods", WARN, "node pi-2 sends more", state=state(suspects=FLOOD)),
    world("floods", WARN, "node ff sends more", state=state(suspects=FLOOD)),
    world("floods", PASS, "no node sends", state=state(suspects=[CLONE])),
    world("rejected-datagrams", PASS, "no datagram"),
    world("rejected-datagrams", WARN, "not upgraded", state=state(rejected={"unknown_version": 1})),
    world("rejected-datagrams", WARN, "forger", state=state(rejected={"bad_mac": 7})),
    world("rack-complete", PASS, "2 nodes are heard"),
    world("rack-complete", WARN, "absent: pi-3", state=state(roster=ABSENT)),
    world("rack-complete", WARN, "2 of 5", expect=5),
    world("rack-complete", PASS, "2 nodes", expect=Unknown("no file")),
    world("broker", PASS, "pi-1 is the broker"),
    world("broker", WARN, "no broker", state=state(broker=None)),
    world("load-faults", PASS, "no load is faulty"),
    world("load-faults", FAIL, "fan of pi-2: welded", state=state(loads=WELDED)),
    world("load-faults", WARN, "fan of pi-2: it draws nothing", state=state(loads=DARK)),
    world("contact-life", PASS, "0 of 0 loads"),
    world("contact-life", WARN, "fan has closed 93000 times, 93 %", state=state(loads=WORN)),
    world("contact-life", PASS, "2 of 2 loads", state=state(loads=WORN[1:2] * 2)),
    world("contact-life", PASS, "0 of 1 loads", state=state(loads=WORN[2:])),
    world("load-faults", WARN, "pi-3 draws 4.0 W more", state=state(members=EXCESS)),
    *(world(each.code, SKIP, "does not answer", state=NO_ANSWER) for each in CHECKS[1:]),
]


def judged(each: World) -> list[Finding]:
    given = each.change.get("state", STATE)
    answer = given if isinstance(given, Unknown) else Record(given)
    expect = each.change.get("expect", 2)
    return list(judge(Facts(answer, each.change.get("is_expected", False), expect)))


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_rack_is_judged(each: World) -> None:
    hold([each], judged)


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_state_of_another_version_raises_nothing() -> None:
    """A daemon that is newer or older leaves things out, and says others."""
    found = list(judge(Facts(Record({"members": [3, None], "rejected": "x"}), True, 2)))
    assert {finding.code for finding in found} == {check.code for check in CHECKS}


def test_look_expects_a_daemon_where_a_firmware_runs(tmp_path: Path) -> None:
    assert look(case_in(tmp_path, firmware_runs=True)).is_expected
    assert not look(case_in(tmp_path, firmware_runs=Unknown("no rights"))).is_expected
