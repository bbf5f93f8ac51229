"""Fails if clocks that disagree pass, or a peer that was not asked counts as one that agrees."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, uncovered, world

from rackgrid.cli.api import Record
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.peers import CHECKS, Facts, Peer, at_once, judge, look
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.core.view import ClockView
from rackgrid.errors import TransportError

PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP


def peer(ahead_ms: float | Unknown, bound_ms: float = 60.0, *, vouched: bool = True) -> Facts:
    return Facts((Peer("pi-2", ahead_ms, bound_ms, vouched),))


WORLDS = [
    world("clock-skew", PASS, "0.30 s ahead of", facts=peer(300)),
    world("clock-skew", PASS, "1.05 s behind", facts=peer(-1050)),
    world("clock-skew", WARN, "1.10 s behind", facts=peer(-1100)),
    world("clock-skew", WARN, "set-ntp", facts=peer(1100)),
    world("clock-skew", PASS, "(± 1.50 s)", facts=peer(2400, 1500)),
    world("clock-skew", PASS, "no time server", facts=peer(10, vouched=False)),
    world("clock-skew", FAIL, "75.00 s ahead", facts=peer(75_000)),
    world("clock-skew", SKIP, "pi-2: refused", facts=peer(Unknown("refused"))),
    world("clock-skew", SKIP, "no other node", facts=Facts(())),
    world("clock-skew", SKIP, "not known", facts=Facts(Unknown("not known"))),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_peers_are_judged(each: World) -> None:
    hold([each], lambda each: judge(each.change["facts"]))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def telling(ahead_s: float, node: str = "00000000000000bb") -> Record:
    clock = {"unix_ms": round((time.time() + ahead_s) * 1000), "vouched": True}
    return Record({"node": {"id": node, "name": "pi-2"}, "clock": clock})


STATE = Record(
    {
        "node": {"id": "00000000000000aa", "name": "pi-1"},
        "members": [
            {"id": "00000000000000aa", "name": "pi-1", "api_port": 8470},
            {"id": "00000000000000bb", "name": "pi-2", "api_port": 8471},
            {"id": "00000000000000cc", "name": "pi-3", "api_port": 0},
        ],
    }
)


def test_members_are_asked_under_their_names_and_this_node_is_not() -> None:
    urls: list[str] = []

    def get(url: str) -> Record:
        urls.append(url)
        return telling(5.0)

    facts = look(case_in(Host().root, host=Host(), state=STATE), get)
    assert urls == ["http://pi-2.local:8471/api/state"]
    assert not isinstance(facts.peers, Unknown)
    second, third = facts.peers
    assert second.ahead_ms == pytest.approx(5000, abs=1000)
    assert 50 <= second.bound_ms < 1000
    assert isinstance(third.ahead_ms, Unknown)
    assert "serves no API" in third.ahead_ms.reason


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (telling(0.0, node="00000000000000dd"), "another node answers"),
        (Record({"node": {"id": "00000000000000bb"}, "clock": None}), "tells no time"),
        (TransportError("Connection refused"), "may be loopback"),
    ],
)
def test_answer_that_is_none_is_not_known(answer: Record | TransportError, says: str) -> None:
    def get(_url: str) -> Record:
        if isinstance(answer, TransportError):
            raise answer
        return answer

    facts = look(case_in(Host().root, host=Host(), state=STATE), get)
    assert not isinstance(facts.peers, Unknown)
    told = facts.peers[0].ahead_ms
    assert isinstance(told, Unknown)
    assert says in told.reason


def test_daemon_that_is_named_is_asked_there() -> None:
    """Over real HTTP, with the answer that a daemon really gives."""
    late = replace(VIEW, clock=ClockView(round((time.time() - 90) * 1000), False))
    with answering(Daemon(body=state_of(late))) as daemon:
        facts = look(case_in(Host().root, host=Host(), peers=(daemon.api,)))
    (found,) = judge(facts)
    assert found.grade is FAIL
    assert "s behind this node's" in found.cause
    assert daemon.api in found.cause


def test_nobody_is_asked_for_another_machine_or_without_a_daemon() -> None:
    def get(url: str) -> Record:
        raise AssertionError(url)

    alone = look(case_in(Host().root, host=Host()), get)
    assert isinstance(alone.peers, Unknown)
    assert "--peer" in alone.peers.reason
    other = look(case_in(Host().root / "srv", state=STATE), get)
    assert isinstance(other.peers, Unknown)


def test_peer_that_does_not_answer_keeps_nobody_waiting() -> None:
    hangs = threading.Event()

    def never() -> Peer:
        hangs.wait(30)
        return Peer("slow", 0.0)

    try:
        slow, quick = at_once({"slow": never, "quick": lambda: Peer("quick", 1.0)}, 0.2)
    finally:
        hangs.set()
    assert quick == Peer("quick", 1.0)
    assert slow.ahead_ms == Unknown("no answer in 0.2 s")
