"""Whom a fault means: a node by its place, as in `n3`; 0 is whoever leads at that moment."""

from __future__ import annotations

from rackgrid.simulation import recipe
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World

BROKER = 0
"""Whoever leads, instead of a place."""


def meant(world: World, node: int) -> list[Seat]:
    """Find who is meant: nobody, if it is not in the rack or nobody leads."""
    if node == BROKER:
        return world.brokers()
    seat = world.seats.get(recipe.node_id(node))
    return [] if seat is None else [seat]


def name(node: int) -> str:
    """Name it in a script."""
    return "the broker" if node == BROKER else f"n{node}"
