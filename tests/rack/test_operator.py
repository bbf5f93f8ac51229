"""What an operator asks of a real rack, by the command and over the API, and what comes of it."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Iterator
from operator import attrgetter

import pytest
from tests.rack.rig import (
    AMPLE_W_PER_NODE,
    FLEXIBLE,
    FLEXIBLE_W,
    FLOOR_W,
    QUICK,
    Rig,
    RigNode,
    wait_until,
)

pytestmark = pytest.mark.root

CUT_W = 32.0
"""Three floors of 6.5 W, and room for one or two of the six flexible loads."""
TIGHT_W = 46.0
"""Beside three floors too little for the four loads of two nodes; beside two, room to start."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """Three nodes for the scenes below; each begins with all of them well."""
    with Rig(3, rack={**QUICK, "preempt_after_s": 3600.0}) as made:
        made.start()
        yield made


def drawn_w(rig: Rig) -> float:
    """The truth: what all nodes draw at this moment."""
    return sum(node["watts"] for node in rig.control.draws()["nodes"].values())


def peak_w(rig: Rig, since_ns: int) -> float:
    """The truth: the most that all nodes together drew at any moment since then."""
    watts: dict[str, float] = {}
    peak = 0.0
    for t_ns, moment in itertools.groupby(rig.draws(), attrgetter("t_ns")):
        if t_ns >= since_ns:
            peak = max(peak, sum(watts.values()))
        watts.update((draw.node, draw.watts) for draw in moment)
    return max(peak, sum(watts.values()))


def counted_w(broker: RigNode) -> float:
    """What the broker counts, grants of before included: at most this may yet be drawn."""
    feed = broker.state()["feed"]
    granted_w = feed["granted_w"]
    return math.inf if granted_w is None else feed["floors_w"] + granted_w


def names(node: RigNode) -> set[str]:
    """Who is on the roster, as a node sees it."""
    return {line["name"] for line in node.state()["roster"]}


def off(rig: Rig, nodes: list[RigNode]) -> list[str]:
    """Which flexible loads of these nodes truly draw nothing."""
    truth = rig.control.draws()["nodes"]
    return [load for n in nodes for load in FLEXIBLE if truth[n.name]["loads"][load] == 0]


def test_office_is_handed_over_and_no_load_notices(rig: Rig) -> None:
    with rig.scene() as broker:
        term, before_ns = broker.state()["term"], time.monotonic_ns()
        other = rig.others(broker)[0].rackgrid("handover")
        assert other.returncode == 1
        assert f"{broker.name} is: ask there" in other.stderr
        asked = broker.rackgrid("handover", "--json")
        assert asked.returncode == 0, asked.stderr
        answer = json.loads(asked.stdout)
        assert answer["handed_over"]
        assert answer["broker"] != broker.name
        state = rig.wait_for_broker()
        assert (state["broker"], state["term"] > term) == (answer["broker"], True)
        now = state["term"]
        wait_until(
            "rounds enough that every grant of its predecessor has ended",
            lambda: any(x["term"] == now and x["round"] > 8 for x in broker.said("price")),
        )
        assert rig.edges(before_ns, rig.nodes) == []


def test_capacity_that_is_cut_is_kept_and_given_back(rig: Rig) -> None:
    with rig.scene() as broker:
        member = rig.others(broker)[0]
        before_ns = time.monotonic_ns()
        asked = member.rackgrid("capacity", str(CUT_W))
        assert asked.returncode == 0, asked.stderr
        wait_until("the draw is back under it", lambda: drawn_w(rig) <= CUT_W >= counted_w(broker))
        told_ns = time.monotonic_ns()
        assert broker.state()["feed"]["capacity_w"] <= CUT_W
        wait_until(
            "rounds under the cut",
            lambda: len(broker.said("price", told_ns)) > 8,
        )
        assert peak_w(rig, told_ns) <= CUT_W
        edges = rig.edges(before_ns, rig.nodes)
        assert {edge.load for edge in edges} <= set(FLEXIBLE), "required loads stay on"
        assert edges
        raised = member.rackgrid("capacity", str(AMPLE_W_PER_NODE * 3))
        assert raised.returncode == 0, raised.stderr
        rig.wait_for_loads()


def test_load_is_locked_out_over_a_restart_until_it_is_unlocked(rig: Rig) -> None:
    with rig.scene() as broker:
        node, name = rig.others(broker)[0], FLEXIBLE[0]

        def shown() -> dict[str, object]:
            loads = node.state().get("loads", [])
            return next((x for x in loads if (x["name"], x["node"]) == (name, node.name)), {})

        elsewhere = node.rackgrid("load", "lock", "nothing")
        assert elsewhere.returncode == 1
        assert "has no load 'nothing'" in elsewhere.stderr
        asked = node.rackgrid("load", "lock", name, "--json")
        assert asked.returncode == 0, asked.stderr
        assert json.loads(asked.stdout) == {"load": name, "lock": True, "fault": "locked out"}
        wait_until("it draws nothing", lambda: name in off(rig, [node]))

        def is_seen() -> bool:
            load = shown()
            return (load.get("reason"), load.get("on")) == ("off: locked out", False)

        wait_until("its node sees that", is_seen)
        before_ns = time.monotonic_ns()
        node.kill()
        node.start()
        wait_until("its node is back", lambda: shown().get("fault") == "locked out")
        assert not any(edge.on and edge.load == name for edge in rig.edges(before_ns, [node]))
        asked = node.rackgrid("load", "unlock", name)
        assert asked.returncode == 0, asked.stderr
        rig.wait_for_loads([node])


def test_dead_node_is_forgotten_and_its_floor_is_free(rig: Rig) -> None:
    with rig.scene() as broker:
        dead, asker = rig.others(broker)
        alive = [broker, asker]
        early = asker.rackgrid("forget", dead.name)
        assert early.returncode == 1
        assert "is heard" in early.stderr
        dead.kill()
        rig.wait_for_loads([dead], on=False)
        wait_until(
            "it is absent",
            lambda: {x["name"]: x["absent"] for x in asker.state()["roster"]}[dead.name],
        )
        wait_until(
            "its grants have ended",
            lambda: counted_w(broker) <= 3 * FLOOR_W + 2 * FLEXIBLE_W,
        )
        assert broker.state()["feed"]["floors_w"] == pytest.approx(3 * FLOOR_W)
        assert "absent" in asker.rackgrid("status").stdout
        assert asker.rackgrid("capacity", str(TIGHT_W)).returncode == 0
        wait_until(
            "one load too many for three floors, and no other to go",
            lambda: off(rig, alive) and counted_w(broker) <= TIGHT_W,
        )
        before_ns = time.monotonic_ns()
        asked = asker.rackgrid("forget", dead.name)
        assert asked.returncode == 0, asked.stderr
        for node in alive:
            wait_until("it is off the roster", lambda node=node: dead.name not in names(node))
        wait_until(
            "its floor is free",
            lambda: broker.state()["feed"]["floors_w"] == pytest.approx(2 * FLOOR_W),
        )
        rig.wait_for_loads(alive)
        assert all(edge.on for edge in rig.edges(before_ns, alive)), "its watts are used"
        assert asker.rackgrid("forget", "nobody").returncode == 1
        assert asker.rackgrid("capacity", str(AMPLE_W_PER_NODE * 3)).returncode == 0


def test_rack_without_its_majority_is_recovered_by_the_last_node(rig: Rig) -> None:
    with rig.scene() as broker:
        last, other = rig.others(broker)
        rack_id = last.state()["rack_id"]
        assert last.rackgrid("recover").returncode == 1, "it has a broker"
        broker.kill()
        other.kill()
        rig.wait_for_loads(on=False)
        wait_until(
            "both are absent",
            lambda: sum(x["absent"] for x in last.state()["roster"]) == 2,
        )
        assert last.rackgrid("forget", other.name).returncode == 75
        shown = last.rackgrid("recover", "--json")
        assert shown.returncode == 2
        assert json.loads(shown.stdout) == {
            "heard": [last.name],
            "missing": sorted([broker.name, other.name]),
        }
        asked = last.rackgrid("recover", "--missing-are-off")
        assert asked.returncode == 0, asked.stderr
        rig.wait_for_loads([last])
        state = last.state()
        assert (state["broker"], state["rack_id"]) == (last.name, rack_id)
        assert names(last) == {last.name}
