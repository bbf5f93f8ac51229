"""Faults of the feed, and how long the rack has to follow."""

from __future__ import annotations

import pytest
from tests.unit.controller.simulation.small import at, three

from rackgrid.simulation.fault import Kill, Partition, Revive
from rackgrid.simulation.feed import Capacity, OneWord, Sun
from rackgrid.simulation.recipe import SUN, WATT, seconds
from rackgrid.simulation.world import World


@pytest.fixture
def world() -> World:
    """Three nodes that have formed; n2 speaks for the sun."""
    return three()


def test_capacity_cut_is_followed_and_given_back(world: World) -> None:
    Capacity(24 * WATT).apply(world)
    assert world.checker.capacity_mw == 24 * WATT
    assert world.checker.limit_mw(world.now_ns) == 36 * WATT
    world.run(world.now_ns + seconds(9))
    assert world.checker.limit_mw(world.now_ns) == 24 * WATT
    Capacity(36 * WATT).apply(world)
    assert world.checker.limit_mw(world.now_ns) == 36 * WATT
    assert world.checker.violations == []


def test_sun_that_vanishes_makes_the_feed_smaller(world: World) -> None:
    Sun(0).apply(world)
    assert world.checker.capacity_mw == 27 * WATT
    world.run(world.now_ns + seconds(6))
    Sun(9 * WATT).apply(world)
    assert world.checker.capacity_mw == 36 * WATT
    assert world.checker.violations == []


def limits(world: World) -> list[int]:
    """What each node that runs goes by, mW."""
    return [seat.node.state.agent.limit.power_mw for seat in world.seats.values() if seat.node]


def test_capacity_is_told_to_whoever_starts_later(world: World) -> None:
    Kill(1).apply(world)
    Capacity(30 * WATT).apply(world)
    Revive().apply(world)
    assert limits(world) == [30 * WATT] * 3


def test_one_word_is_agreed_and_reaches_who_starts_later_by_the_roster(world: World) -> None:
    Kill(2).apply(world)
    OneWord(1, 30 * WATT).apply(world)
    assert limits(world) == [30 * WATT, 0]
    world.run(world.now_ns + seconds(1.5))
    assert not world.told_all
    Revive().apply(world)
    world.run(world.now_ns + seconds(1))
    assert limits(world) == [30 * WATT] * 3
    assert world.checker.violations == []


def test_one_word_that_nobody_hears_is_said_to_all(world: World) -> None:
    Partition((1,)).apply(world)
    OneWord(1, 30 * WATT).apply(world)
    world.run(world.now_ns + seconds(0.9))
    assert limits(world)[1:] == [0, 0]
    world.run(world.now_ns + seconds(0.2))
    assert world.told_all
    assert limits(world) == [30 * WATT] * 3


def test_one_word_is_looked_after_only_while_it_is_the_last(world: World) -> None:
    Partition((1,)).apply(world)
    OneWord(1, 30 * WATT).apply(world)
    Capacity(33 * WATT).apply(world)
    world.run(world.now_ns + seconds(2))
    assert world.limit_mw == 33 * WATT


def test_sun_is_the_word_of_one_node_alone(world: World) -> None:
    Sun(5 * WATT).apply(world)
    speakers = [
        s.settings.name for s in world.seats.values() if SUN in {o.source for o in s.offers}
    ]
    assert speakers == ["n2"]
    world.unplug(at(world, 2))
    Sun(0).apply(world)
