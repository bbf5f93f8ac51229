"""What can go wrong in a rack: each kind a value that says what it is and does it to a `World`.

A fault says all about itself (whom, how much, for how long), so a list of them is a script that can
be written down, replayed and made smaller. Applying one is total: a fault whose victim is dead or
gone does nothing, so that any part of a script is a script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial

from rackgrid.core.settings import MS_NS
from rackgrid.simulation.feed import Capacity, OneWord, Sun
from rackgrid.simulation.guest import (
    Clone,
    HandOver,
    Join,
    Leave,
    PlannedRestart,
    Scrap,
    Wreck,
)
from rackgrid.simulation.mishap import (
    BadMeter,
    DiskStall,
    FirmwareHang,
    Liar,
    LostDisk,
    LostRoster,
    Pause,
    Weld,
)
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.target import meant, name
from rackgrid.simulation.weather import Delay, Duplication, Loss
from rackgrid.simulation.world import World


@dataclass(frozen=True, slots=True)
class Kill:
    """A controller dies; its firmware goes on."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            if seat.node is not None:
                world.kill(seat)

    def __str__(self) -> str:
        return f"{name(self.node)} is killed"


@dataclass(frozen=True, slots=True)
class Restart:
    """A controller dies, if it lives, and starts anew with what its stores and memory kept."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            if seat.node is not None:
                world.kill(seat)
            world.boot(seat)

    def __str__(self) -> str:
        return f"{name(self.node)} restarts"


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
        for seat in meant(world, self.node):
            world.power_cycle(seat, self.uptime_ms * MS_NS)

    def __str__(self) -> str:
        return f"{name(self.node)} loses power and is back at uptime {self.uptime_ms} ms"


@dataclass(frozen=True, slots=True)
class Amnesia:
    """A controller starts anew and its memory of the acked pair is gone, its outputs are not."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            if seat.node is not None:
                world.kill(seat)
            seat.remembered = None
            world.boot(seat)

    def __str__(self) -> str:
        return f"{name(self.node)} restarts and remembers nothing"


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
        few = {seat.id for node in self.nodes for seat in meant(world, node)}
        world.network.isolate(few, set(world.seats) - few)

    def __str__(self) -> str:
        return f"{', '.join(map(name, self.nodes))} cut off"


@dataclass(frozen=True, slots=True)
class Bridge:
    """Two sides are cut from each other, and one node still hears both."""

    left: tuple[int, ...]
    shared: int

    def apply(self, world: World) -> None:
        """Do it."""
        left = {seat.id for node in self.left for seat in meant(world, node)}
        shared = {seat.id for seat in meant(world, self.shared)}
        world.network.isolate(left - shared, set(world.seats) - left - shared)

    def __str__(self) -> str:
        left = ", ".join(map(name, self.left))
        return f"{left} cut off but for {name(self.shared)}, which hears both sides"


@dataclass(frozen=True, slots=True)
class CutOneWay:
    """What one node sends to another is lost; the way back works."""

    sender: int
    to: int

    def apply(self, world: World) -> None:
        """Do it."""
        for sender in meant(world, self.sender):
            world.network.cut |= {(sender.id, seat.id) for seat in meant(world, self.to)}

    def __str__(self) -> str:
        return f"{name(self.to)} no longer hears {name(self.sender)}"


@dataclass(frozen=True, slots=True)
class Deaf:
    """A switch forgets that these nodes are in the group: only unicast reaches them (IGMP)."""

    nodes: tuple[int, ...]

    def apply(self, world: World) -> None:
        """Do it."""
        world.network.deaf |= {seat.id for node in self.nodes for seat in meant(world, node)}

    def __str__(self) -> str:
        return f"no multicast reaches {', '.join(map(name, self.nodes))}"


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
        for seat in meant(world, self.node):
            world.network.slow[seat.id] = self.late_ms * MS_NS
            world.at(world.now_ns + self.for_ms * MS_NS, partial(self._end, world, seat))

    def _end(self, world: World, seat: Seat) -> None:
        world.network.slow.pop(seat.id, None)

    def __str__(self) -> str:
        return f"what {name(self.node)} sends is {self.late_ms} ms late for {self.for_ms} ms"


@dataclass(frozen=True, slots=True)
class ClockRate:
    """A clock runs at another rate from now on."""

    node: int
    ppm: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            world.change_rate(seat, self.ppm)

    def __str__(self) -> str:
        return f"the clock of {name(self.node)} runs {self.ppm:+} ppm off"


@dataclass(frozen=True, slots=True)
class FullDraw:
    """The flexible loads of a node draw all that their nameplates allow from now on."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            loads = seat.firmware.loads
            seat.firmware.loads = tuple(replace(x, draw_mw=x.spec.nominal_mw) for x in loads)
            world.truth.touched(seat)

    def __str__(self) -> str:
        return f"the loads of {name(self.node)} draw up to their nameplates"


Fault = (
    Kill
    | Restart
    | PowerCycle
    | Amnesia
    | Revive
    | Partition
    | Bridge
    | CutOneWay
    | Deaf
    | Heal
    | Loss
    | Duplication
    | Delay
    | SlowLink
    | ClockRate
    | Capacity
    | OneWord
    | Sun
    | FullDraw
    | Clone
    | Join
    | Leave
    | HandOver
    | Scrap
    | Wreck
    | PlannedRestart
    | Pause
    | FirmwareHang
    | DiskStall
    | LostDisk
    | LostRoster
    | BadMeter
    | Liar
    | Weld
)


def kind(fault: Fault) -> str:
    """Name the kind of a fault, in words."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(fault).__name__).lower()
