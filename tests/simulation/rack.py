"""What the simulation's tests ask of a rack, beside the recipe that builds it."""

from __future__ import annotations

from rackgrid.core.settings import Timing
from rackgrid.simulation.recipe import rack, seconds
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World


def settled(
    seed: int,
    *,
    nodes: int = 5,
    capacity_w: float = 60,
    reserve_w: float = 0,
    timing: Timing | None = None,
) -> World:
    """A rack that has formed, cleared and switched for eight seconds: its book is open."""
    world = rack(seed, nodes=nodes, capacity_w=capacity_w, reserve_w=reserve_w, timing=timing)
    world.run(seconds(8))
    assert world.agreed(), world.transcript.lines[-20:]
    return world


def broker(world: World) -> Seat:
    """The one broker."""
    (leader,) = world.brokers()
    return leader


def on(world: World) -> set[str]:
    """The flexible loads that are on, as node.load."""
    return {
        f"{s.settings.name}.{load.spec.name}"
        for s in world.seats.values()
        for load, state in zip(s.firmware.loads, s.firmware.state.outputs, strict=True)
        if state.on and not load.spec.required
    }


def switches(world: World, since: int, *, but: str = "") -> list[str]:
    """Lines of the transcript from `since` on that tell of an output switched, `but` one node's."""
    return [
        line
        for line in world.transcript.lines[since:]
        if " switches " in line and line.split()[1] != (but or "-")
    ]
