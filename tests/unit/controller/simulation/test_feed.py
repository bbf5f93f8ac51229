"""Faults of the feed, and how long the rack has to follow."""

from __future__ import annotations

import pytest
from tests.unit.controller.simulation.small import at, three

from rackgrid.simulation.feed import Capacity, Sun
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


def test_capacity_is_written_into_every_configuration(world: World) -> None:
    Capacity(30 * WATT).apply(world)
    assert {seat.settings.capacity_mw for seat in world.seats.values()} == {30 * WATT}


def test_sun_is_the_word_of_one_node_alone(world: World) -> None:
    Sun(5 * WATT).apply(world)
    speakers = [
        s.settings.name for s in world.seats.values() if SUN in {o.source for o in s.offers}
    ]
    assert speakers == ["n2"]
    world.unplug(at(world, 2))
    Sun(0).apply(world)
