"""A cable is pulled and plugged in again."""

from __future__ import annotations

import time

import pytest
from tests.rack.rig import FLEXIBLE, Rig, wait_until

pytestmark = pytest.mark.root


def test_link_of_a_member_cut_sheds_its_flexible_loads_and_healed_gives_them_back() -> None:
    with Rig(4) as rig:
        rig.start()
        rig.wait_for_broker(rig.node(4))
        rig.wait_for_loads()
        alone, others = rig.node(1), rig.nodes[1:]
        before_ns = time.monotonic_ns()
        alone.host.cut()
        wait_until("it is islanded", lambda: alone.state()["role"] == "islanded")
        rig.wait_for_loads([alone], on=False)
        state = alone.state()
        assert state["price"]["value"] is None, "an expired price is unknown"
        assert not state["authority"]
        rig.wait_for_broker(rig.node(4), among=others)
        shed = rig.edges(before_ns, rig.nodes)
        assert {(e.node, e.load, e.on) for e in shed} == {("pi-1", x, False) for x in FLEXIBLE}
        alone.host.heal()
        rig.wait_for_broker(rig.node(4))
        rig.wait_for_loads()
        assert rig.edges(before_ns, others) == []


def test_link_of_the_broker_cut_leaves_one_broker_on_each_side_at_most_and_one_when_healed() -> (
    None
):
    with Rig(3) as rig:
        rig.start()
        term = rig.wait_for_broker(rig.node(3))["term"]
        rig.wait_for_loads()
        alone, others = rig.node(3), rig.nodes[:2]
        before_ns = time.monotonic_ns()
        alone.host.cut()
        rig.wait_for_broker(rig.node(2), among=others)
        wait_until("it gives up its office", lambda: alone.state()["role"] == "islanded")
        assert not alone.state()["authority"]
        rig.wait_for_loads([alone], on=False)
        alone.host.heal()
        assert rig.wait_for_broker()["term"] > term
        rig.wait_for_loads()
        assert rig.edges(before_ns, others) == []


def test_link_of_the_feed_s_half_cut_elects_nobody_without_a_majority() -> None:
    """Two against two: no side has more than half of the votes, so nobody may grant."""
    with Rig(4) as rig:
        rig.start()
        rig.wait_for_broker(rig.node(4))
        rig.wait_for_loads()
        for node in rig.nodes[:2]:
            node.host.cut()
        wait_until(
            "every node is islanded",
            lambda: all(node.state()["role"] in ("islanded", "candidate") for node in rig.nodes),
        )
        rig.wait_for_loads(on=False)
        assert not any(node.state()["authority"] for node in rig.nodes)
        for node in rig.nodes[:2]:
            node.host.heal()
        rig.wait_for_broker()
        rig.wait_for_loads()
