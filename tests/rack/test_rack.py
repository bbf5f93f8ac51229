"""A rack comes together: discovery, one broker, one price, every load; late, leaving, equal."""

from __future__ import annotations

import time

import pytest
from tests.rack.rig import FLEXIBLE_W, FLOOR_W, QUICK, Rig, RigNode, State, wait_until

pytestmark = pytest.mark.root


def wait_started(rig: Rig, count: int) -> None:
    """Wait until node 3, the broker, counts what so many nodes hold, and no start any more.

    A load may start on the last of a grant, and only then be asked for anew.
    """
    wait_until(
        "no start is counted any more",
        lambda: rig.node(3).state()["feed"]["granted_w"] == FLEXIBLE_W * count,
    )


def test_rack_of_five_without_configured_peers_finds_one_broker_one_price_and_feeds_all() -> None:
    with Rig(5, rack={"preempt_after_s": 1.0}) as rig:
        rig.start_at_once()
        rig.wait_for_broker(rig.node(5))
        rig.wait_for_loads()
        names = [node.name for node in rig.nodes]

        def agreed(state: State) -> bool:
            return (
                sorted(x["name"] for x in state["roster"]) == names
                and {x["name"] for x in state["members"]} == set(names)
                and state["feed"]["floors_w"] == 5 * FLOOR_W
                and state["price"]["currency"] == "EUR"
            )

        def led() -> bool:
            states = [node.state() for node in rig.nodes]
            authority = [state.get("authority") for state in states]
            return authority == [False] * 4 + [True] and all(map(agreed, states))

        wait_until("all know all, and the broker has the authority", led)

        def rounds(node: RigNode) -> set[tuple[object, object, object]]:
            return {(x["term"], x["round"], x["value"]) for x in node.said("price")}

        def shared() -> bool:
            return bool(set.intersection(*map(rounds, rig.nodes)))

        wait_until("a price is applied by all", shared)
        values: dict[tuple[object, object], set[object]] = {}
        for term, number, value in set.union(*map(rounds, rig.nodes)):
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

        def scarce() -> bool:
            """Between the refused pump and the served lamp, and that is what burns."""
            price = rig.node(1).state()["price"]
            value = price["value"]
            return price["scarce"] and 0.40 <= value <= 0.50 and lamps_only()

        wait_until("three lamps on and no pump, at the price of that", scarce)


def test_rack_late_joiner_is_admitted_and_gets_its_price_and_its_loads() -> None:
    with Rig(3, rack={**QUICK, "expect": 2}) as rig:
        rig.start(2, 3)
        rig.wait_for_broker(rig.node(3), among=rig.nodes[1:])
        rig.wait_for_loads(rig.nodes[1:])
        wait_started(rig, 2)
        before_ns = time.monotonic_ns()
        rig.start(1)
        rig.wait_for_broker(rig.node(3))
        rig.wait_for_loads()
        wait_until(
            "all know the roster of three",
            lambda: all(len(node.state().get("roster", ())) == 3 for node in rig.nodes),
        )
        assert rig.edges(before_ns, rig.nodes[1:]) == [], "the others' loads went on undisturbed"


def test_rack_node_that_leaves_ends_well_and_releases_its_floor() -> None:
    with Rig(3) as rig:
        rig.start()
        rig.wait_for_broker(rig.node(3))
        rig.wait_for_loads()
        wait_started(rig, 3)
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
        wait_started(rig, 3)
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
