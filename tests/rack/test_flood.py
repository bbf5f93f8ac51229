"""A member that floods: whoever holds the key and an identity says lawful words, far too often.

He has killed a member's controller and speaks with its identity from a host of his own, so that all
he says is authentic, proven and fresh. What meets him is the limit on what one node may say.
"""

from __future__ import annotations

import json
import select
import time
from contextlib import closing

import pytest
from tests.rack.rig import QUICK, Rig, RigNode, wait_until
from tests.rack.test_belonging import NOTHING, Insider

from rackgrid.adapters.keys import load_identity
from rackgrid.identity import NO_PAIR, NO_STAMP, Pair, Term
from rackgrid.value import replace
from rackgrid.wire.message import Ack, Beacon, Election, Role
from rackgrid.wire.peer import MESSAGES_BURST, MESSAGES_PER_S

pytestmark = pytest.mark.root

WORDS = 4
"""That he says in each turn: three to the group, one to the broker."""
TURNS_PER_S = 4 * MESSAGES_PER_S // (WORDS - 1)
"""So the group hears four times what one node may say, and the broker somewhat more."""
FLOOD_S = 2.5


def throttled(node: RigNode) -> list[str]:
    """Whom a node names for saying too much."""
    suspects = node.state().get("suspects", [])
    return [one["id"] for one in suspects if one["fault"] == "throttled"]


def refused(node: RigNode) -> int:
    """How many words of any sender a node did not listen to because there were too many."""
    return int(node.state().get("rejected", {}).get("throttled", 0))


def flood(him: Insider) -> int:
    """Say lawful words at a steady rate for a while, and stand for the office all the time.

    Returns:
        How many of them the group was sent.
    """
    beat = him.heartbeat
    assert beat is not None
    wanted = Pair(Term(beat.pair.term + 1), him.me, him.boot)
    stamp = NO_STAMP
    call = Election(wanted, 65_535, 1, beat.rack, stamp, False)
    hello = Beacon("pi-1", 1, Role.MEMBER, beat.pair, beat.rack, stamp, 6_500, 6_100, 8470, ())
    begun, turns = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < FLOOD_S:
        while turns < passed * TURNS_PER_S:
            him.endpoint.multicast(call)
            him.endpoint.multicast(hello)
            him.endpoint.multicast(replace(call, nonce=turns))
            report = replace(NOTHING, bid_seq=turns + 1)
            him.to_broker(Ack(beat.pair, beat.seq, False, NO_PAIR, stamp, report))
            turns += 1
        select.select(him.endpoint.filenos(), [], [], 0.005)
        him.endpoint.receive()
    return (WORDS - 1) * turns


def test_flood_by_a_member_is_throttled_and_named_and_changes_nothing() -> None:
    """Fails if a flood from within costs an election or a relay edge at the others."""
    with Rig(4, rack={**QUICK, "expect": 3}) as rig:
        rig.start(1, 2, 3)
        victim, others = rig.node(1), [rig.node(2), rig.node(3)]
        before = rig.wait_for_broker(rig.node(3), among=rig.nodes[:3])
        rig.wait_for_loads(rig.nodes[:3])
        victim.kill()
        since_ns = time.monotonic_ns()
        own = load_identity(victim.folder / "state")
        with closing(Insider(rig, rig.lan.host(4), own.node_id)) as him:
            him.listens(lambda: him.heartbeat is not None, him.ack)
            sent = flood(him)
            allowed = FLOOD_S * MESSAGES_PER_S + MESSAGES_BURST
            for node in others:
                wait_until(
                    f"{node.name} names him and has refused what was too much",
                    lambda node=node: throttled(node) and refused(node) > (sent - allowed) / 2,
                )
        for node in others:
            assert throttled(node) == [f"{own.node_id:016x}"], "nobody else is slowed down"
        said = others[0].rackgrid("doctor", "--json", "--config", str(others[0].config))
        found = [one for one in json.loads(said.stdout)["checks"] if one["code"] == "floods"]
        assert [one["grade"] for one in found] == ["WARN"]
        assert victim.name in found[0]["cause"]
        after = rig.wait_for_broker(rig.node(3), among=others)
        assert (after["term"], after["broker"]) == (before["term"], before["broker"])
        assert after["price"]["round"] > before["price"]["round"]
        assert not [line for node in others for line in node.said("role", since_ns)]
        assert rig.edges(since_ns, others) == []
