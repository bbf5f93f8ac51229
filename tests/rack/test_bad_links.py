"""Links that lose, double, delay and reorder, and a broker that is killed in the midst of it."""

from __future__ import annotations

import select
import time

import pytest
from tests.rack.cables import Cables
from tests.rack.rig import Rig, RigNode, wait_until
from tests.rack.switch import Switch, Weather
from tests.rack.tight import TRADE_S, assert_bound, tight, wait_settled

pytestmark = pytest.mark.root

WHILE_S = 3.0
"""How long the weather lasts before and after the broker's death."""


def succeeded(rig: Rig, killed: RigNode, term: int, since_ns: int) -> bool:
    """Whether another has taken the office since then."""
    roles = [x for node in rig.others(killed) for x in node.said("role", since_ns)]
    return any(x["role"] == "broker" and x["term"] > term for x in roles)


def kill_the_broker(rig: Rig, broker: RigNode) -> None:
    """Kill it, wait for a successor, start it again."""
    term, before_ns = broker.state()["term"], time.monotonic_ns()
    broker.kill()
    wait_until("a successor", lambda: succeeded(rig, broker, term, before_ns), TRADE_S)
    broker.start()


def test_links_that_lose_a_third_and_a_broker_killed_keep_the_limit_and_what_is_required() -> None:
    with tight() as rig:
        cables = Cables(rig.lan)
        rig.start()
        broker = wait_settled(rig)
        before = cables.passed()
        cables.lose(30)
        select.select([], [], [], WHILE_S)
        kill_the_broker(rig, broker)
        select.select([], [], [], WHILE_S)
        lost, passed = cables.lost(), cables.passed() - before
        cables.heal()
        assert lost > 100
        assert lost / (lost + passed) == pytest.approx(0.3, abs=0.1)
        wait_settled(rig)
        assert_bound(rig)


def test_links_that_double_delay_and_reorder_keep_the_limit_and_the_rack_trades_on_them() -> None:
    weather = Weather(doubled=0.2, delay_s=0.08)
    with tight() as rig, Switch(rig.lan, weather, seed=1) as switch:
        rig.start()
        broker = wait_settled(rig)
        kill_the_broker(rig, broker)
        wait_settled(rig)
        count = switch.count()
        assert count.doubled > 100
        assert count.overtaken > 100
        refused = [node.state()["rejected"].get("replayed", 0) for node in rig.nodes]
        assert sum(refused) > 0, "the doubles are counted"
        assert_bound(rig)
