"""Records of simulated racks in which somebody lies: each verdict follows from what was seen.

Fails if a broker's trust and the auditor's differ in anything that a whole rack does.
"""

from __future__ import annotations

import json

import pytest
from tests.simulation.rack import broker, settled
from tests.simulation.recorder import recording

from rackgrid.audit.record import audit
from rackgrid.simulation.mishap import Liar
from rackgrid.simulation.recipe import seconds


@pytest.fixture(scope="module")
def record() -> list[str]:
    """A broker's own record of a lamp that takes more each time that its node has learned it."""
    with recording() as recorder:
        world = settled(4, capacity_w=130)
        world.run(world.now_ns + seconds(8))
        for percent in (140, 190, 240, 300, 360):
            Liar(1, "lamp", percent).apply(world)
            world.run(world.now_ns + seconds(11))
        leader = broker(world).id
    return recorder.records()[leader]


def test_record_of_a_liar_has_no_finding(record: list[str]) -> None:
    done = audit(record)
    assert done.findings == []
    assert done.trust.windows >= 4
    lines = [json.loads(text) for text in record]
    assert [line["flagged"] for line in lines if line["event"] == "trust"][-1] is True
    assert lines[-1]["event"] != "trust"
    assert any(line["shares"] for line in lines if line["event"] == "round")


@pytest.mark.parametrize(
    "key", ["term", "round", "of", "granted_mw", "drawn_mw", "lies", "share_permille", "flagged"]
)
def test_every_lie_about_trust_is_found(record: list[str], key: str) -> None:
    told = 0
    for number, text in enumerate(record):
        line = json.loads(text)
        if line["event"] != "trust":
            continue
        was = line[key]
        line[key] = not was if isinstance(was, bool) else f"{was}0" if key == "of" else was + 1
        assert audit([*record[:number], json.dumps(line), *record[number + 1 :]]).findings, text
        told += 1
    assert told >= 4


def test_missing_verdict_is_found(record: list[str]) -> None:
    for number, text in enumerate(record):
        if json.loads(text)["event"] == "trust":
            assert audit([*record[:number], *record[number + 1 :]]).findings, text
