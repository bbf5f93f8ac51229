"""The broker dies: one other leads soon after, and no relay moves because of it."""

from __future__ import annotations

import pytest
from tests.simulation.rack import broker, on, settled, switches

from rackgrid.simulation.network import Network
from rackgrid.simulation.recipe import rack, seconds
from rackgrid.simulation.world import World


def run_until_second_round(world: World) -> None:
    """Until every survivor has applied the second price of a new term."""
    for _ in range(3000):
        world.run(world.now_ns + 1_000_000)
        leaders = world.brokers()
        if len(leaders) == 1 and leaders[0].node is not None:
            office = leaders[0].node.state.office
            if office is not None and office.round >= 2:
                return
    raise AssertionError(world.transcript.lines[-30:])


@pytest.mark.parametrize("capacity_w", [50, 60, 80])
@pytest.mark.parametrize("seed", range(4))
def test_failover_unchanged_supply_moves_no_relay(seed: int, capacity_w: float) -> None:
    world = settled(seed, capacity_w=capacity_w)
    before, mark = on(world), len(world.transcript.lines)
    old = broker(world)
    world.kill(old)
    run_until_second_round(world)
    assert broker(world).settings.name == "n4"
    assert switches(world, mark) == []
    assert on(world) == before
    world.run(world.now_ns + seconds(6))
    # The dead node's own loads end at their deadline, and their watts find takers.
    assert all(": deadline" in line or " on: " in line for line in switches(world, mark))
    assert world.checker.violations == []


def test_failover_first_price_of_the_term_is_cleared_and_not_repeated() -> None:
    world = settled(1)
    world.kill(broker(world))
    mark = len(world.transcript.lines)
    run_until_second_round(world)
    lines = world.transcript.lines[mark:]
    elected = next(i for i, line in enumerate(lines) if "elected" in line)
    applied = next(i for i, line in enumerate(lines) if "applies" in line)
    assert elected < applied
    assert "of round 1" in lines[applied]


def test_failover_broker_and_its_heir_die_the_third_leads() -> None:
    world = settled(2)
    first = broker(world)
    world.kill(first)
    run_until_second_round(world)
    second = broker(world)
    world.kill(second)
    run_until_second_round(world)
    assert broker(world).settings.name == "n3"
    assert world.checker.violations == []


def test_failover_majority_dead_nobody_leads_and_the_rest_shed() -> None:
    world = settled(2)
    for name in ("n5", "n4", "n3"):
        world.kill(next(s for s in world.seats.values() if s.settings.name == name))
    world.run(world.now_ns + seconds(8))
    assert world.brokers() == []
    assert on(world) == set()
    assert world.checker.violations == []


def test_failover_broker_killed_and_back_at_once_leads_again_under_a_new_term() -> None:
    world = settled(3)
    old = broker(world)
    term = old.term
    world.kill(old)
    world.boot(old)
    world.run(world.now_ns + seconds(3))
    assert world.agreed()
    assert broker(world).term > term
    assert world.checker.violations == []


def test_failover_broker_flapping_loses_no_promise() -> None:
    """The highest rank comes and goes every 700 ms; the office stays with whoever is steady."""
    world = settled(4)
    flapper = broker(world)
    for _ in range(10):
        world.kill(flapper)
        world.run(world.now_ns + 350_000_000)
        world.boot(flapper)
        world.run(world.now_ns + 350_000_000)
    world.run(world.now_ns + seconds(4))
    assert world.agreed()
    assert world.checker.violations == []


@pytest.mark.parametrize("seed", range(3))
def test_idle_rack_on_a_lossy_network_elects_once(seed: int) -> None:
    """A false alarm is an election without a death; at 5 % loss three in a row are rare."""
    world = rack(seed, network=Network(loss=0.05, duplicates=0.05, jitter_ns=2_000_000))
    world.run(seconds(30))
    elected = [line for line in world.transcript.lines if "elected" in line]
    assert len(elected) == 1
    assert world.checker.violations == []
