"""The broker dies, comes back, is outranked, is asked to stop; the loads do not notice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from tests.rack.rig import FLEXIBLE, Rig, RigNode, wait_until

pytestmark = pytest.mark.root

FAILOVER_S = 5.0
"""The outermost bound of a failover on a busy machine; the bench measures how long it takes."""


RESTART_S = 12.0
"""More than a process needs to start here after `AWAY_NS`, and less than what is waited for."""
AWAY_NS = 3_500_000_000
"""A node is away so long: no grant lasts until it is back."""


def pledges(node: RigNode) -> list[float]:
    """What each node may hold while it restarts."""
    return [line["pledged_w"] for line in node.state()["roster"]]


def priced_since(node: RigNode, since_ns: int, above: int) -> bool:
    """Whether a price of a later term was applied there since."""
    return any(line["term"] > above for line in node.said("price", since_ns))


def roles_since(node: RigNode, since_ns: int, role: str) -> list[str]:
    """Under which brokers a node has had that role since."""
    return [line["broker"] for line in node.said("role", since_ns) if line["role"] == role]


def test_broker_killed_is_replaced_comes_back_without_a_blink_and_preempts() -> None:
    """A grant outlives the time that a Python process needs to start, so nothing may blink."""
    with Rig(5, rack={"grant_s": 3.0, "round_s": 0.25, "preempt_after_s": 1.5}) as rig:
        rig.start()
        term = rig.wait_for_broker(rig.node(5))["term"]
        rig.wait_for_loads()
        killed, survivors = rig.node(5), rig.nodes[:4]
        before_ns = time.monotonic_ns()
        killed.kill()
        wait_until(
            "a new broker's price at every survivor",
            lambda: all(priced_since(node, before_ns, term) for node in survivors),
            FAILOVER_S,
        )
        killed.start()
        # By what it wrote down: it preempts soon, and a look may come too late for that.
        wait_until("pi-4 succeeds", lambda: roles_since(rig.node(4), before_ns, "broker"))
        (successor, *_) = roles_since(rig.node(4), before_ns, "broker")
        wait_until(
            "it follows its successor",
            lambda: successor in roles_since(killed, before_ns, "member"),
        )
        after = rig.wait_for_broker(killed)
        wait_until("all are heard", lambda: len(rig.node(1).state().get("members", [])) == 5)
        assert after["term"] > term + 1
        assert len(after["roster"]) == 5
        term = after["term"]
        wait_until(
            "rounds enough that every grant of its predecessor has ended",
            lambda: any(x["term"] == term and x["round"] > 13 for x in killed.said("price")),
        )
        assert rig.edges(before_ns, rig.nodes) == [], "no load noticed any of it"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """Three nodes for the scenes below; each begins with all of them well."""
    with Rig(3, rack={"restart_s": RESTART_S}) as made:
        made.start()
        yield made


def test_broker_killed_for_good_loses_its_own_flexible_loads_and_nobody_else_does(rig: Rig) -> None:
    with rig.scene() as broker:
        before_ns = time.monotonic_ns()
        broker.kill()
        rig.wait_for_loads([broker], on=False)
        state = rig.wait_for_broker(among=rig.others(broker))
        edges = rig.edges(before_ns, rig.nodes)
        assert sorted((e.node, e.load, e.on) for e in edges) == [
            (broker.name, load, False) for load in FLEXIBLE
        ]
        assert len(state["roster"]) == 3, "its floor stays reserved: its server may be drawing"


def test_controller_stopped_by_sigterm_ends_well_and_its_outputs_run_on(rig: Rig) -> None:
    with rig.scene() as broker:
        assert broker.controller is not None
        before_ns = time.monotonic_ns()
        broker.controller.send_signal(signal.SIGTERM)
        assert broker.controller.wait(15) == 0
        ended_ns = time.monotonic_ns()
        rig.wait_for_broker(among=rig.others(broker))
        rig.wait_for_loads([broker], on=False)
        edges = rig.edges(before_ns, rig.nodes)
        assert sorted((e.node, e.load, e.on) for e in edges) == [
            (broker.name, load, False) for load in FLEXIBLE
        ]
        assert min(e.t_ns for e in edges) > ended_ns, "they ran on when the controller had ended"


@pytest.mark.parametrize("leads", [True, False], ids=["broker", "member"])
def test_controller_restarted_as_planned_blinks_no_load(rig: Rig, leads: bool) -> None:
    """Fails if it is away for longer than the pledge, or if the one after it drops what is on."""
    with rig.scene() as broker:
        node = broker if leads else rig.others(broker)[0]
        assert node.controller is not None
        before_ns = time.monotonic_ns()
        node.controller.send_signal(signal.SIGTERM)
        assert node.controller.wait(15) == 0
        back_ns = time.monotonic_ns() + AWAY_NS
        other = rig.others(node)[0]
        wait_until("others trade when its grants are over", lambda: other.said("price", back_ns))
        node.start()
        rig.wait_for_broker()
        wait_until("its pledge is given back", lambda: pledges(node) == [0.0] * 3)
        rig.wait_for_loads()
        assert rig.edges(before_ns, rig.nodes) == []


def test_controller_that_hangs_loses_its_office_and_its_loads_and_comes_back_as_a_member(
    rig: Rig,
) -> None:
    with rig.scene() as hung:
        term = hung.state()["term"]
        assert hung.controller is not None
        before_ns = time.monotonic_ns()
        hung.controller.send_signal(signal.SIGSTOP)
        after = rig.wait_for_broker(among=rig.others(hung))
        rig.wait_for_loads([hung], on=False)
        hung.controller.send_signal(signal.SIGCONT)
        state = rig.wait_for_broker()
        assert (state["term"], state["broker"]) == (after["term"], after["broker"])
        assert state["term"] > term
        rig.wait_for_loads()
        assert rig.edges(before_ns, rig.others(hung)) == []


def test_firmware_killed_and_started_again_is_adopted_and_gets_its_loads_back(rig: Rig) -> None:
    with rig.scene() as broker:
        broken = rig.others(broker)[0]
        before_ns = time.monotonic_ns()
        assert broken.firmware is not None
        broken.firmware.kill()
        broken.firmware.wait(15)
        wait_until("its controller says so", lambda: "firmware" in str(broken.ask("/healthz")))
        broken.start_firmware()
        wait_until("it is adopted", lambda: broken.state()["firmware"])
        rig.wait_for_broker(broker)
        rig.wait_for_loads()
        assert broken.running
        assert rig.edges(before_ns, rig.others(broken)) == []
