"""What can go wrong in a rack: each kind a value that says what it is and does it to a `World`.

A fault says all about itself (whom, how much, for how long), so a list of them is a script that can
be written down, replayed and made smaller. Applying one is total: a fault whose victim is dead or
gone does nothing, so that any part of a script is a script.

A node is meant by its place, as in `n3`; 0 is whoever leads at that moment.

What shrinks the feed itself states how long the rack has to follow (see `checker`): an operator's
cut is told to all nodes and written into their configurations, so nothing outlives the grants of
that moment; a source that vanishes is noticed by one node, whose word the rest may miss until its
silence speaks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial

from rackgrid.core.event import CapacityChanged, LeaveRequested, OffersChanged
from rackgrid.core.settings import MS_NS
from rackgrid.market.offer import Offer
from rackgrid.simulation import recipe
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.weather import Delay, Duplication, Loss
from rackgrid.simulation.world import World

BROKER = 0
"""Whoever leads, instead of a place."""
LEAVE_NS = 4500 * MS_NS
"""After so long somebody takes a node out that was asked to leave: it had 4 s to say so."""
SHED_NS = 10 * MS_NS
"""What the links and the relays of the simulation need, amply."""
SLOW_NS = 1500 * MS_NS
"""A word that was under way when its sender's source vanished is this late at most."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A controller dies; its firmware goes on."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _meant(world, self.node):
            if seat.node is not None:
                world.kill(seat)

    def __str__(self) -> str:
        return f"{_name(self.node)} is killed"


@dataclass(frozen=True, slots=True)
class Restart:
    """A controller dies, if it lives, and starts anew with what its stores and memory kept."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _meant(world, self.node):
            if seat.node is not None:
                world.kill(seat)
            world.boot(seat)

    def __str__(self) -> str:
        return f"{_name(self.node)} restarts"


@dataclass(frozen=True, slots=True)
class PowerCycle:
    """A Pi loses power for a moment: outputs fall, its memory is gone, its clock begins anew.

    Attributes:
        uptime_ms: what its monotonic clock shows afterwards.
    """

    node: int
    uptime_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _meant(world, self.node):
            world.power_cycle(seat, self.uptime_ms * MS_NS)

    def __str__(self) -> str:
        return f"{_name(self.node)} loses power and is back at uptime {self.uptime_ms} ms"


@dataclass(frozen=True, slots=True)
class Amnesia:
    """A controller starts anew and its memory of the acked pair is gone, its outputs are not."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _meant(world, self.node):
            if seat.node is not None:
                world.kill(seat)
            seat.remembered = None
            world.boot(seat)

    def __str__(self) -> str:
        return f"{_name(self.node)} restarts and remembers nothing"


@dataclass(frozen=True, slots=True)
class Revive:
    """Every dead controller starts."""

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in list(world.seats.values()):
            if seat.node is None:
                world.boot(seat)

    def __str__(self) -> str:
        return "the dead restart"


@dataclass(frozen=True, slots=True)
class Partition:
    """Some nodes are cut off from all others, both ways."""

    nodes: tuple[int, ...]

    def apply(self, world: World) -> None:
        """Do it."""
        few = {seat.id for node in self.nodes for seat in _meant(world, node)}
        world.network.isolate(few, set(world.seats) - few)

    def __str__(self) -> str:
        return f"{', '.join(map(_name, self.nodes))} cut off"


@dataclass(frozen=True, slots=True)
class Bridge:
    """Two sides are cut from each other, and one node still hears both."""

    left: tuple[int, ...]
    shared: int

    def apply(self, world: World) -> None:
        """Do it."""
        left = {seat.id for node in self.left for seat in _meant(world, node)}
        shared = {seat.id for seat in _meant(world, self.shared)}
        world.network.isolate(left - shared, set(world.seats) - left - shared)

    def __str__(self) -> str:
        left = ", ".join(map(_name, self.left))
        return f"{left} cut off but for {_name(self.shared)}, which hears both sides"


@dataclass(frozen=True, slots=True)
class CutOneWay:
    """What one node sends to another is lost; the way back works."""

    sender: int
    to: int

    def apply(self, world: World) -> None:
        """Do it."""
        for sender in _meant(world, self.sender):
            world.network.cut |= {(sender.id, seat.id) for seat in _meant(world, self.to)}

    def __str__(self) -> str:
        return f"{_name(self.to)} no longer hears {_name(self.sender)}"


@dataclass(frozen=True, slots=True)
class Heal:
    """Every cut ends."""

    def apply(self, world: World) -> None:
        """Do it."""
        world.network.heal()

    def __str__(self) -> str:
        return "the cuts heal"


@dataclass(frozen=True, slots=True)
class SlowLink:
    """For a while all that one node sends is late."""

    node: int
    late_ms: int
    for_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _meant(world, self.node):
            world.network.slow[seat.id] = self.late_ms * MS_NS
            world.at(world.now_ns + self.for_ms * MS_NS, partial(self._end, world, seat))

    def _end(self, world: World, seat: Seat) -> None:
        world.network.slow.pop(seat.id, None)

    def __str__(self) -> str:
        return f"what {_name(self.node)} sends is {self.late_ms} ms late for {self.for_ms} ms"


@dataclass(frozen=True, slots=True)
class ClockRate:
    """A clock runs at another rate from now on."""

    node: int
    ppm: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _meant(world, self.node):
            world.change_rate(seat, self.ppm)

    def __str__(self) -> str:
        return f"the clock of {_name(self.node)} runs {self.ppm:+} ppm off"


@dataclass(frozen=True, slots=True)
class Capacity:
    """The operator cuts the feed's capacity, or gives it back: all nodes are told, and all files.

    It is followed within G even where nobody leads: what is held then expires by itself.
    """

    power_mw: int

    def apply(self, world: World) -> None:
        """Do it."""
        bound_ns = 0
        for seat in world.seats.values():
            timing = seat.settings.timing
            bound_ns = max(bound_ns, timing.stretched(timing.grant_ns) + SHED_NS)
            seat.settings = replace(seat.settings, capacity_mw=self.power_mw)
        _supply_changed(world, bound_ns)
        for seat in list(world.seats.values()):
            world.tell(seat, CapacityChanged(seat.local_ns(world.now_ns), self.power_mw))

    def __str__(self) -> str:
        return f"the feed's capacity is {self.power_mw / 1000:g} W"


@dataclass(frozen=True, slots=True)
class Sun:
    """The source that one node alone speaks for gives more, less, or nothing."""

    power_mw: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _meant(world, recipe.SUNNY):
            timing = seat.settings.timing
            bound_ns = timing.stretched(timing.absent_ns + timing.grant_ns) + SLOW_NS + SHED_NS
            grid = tuple(o for o in seat.offers if o.source != recipe.SUN)
            seat.offers = (*grid, Offer(recipe.SUN, 0, self.power_mw)) if self.power_mw else grid
            _supply_changed(world, bound_ns)
            world.tell(seat, OffersChanged(seat.local_ns(world.now_ns), seat.offers))

    def __str__(self) -> str:
        return f"the sun gives {self.power_mw / 1000:g} W"


@dataclass(frozen=True, slots=True)
class FullDraw:
    """The flexible loads of a node draw all that their nameplates allow from now on."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _meant(world, self.node):
            loads = seat.firmware.loads
            seat.firmware.loads = tuple(replace(x, draw_mw=x.spec.nominal_mw) for x in loads)
            world.truth.touched(seat)

    def __str__(self) -> str:
        return f"the loads of {_name(self.node)} draw up to their nameplates"


@dataclass(frozen=True, slots=True)
class Join:
    """A new node is plugged in; the feed's reserve covers it until it is admitted."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        if recipe.node_id(self.node) not in world.seats:
            world.add(recipe.joiner(world, self.node))

    def __str__(self) -> str:
        return f"{_name(self.node)} joins"


@dataclass(frozen=True, slots=True)
class Leave:
    """A node is asked to leave, and taken out soon after; the reserve covers it in between.

    Only a whole rack is made smaller, and the configurations of the others are told to expect one
    node less: a rack of five that never was complete waits for its fifth node, by design.
    """

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        if not all(seat.node and seat.node.state.roster.version for seat in world.seats.values()):
            return
        for seat in _meant(world, self.node):
            for other in world.seats.values():
                expect = other.settings.expect - 1
                other.settings = replace(other.settings, expect=expect)
            world.tell(seat, LeaveRequested(seat.local_ns(world.now_ns)))
            world.at(world.now_ns + LEAVE_NS, partial(self._end, world, seat))

    def _end(self, world: World, seat: Seat) -> None:
        if seat.id in world.seats:
            world.unplug(seat)

    def __str__(self) -> str:
        return f"{_name(self.node)} leaves"


Fault = (
    Kill
    | Restart
    | PowerCycle
    | Amnesia
    | Revive
    | Partition
    | Bridge
    | CutOneWay
    | Heal
    | Loss
    | Duplication
    | Delay
    | SlowLink
    | ClockRate
    | Capacity
    | Sun
    | FullDraw
    | Join
    | Leave
)


def kind(fault: Fault) -> str:
    """Name the kind of a fault, in words."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(fault).__name__).lower()


def _meant(world: World, node: int) -> list[Seat]:
    """Find who is meant: nobody, if it is not in the rack or nobody leads."""
    if node == BROKER:
        return world.brokers()
    seat = world.seats.get(recipe.node_id(node))
    return [] if seat is None else [seat]


def _name(node: int) -> str:
    return "the broker" if node == BROKER else f"n{node}"


def _supply_changed(world: World, bound_ns: int) -> None:
    """Let the checker know what the feed gives now; less is to be followed within the bound."""
    supply_mw = recipe.supply_mw(world)
    if supply_mw < world.checker.capacity_mw:
        world.checker.shrunk(world.now_ns, supply_mw, bound_ns)
    else:
        world.checker.capacity_mw = supply_mw
