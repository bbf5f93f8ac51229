"""Props of the faults' tests: a rack of three, and a short run without a fault."""

from __future__ import annotations

from rackgrid.simulation import recipe
from rackgrid.simulation.recipe import node_id, seconds
from rackgrid.simulation.script import Script
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World

QUIET = Script(seed=1, nodes=3, seconds=18, capacity_mw=36_000)


def three() -> World:
    """Three nodes that have formed; n3 leads, n2 speaks for the sun."""
    world = recipe.rack(1, nodes=3, capacity_w=36, reserve_w=5, sun_w=9)
    world.run(seconds(5))
    assert world.agreed()
    return world


def at(world: World, index: int) -> Seat:
    """A node by its place."""
    return world.seats[node_id(index)]
