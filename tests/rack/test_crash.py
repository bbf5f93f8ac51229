"""Several nodes fail at once on a feed that is too small: killed processes, pulled cables."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.rack.rig import Rig, wait_until
from tests.rack.tight import pumps_on, scene, tight, wait_more_pumps, wait_settled

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """Five nodes for the scenes below; each begins with every load on that fits."""
    with tight() as made:
        made.start()
        yield made


def test_crash_of_two_nodes_at_once_hands_their_watts_on_and_takes_them_back(rig: Rig) -> None:
    """All four processes are killed, the broker's among them; what systemd does then, is done."""
    with scene(rig) as broker:
        term = broker.state()["term"]
        dead = [broker, rig.others(broker)[0]]
        left = [node for node in rig.nodes if node not in dead]
        pumps = pumps_on(rig, left)
        for node in dead:
            node.kill_all()
        for node in dead:
            node.make_safe()
        rig.wait_for_loads(dead, on=False)
        assert rig.wait_for_broker(among=left)["term"] > term
        wait_more_pumps(rig, left, than=pumps)
        rig.bring_back()
        wait_settled(rig)
        assert len(rig.wait_for_broker()["roster"]) == 5


def test_crash_of_all_controllers_at_once_is_survived_by_what_is_required_and_healed(
    rig: Rig,
) -> None:
    """The firmwares open what no grant covers any more; how long that is, the bench measures."""
    with scene(rig) as broker:
        term, before_ns = broker.state()["term"], time.monotonic_ns()
        for node in rig.nodes:
            node.kill()
        assert not any(node.running for node in rig.nodes)
        rig.bring_back()
        wait_settled(rig)
        assert rig.wait_for_broker()["term"] > term, "nobody uses a term twice"
        edges = rig.edges(before_ns, rig.nodes)
        blinks = Counter(edge.node for edge in edges if edge.load == "lamp" and not edge.on)
        assert all(count == 1 for count in blinks.values()), "no lamp went off twice"


def test_cables_of_the_broker_and_of_a_member_pulled_at_once_hand_their_watts_on(rig: Rig) -> None:
    with scene(rig) as broker:
        alone = [broker, rig.others(broker)[-1]]
        left = [node for node in rig.nodes if node not in alone]
        pumps = pumps_on(rig, left)
        for node in alone:
            node.host.cut()
        rig.wait_for_loads(alone, on=False)
        wait_until("each gives up", lambda: {n.state()["role"] for n in alone} == {"islanded"})
        rig.wait_for_broker(among=left)
        wait_more_pumps(rig, left, than=pumps)
        assert not any(node.state()["authority"] for node in alone)
        for node in alone:
            node.host.heal()
