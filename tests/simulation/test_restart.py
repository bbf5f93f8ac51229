"""A planned restart, from its first asking to the return of its loads under the market's grants."""

from __future__ import annotations

import pytest
from tests.simulation.rack import broker, on, settled, switches

from rackgrid.simulation.fault import Kill
from rackgrid.simulation.feed import Capacity
from rackgrid.simulation.guest import PlannedRestart
from rackgrid.simulation.recipe import node_id, seconds
from rackgrid.simulation.world import World

AWAY_MS = 8000
"""Far beyond a grant, and within a pledge."""


def restarted(world: World, node: int, away_ms: int = AWAY_MS) -> list[str]:
    """Restart a node as planned, wait until all is as it was; which outputs were switched?"""
    since = len(world.transcript.lines)
    PlannedRestart(node, away_ms).apply(world)
    world.run(world.now_ns + seconds(away_ms / 1000 + 12))
    assert world.checker.violations == []
    assert world.agreed()
    return switches(world, since)


def pledges(world: World) -> set[int]:
    """The nodes whose pledges stand in any running node's roster."""
    running = [seat.node.state for seat in world.seats.values() if seat.node]
    return {pledge.node for state in running for pledge in state.roster.pledges}


@pytest.mark.parametrize("node", range(1, 6))
def test_restart_of_eight_seconds_on_an_unchanged_feed_switches_no_load(node: int) -> None:
    """Fails if a load blinks: at the stop, while its node is away, at its return, or elsewhere."""
    world = settled(1, capacity_w=50)
    before = on(world)
    assert any(name.startswith(f"n{index}.") for index in (4, 5) for name in before)
    assert restarted(world, node) == []
    assert on(world) == before
    assert pledges(world) == set()


def test_restart_of_a_whole_rack_one_by_one_switches_no_load() -> None:
    """An upgrade, node by node, the broker of the day among them."""
    world = settled(2, capacity_w=50)
    assert [line for node in range(1, 6) for line in restarted(world, node, 3000)] == []


def test_restart_that_takes_longer_than_its_pledge_ends_its_loads_and_frees_their_watts() -> None:
    world = settled(1, capacity_w=50)
    since = len(world.transcript.lines)
    PlannedRestart(5, 60_000).apply(world)
    world.run(world.now_ns + seconds(14))
    assert switches(world, since) == []
    assert pledges(world) == {node_id(5)}
    world.run(world.now_ns + seconds(8))
    ended = [line for line in switches(world, since) if " n5 " in line]
    assert len(ended) == 2
    assert all(line.endswith("off: deadline") for line in ended)
    assert pledges(world) == set()
    assert switches(world, since, but="n5"), "others have what it no longer holds"
    assert world.checker.violations == []


def test_restart_is_outlived_by_its_pledge_when_the_broker_dies() -> None:
    """Fails if the next broker gives away what the one before it has agreed."""
    world = settled(1, capacity_w=50)
    since = len(world.transcript.lines)
    PlannedRestart(4, AWAY_MS).apply(world)
    world.run(world.now_ns + seconds(0.6))
    assert world.seats[node_id(4)].node is None
    Kill(5).apply(world)
    world.run(world.now_ns + seconds(18))
    assert broker(world).settings.name == "n3", "it has to know of a pledge that it did not agree"
    assert world.seats[node_id(4)].node is not None
    assert [line for line in switches(world, since) if " n4 " in line and " off: " in line] == []
    assert world.checker.violations == []


@pytest.mark.parametrize("node", [4, 5], ids=["member", "broker"])
def test_restart_on_a_feed_that_is_cut_waits_for_what_has_to_be_shed(node: int) -> None:
    """Fails if what has to give way is made to last: the feed comes first (P8)."""
    world = settled(1, capacity_w=50)
    Capacity(34_000).apply(world)
    PlannedRestart(node, AWAY_MS).apply(world)
    world.run(world.now_ns + seconds(2))
    state = broker(world).node
    assert state is not None
    roster = state.state.roster
    assert roster.floors_mw + sum(pledge.power_mw for pledge in roster.pledges) <= 34_000
    drawn_mw = sum(s.firmware.total_mw(s.local_ns(world.now_ns)) for s in world.seats.values())
    assert drawn_mw <= 34_000
    assert world.checker.violations == []
