"""Faults of the feed: its capacity is cut, its sun goes, its loads want all they may.

What shrinks the feed states how long the rack has to follow (see `checker`): an operator's cut is
told to all nodes, or to one and agreed, so nothing outlives the grants of that moment; a source
that vanishes is noticed by one node, whose word the rest may miss until its silence speaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from rackgrid.core.event import CapacityChanged, OffersChanged
from rackgrid.core.settings import MS_NS
from rackgrid.market.offer import Offer
from rackgrid.simulation import recipe
from rackgrid.simulation.target import meant, name
from rackgrid.simulation.world import World

SHED_NS = 10 * MS_NS
"""What the links and the relays of the simulation need, amply."""
AGREED_NS = 1000 * MS_NS
"""So long an operator waits for the rack to agree."""
SLOW_NS = 1500 * MS_NS
"""A word that was under way when its sender's source vanished is this late at most."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The operator cuts the feed's capacity, or gives it back: who runs is told, and who starts.

    It is followed in a moment where all are heard. Else a broker sheds others for a silent node
    once that is absent, its successor renews what is reported, and what it never hears of runs out:
    with a firmware that hangs, after all these times together.
    """

    power_mw: int

    def apply(self, world: World) -> None:
        """Do it."""
        world.limit_mw, world.told_all = self.power_mw, True
        _supply_changed(world, _cut_ns(world))
        for seat in list(world.seats.values()):
            world.tell_limit(seat)

    def __str__(self) -> str:
        return f"the feed's capacity is {self.power_mw / 1000:g} W"


@dataclass(frozen=True, slots=True)
class OneWord:
    """The operator tells one node alone, and the others only if the rack does not agree on it.

    Who starts later is told nothing: what was agreed is kept.
    """

    node: int
    power_mw: int

    def apply(self, world: World) -> None:
        """Do it."""
        told = [seat for seat in meant(world, self.node) if seat.node]
        if not told:
            return
        world.limit_mw, world.told_all = self.power_mw, False
        _supply_changed(world, AGREED_NS + _cut_ns(world))
        for seat in told:
            world.tell(seat, CapacityChanged(seat.local_ns(world.now_ns), self.power_mw))
        world.at(world.now_ns + AGREED_NS, partial(self._look, world))

    def _look(self, world: World) -> None:
        """Do as `rackgrid capacity` does: look whether the rack has agreed, or say so."""
        if world.told_all or world.limit_mw != self.power_mw:
            return  # another word has followed
        offices = [seat.node.state.office for seat in world.brokers() if seat.node]
        agreed = [office.agreement.base.limit.power_mw for office in offices if office]
        if agreed != [self.power_mw]:
            Capacity(self.power_mw).apply(world)

    def __str__(self) -> str:
        return f"{name(self.node)} alone is told that the feed gives {self.power_mw / 1000:g} W"


@dataclass(frozen=True, slots=True)
class Sun:
    """The source that one node alone speaks for gives more, less, or nothing."""

    power_mw: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, recipe.SUNNY):
            timing = seat.settings.timing
            bound_ns = timing.stretched(timing.absent_ns + timing.grant_ns) + SLOW_NS + SHED_NS
            grid = tuple(o for o in seat.offers if o.source != recipe.SUN)
            seat.offers = (*grid, Offer(recipe.SUN, 0, self.power_mw)) if self.power_mw else grid
            _supply_changed(world, bound_ns)
            world.tell(seat, OffersChanged(seat.local_ns(world.now_ns), seat.offers))

    def __str__(self) -> str:
        return f"the sun gives {self.power_mw / 1000:g} W"


def _cut_ns(world: World) -> int:
    """How long a cut may be overdrawn where nodes are not heard."""
    bound_ns = 0
    for seat in world.seats.values():
        timing = seat.settings.timing
        away_ns = timing.absent_ns + timing.authority_ns + timing.grant_ns
        bound_ns = max(bound_ns, timing.stretched(away_ns) + timing.margin_ns + SHED_NS)
    return bound_ns


def _supply_changed(world: World, bound_ns: int) -> None:
    """Let the checker know what the feed gives now; less is to be followed within the bound."""
    supply_mw = recipe.supply_mw(world)
    if supply_mw < world.checker.capacity_mw:
        world.checker.shrunk(world.now_ns, supply_mw, bound_ns)
    else:
        world.checker.capacity_mw = supply_mw
