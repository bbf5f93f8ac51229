"""A cable is pulled and plugged in again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.rack.rig import FLEXIBLE, Rig, wait_until

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """Four nodes for the scenes below; each begins with all of them well."""
    with Rig(4) as made:
        made.start()
        yield made


def test_link_of_a_member_cut_sheds_its_flexible_loads_and_healed_gives_them_back(rig: Rig) -> None:
    """Nobody tells it to: its grants expire, and its own firmware opens the contacts."""
    with rig.scene() as broker:
        alone, *_ = rig.others(broker)
        before_ns = time.monotonic_ns()
        alone.host.cut()
        wait_until("it is islanded", lambda: alone.state()["role"] == "islanded")
        rig.wait_for_loads([alone], on=False)
        wait_until("its price has expired", lambda: alone.state()["price"]["value"] is None)
        assert not alone.state()["authority"]
        rig.wait_for_broker(broker, among=rig.others(alone))
        shed = rig.edges(before_ns, rig.nodes)
        assert sorted((e.node, e.load, e.on) for e in shed) == [
            (alone.name, load, False) for load in FLEXIBLE
        ]
        alone.host.heal()
        rig.wait_for_broker(broker)
        rig.wait_for_loads()
        assert rig.edges(before_ns, rig.others(alone)) == []


def test_link_of_the_broker_cut_is_succeeded_gives_up_and_follows_when_healed(rig: Rig) -> None:
    with rig.scene() as alone:
        term = alone.state()["term"]
        before_ns = time.monotonic_ns()
        alone.host.cut()
        rig.wait_for_broker(among=rig.others(alone))
        wait_until("it gives up its office", lambda: alone.state()["role"] == "islanded")
        assert not alone.state()["authority"]
        rig.wait_for_loads([alone], on=False)
        alone.host.heal()
        assert rig.wait_for_broker()["term"] > term
        rig.wait_for_loads()
        assert rig.edges(before_ns, rig.others(alone)) == []


def test_link_of_half_of_the_nodes_cut_leaves_no_broker_anywhere(rig: Rig) -> None:
    """Of four, the three of highest rank vote; with two of them alone, nobody may grant."""
    with rig.scene():
        for node in rig.nodes[1:3]:
            node.host.cut()
        wait_until(
            "every node is islanded",
            lambda: all(node.state()["role"] in ("islanded", "candidate") for node in rig.nodes),
        )
        rig.wait_for_loads(on=False)
        assert not any(node.state()["authority"] for node in rig.nodes)
        for node in rig.nodes[1:3]:
            node.host.heal()
        rig.wait_for_broker()
        rig.wait_for_loads()
