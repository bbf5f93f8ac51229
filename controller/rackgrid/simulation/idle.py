"""Looks from outside for loads that are off though they might run: a market that forgets somebody.

A load is idle when nothing holds it back: it is well, its guards let it switch, it is worth the
price that its node knows, and what it takes to start is free by the true sums. For a moment that is
as it should be (a round, a stagger, watts that have just come free); for long it is not.
"""

from __future__ import annotations

from rackgrid.core.settings import MS_NS
from rackgrid.simulation import recipe
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.truth import held_mw
from rackgrid.simulation.world import World
from rackgrid.wire.message import PledgeLine
from rackgrid_firmware.device import Quality

LOOK_NS = 250 * MS_NS
"""Between two looks."""
IDLE_NS = 3_000 * MS_NS
"""Idle for so long is too long: several rounds, and each load's turn to start."""


def idle(world: World) -> frozenset[str]:
    """Name the loads that are off for no reason now.

    Where meters are wrong, loads draw what they should not, somebody is away who may speak for a
    source, or a boot that has ended counts beside its heir, the rack knows of less room than there
    is: nobody is named then.
    """
    seats = world.seats.values()
    if not all(_is_well(seat) and not _is_counted_twice(world, seat) for seat in seats):
        return frozenset()
    room_mw = _room_mw(world)
    return frozenset(
        name for seat in world.seats.values() for name in _idle_at(world, seat, room_mw)
    )


def overlooked(world: World) -> frozenset[str]:
    """Let `IDLE_NS` pass, and name the loads that were idle at each look."""
    names = idle(world)
    for _ in range(IDLE_NS // LOOK_NS):
        world.run(world.now_ns + LOOK_NS)
        names &= idle(world)
    return names


def _is_well(seat: Seat) -> bool:
    firmware = seat.firmware
    reads_right = firmware.quality is Quality.FRESH and firmware.misread == 1.0
    return reads_right and not firmware.surprise_mw() and seat.node is not None


def _is_counted_twice(world: World, seat: Seat) -> bool:
    """Whether a boot may count beside its heir that had reported what an earlier one's pledge held.

    It reported that until the pledge's end, which is further off than a grant's; and it has ended.
    """
    return seat.life > seat.pledged_life + 1 and world.now_ns < seat.pledged_until_ns


def _room_mw(world: World) -> int:
    """What the feed could give beyond all that is held, mW.

    The floors of those away are held, and what was pledged to a node that restarts.
    """
    taken_mw = sum(held_mw(seat, world.now_ns) for seat in world.seats.values())
    away_mw = reserve_mw = 0
    for broker in world.brokers():
        assert broker.node is not None, "the dead do not lead"
        roster = broker.node.state.roster
        away_mw = sum(line.floor_mw for line in roster.lines if line.node not in world.seats)
        away_mw += sum(_unused_mw(world, pledge) for pledge in roster.pledges)
        reserve_mw = broker.settings.reserve_mw
    return recipe.supply_mw(world) - reserve_mw - taken_mw - away_mw


def _unused_mw(world: World, pledge: PledgeLine) -> int:
    seat = world.seats.get(pledge.node)
    above_mw = held_mw(seat, world.now_ns) - seat.firmware.floor_mw if seat else 0
    return max(0, pledge.power_mw - above_mw)


def _idle_at(world: World, seat: Seat, room_mw: int) -> list[str]:
    state = seat.node.state if seat.node else None
    if state is None or state.agent.price is None:
        return []
    now_ns, price_uc = seat.local_ns(world.now_ns), state.agent.price.price_uc
    worth_uc = {load.output: load.worth_uc for load in seat.settings.loads}
    names: list[str] = []
    for load, output in zip(seat.firmware.loads, seat.firmware.states(), strict=True):
        worth = worth_uc[load.spec.name]
        is_free = not output.on and output.may_switch_ns <= now_ns
        is_worth_it = worth is not None and worth >= price_uc
        if is_free and is_worth_it and load.spec.inrush_mw <= room_mw:
            names.append(f"{load.spec.name} of {seat.settings.name}")
    return names
