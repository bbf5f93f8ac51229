"""Looks from outside for what grows without bound: a node runs for years on half a gigabyte.

Every container in a node's state is measured, whatever it is for, so that a new one cannot be
forgotten here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import cast

from rackgrid.simulation.world import World

LONGEST = 64
"""The largest bound of the core (bids and heartbeats remembered): a leak is past it in seconds."""
UNDERWAY_MAX = 1_000
"""Datagrams and timers of the whole rack; some 200 are the most that the hostile network makes."""


def swollen(world: World) -> str | None:
    """Name a container that has outgrown its bound, if there is one."""
    if len(world.heap) > UNDERWAY_MAX:
        return f"{len(world.heap)} datagrams and timers are under way"
    for seat in world.seats.values():
        if seat.node is None:
            continue
        for path, length in sizes(seat.node.state, "state"):
            if length > LONGEST:
                return f"{path} of {seat.settings.name} holds {length}"
    return None


def sizes(value: object, path: str) -> Iterator[tuple[str, int]]:
    """Walk through all that a value holds: the path and the length of each container."""
    if isinstance(value, (int, str, bytes, NoneType)):
        return
    kind: type = type(value)
    if parts := _parts(kind):
        for name in parts:
            yield from sizes(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, Collection):
        inside = cast("Collection[object]", value)
        yield path, len(inside)
        if isinstance(value, Mapping):
            inside = cast("Mapping[object, object]", value).values()
        for inner in inside:
            yield from sizes(inner, f"{path}[]")


@cache
def _parts(kind: type) -> tuple[str, ...]:
    return tuple(part.name for part in fields(kind)) if is_dataclass(kind) else ()
