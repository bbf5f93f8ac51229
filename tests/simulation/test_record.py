"""Records of simulated racks: every one is sound, and every lie in one is found.

The auditor shares no code with what it checks, so each of these runs has two independent minds
agree on every round and every decision.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.simulation.rack import broker, settled
from tests.simulation.recorder import recording

from rackgrid.audit.record import audit
from rackgrid.simulation.feed import Capacity
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import scripted

SEEDS = 8
Line = dict[str, Any]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_record_of_any_faults_has_no_finding(seed: int) -> None:
    with recording() as recorder:
        run(scripted(seed, 5, 24))
    records = recorder.records()
    done = {node: audit(lines) for node, lines in records.items()}
    for node, each in done.items():
        assert each.findings == [], (records[node][each.findings[0].line - 1], each.findings)
    assert sum(each.switches for each in done.values()) >= 10, "there was something to check"
    rounds = sum(each.rounds for each in done.values())
    assert sum(each.optimal for each in done.values()) == rounds > 0


@pytest.fixture(scope="module")
def record() -> list[str]:
    """A broker's own record of a feed that shrinks and grows."""
    with recording() as recorder:
        world = settled(3, nodes=3, capacity_w=40)
        for capacity_w in (30, 24, 36, 20, 40):
            Capacity(capacity_w * 1000).apply(world)
            world.run(world.now_ns + seconds(3))
        leader = broker(world)
    lines = recorder.records()[leader.id]
    done = audit(lines)
    assert (done.findings, done.rounds > 10, done.switches > 4) == ([], True, True)
    return lines


ALWAYS: dict[str, tuple[str, ...]] = {
    "load": ("price_uc", "term", "from", "wanted", "why", "grant.mw", "known", "required"),
    "price": ("price_uc", "term", "broker"),
    "round": (
        *("price_uc", "served.*", "unfit.*", "allotted_mw.*", "served_mw", "reserved_mw"),
        *("welfare", "marginal", "scarce", "overcommitted", "granting"),
        *("grants.*.mw", "grants.*.served", "bids.*.node"),
    ),
}
"""What no record may be wrong in, whatever else it says."""


def places(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Every place in a line that holds a plain value."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from places(inside, (*path, key))
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from places(inside, (*path, number))
    else:
        yield path


def name(path: tuple[str | int, ...]) -> str:
    """Name a place, with a star for which of several."""
    return ".".join("*" if isinstance(p, int) or p.startswith("0000") else p for p in path)


def lies(line: Line, path: tuple[str | int, ...]) -> Iterator[Line]:
    """The line with other values at a place."""
    inside: Any = line
    for key in path:
        inside = inside[key]
    others: list[object] = ["x"]
    if isinstance(inside, bool):
        others = [not inside]
    elif isinstance(inside, int):
        others = [inside + 1, inside - 1, 2 * inside + 7]
    elif inside is None:
        others = [5]
    for other in others:
        lie = copy.deepcopy(line)
        place: Any = lie
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = other
        yield lie


@pytest.mark.parametrize(("kind", "field"), [(k, f) for k, fs in ALWAYS.items() for f in fs])
def test_every_lie_about_what_was_decided_is_found(
    record: list[str], kind: str, field: str
) -> None:
    told = 0
    for number, text in enumerate(record):
        line = json.loads(text)
        if line["event"] != kind:
            continue
        for path in places(line, ()):
            if name(path) != field:
                continue
            for lie in lies(line, path):
                found = audit([*record[:number], json.dumps(lie), *record[number + 1 :]])
                assert found.findings != [], (path, text, lie)
                told += 1
    assert told > 3, "no such field was there to lie about"


@pytest.mark.parametrize("flip", ["to", "worth", "grant"])
def test_every_lie_about_a_running_loads_inputs_is_found(record: list[str], flip: str) -> None:
    """Fails if a load may be on below its price, or without a grant that covers it."""
    told = 0
    for number, text in enumerate(record):
        line = json.loads(text)
        if line["event"] != "load" or line["why"] != "worth_it":
            continue
        worth = line["price_uc"] - 1
        lie = {
            "to": {"to": False},
            "worth": {"worth_uc": worth, "bid_uc": worth},
            "grant": {"grant": None},
        }[flip]
        false = json.dumps({**line, **lie})
        assert audit([*record[:number], false, *record[number + 1 :]]).findings != [], text
        told += 1
    assert told > 3


def test_missing_decision_is_found(record: list[str]) -> None:
    """Fails if the line of a switch can be taken out of a record unseen, but for the last ones."""
    switched = [
        number
        for number, text in enumerate(record)
        if (line := json.loads(text))["event"] == "load" and line["from"] is not line["to"]
    ]
    missed = [
        number
        for number in switched
        if not audit([*record[:number], *record[number + 1 :]]).findings
    ]
    last = {json.loads(text)["load"]: n for n, text in enumerate(record) if '"load"' in text[:90]}
    assert set(missed) <= set(last.values())
    assert len(switched) > 4
