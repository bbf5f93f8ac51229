"""A rack comes together: discovery, one broker, one price, every load; late, leaving, equal."""

from __future__ import annotations

import time

import pytest
from tests.rack.rig import FLOOR_W, QUICK, Rig, wait_until

pytestmark = pytest.mark.root


def test_rack_of_five_without_configured_peers_finds_one_broker_one_price_and_feeds_all() -> None:
    with Rig(5, rack={"preempt_after_s": 1.0}) as rig:
        rig.start_at_once()
        rig.wait_for_broker(rig.node(5))
        rig.wait_for_loads()
        states = [node.state() for node in rig.nodes]
        for state in states:
            assert sorted(x["name"] for x in state["roster"]) == [n.name for n in rig.nodes]
            assert {member["name"] for member in state["members"]} == {n.name for n in rig.nodes}
            assert state["feed"]["floors_w"] == 5 * FLOOR_W
            assert state["price"]["currency"] == "EUR"
        assert [state["authority"] for state in states] == [False] * 4 + [True]
        rounds = [
            {(x["term"], x["round"], x["value"]) for x in node.said("price")} for node in rig.nodes
        ]
        assert set.intersection(*rounds), "no price was applied by all"
        values: dict[tuple[object, object], set[object]] = {}
        for term, number, value in set.union(*rounds):
            values.setdefault((term, number), set()).add(value)
        assert all(len(prices) == 1 for prices in values.values()), "one round, two prices"


def test_rack_on_a_scarce_feed_serves_the_dearest_loads_and_every_required_one() -> None:
    """Three floors of 6.5 W leave 22.5 W: two lamps of 6 W while a third starts with 9 W."""
    with Rig(3, capacity_w=42.0) as rig:
        rig.start()
        rig.wait_for_broker(rig.node(3))

        def lamps_only() -> bool:
            loads = [node["loads"] for node in rig.control.draws()["nodes"].values()]
            return all(each["lamp"] > 0 and not each["pump"] for each in loads)

        wait_until("three lamps on and no pump", lamps_only)
        price = rig.node(1).state()["price"]
        assert price["scarce"]
        assert 0.40 <= price["value"] <= 0.50, "between the refused pump and the served lamp"


def test_rack_late_joiner_is_admitted_and_gets_its_price_and_its_loads() -> None:
    with Rig(3, rack={**QUICK, "expect": 2}) as rig:
        rig.start(2, 3)
        rig.wait_for_broker(rig.node(3), among=rig.nodes[1:])
        rig.wait_for_loads(rig.nodes[1:])
        before_ns = time.monotonic_ns()
        rig.start(1)
        rig.wait_for_broker(rig.node(3))
        rig.wait_for_loads()
        wait_until(
            "all know the roster of three",
            lambda: all(len(node.state()["roster"]) == 3 for node in rig.nodes),
        )
        assert rig.edges(before_ns, rig.nodes[1:]) == [], "the others' loads went on undisturbed"


def test_rack_node_that_leaves_ends_well_and_releases_its_floor() -> None:
    with Rig(3) as rig:
        rig.start()
        rig.wait_for_broker(rig.node(3))
        rig.wait_for_loads()
        gone, others = rig.node(1), rig.nodes[1:]
        before_ns = time.monotonic_ns()
        done = gone.rackgrid("leave", "--config", str(gone.config))
        assert done.returncode == 0, done.stderr
        assert gone.controller is not None
        assert gone.controller.wait(15) == 0
        rig.wait_for_loads([gone], on=False)

        def shrunk() -> bool:
            states = [node.state() for node in others]
            return all(
                sorted(x["name"] for x in state["roster"]) == ["pi-2", "pi-3"]
                and state["feed"]["floors_w"] == 2 * FLOOR_W
                for state in states
            )

        wait_until("its floor is released", shrunk)
        rig.wait_for_broker(rig.node(3), among=others)
        assert rig.edges(before_ns, others) == []


def test_rack_broker_that_leaves_hands_over_to_the_next() -> None:
    with Rig(3) as rig:
        rig.start()
        rig.wait_for_broker(rig.node(3))
        rig.wait_for_loads()
        gone, others = rig.node(3), rig.nodes[:2]
        before_ns = time.monotonic_ns()
        assert gone.rackgrid("leave", "--config", str(gone.config)).returncode == 0
        assert gone.controller is not None
        assert gone.controller.wait(15) == 0
        rig.wait_for_broker(rig.node(2), among=others)
        wait_until(
            "its floor is released",
            lambda: all(n.state()["feed"]["floors_w"] == 2 * FLOOR_W for n in others),
        )
        assert rig.edges(before_ns, others) == []


def test_rack_of_two_equal_priorities_elects_the_higher_id() -> None:
    with Rig(2, priorities={1: 7, 2: 7}) as rig:
        rig.start()
        state = rig.wait_for_broker()
        ids = {node.name: node.state()["node"]["id"] for node in rig.nodes}
        assert state["broker"] == max(ids, key=lambda name: ids[name])
        rig.wait_for_loads()
