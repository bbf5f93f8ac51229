"""Faults inside a node: its process pauses, its disk stalls or loses, its copper and meters lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from rackgrid.core.roster import NO_ROSTER
from rackgrid.core.settings import MS_NS
from rackgrid.simulation.seat import DISK_NS, Seat
from rackgrid.simulation.target import meant, name
from rackgrid.simulation.world import World
from rackgrid_firmware.device import Quality


@dataclass(frozen=True, slots=True)
class Pause:
    """A controller stands still for a while: SIGSTOP, a stalled disk, a busy machine.

    Attributes:
        deciding: it does so between a clearing's decision and its sending.
    """

    node: int
    for_ms: int
    deciding: bool

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            if seat.node is None:
                continue
            if self.deciding:
                seat.stall_ns = self.for_ms * MS_NS
            else:
                world.freeze(seat, self.for_ms * MS_NS)

    def __str__(self) -> str:
        when = "between deciding and sending" if self.deciding else "where it is"
        return f"{name(self.node)} stands still for {self.for_ms} ms, {when}"


@dataclass(frozen=True, slots=True)
class FirmwareHang:
    """A firmware hangs, and keeps no deadline, until its watchdog ends it and opens its outputs."""

    node: int
    for_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            world.hang(seat, self.for_ms * MS_NS)

    def __str__(self) -> str:
        return f"the firmware of {name(self.node)} hangs for {self.for_ms} ms"


@dataclass(frozen=True, slots=True)
class DiskStall:
    """For a while each write takes long."""

    node: int
    each_ms: int
    for_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            seat.disk_ns = self.each_ms * MS_NS
            world.at(world.now_ns + self.for_ms * MS_NS, partial(self._end, seat))

    def _end(self, seat: Seat) -> None:
        seat.disk_ns = DISK_NS

    def __str__(self) -> str:
        return f"each write of {name(self.node)} takes {self.each_ms} ms for {self.for_ms} ms"


@dataclass(frozen=True, slots=True)
class LostRoster:
    """A controller starts anew, and its disk has lost the roster."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            if seat.node is not None:
                world.kill(seat)
            seat.roster = NO_ROSTER
            world.boot(seat)

    def __str__(self) -> str:
        return f"{name(self.node)} restarts and has lost its roster"


@dataclass(frozen=True, slots=True)
class LostDisk:
    """A Pi loses power, and its disk all that was on it: the roster, and the terms it had reserved.

    Nobody could tell its first terms from those that it had before, but by its new boot id: so the
    checker forgets them, too.
    """

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            seat.roster, seat.writing = NO_ROSTER, None
            seat.terms_until, seat.term = 1, 0
            world.power_cycle(seat)

    def __str__(self) -> str:
        return f"{name(self.node)} loses power and all that was on its disk"


@dataclass(frozen=True, slots=True)
class BadMeter:
    """For a while every meter of a node is stale, or reads nothing, or far too much."""

    node: int
    how: str
    for_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            seat.firmware.quality = Quality.STALE if self.how == "stale" else Quality.FRESH
            seat.firmware.misread = {"nothing": 0.0, "too much": 1000.0}.get(self.how, 1.0)
            world.at(world.now_ns + self.for_ms * MS_NS, partial(self._end, seat))

    def _end(self, seat: Seat) -> None:
        seat.firmware.quality, seat.firmware.misread = Quality.FRESH, 1.0

    def __str__(self) -> str:
        what = "are stale" if self.how == "stale" else f"read {self.how}"
        return f"the meters of {name(self.node)} {what} for {self.for_ms} ms"


@dataclass(frozen=True, slots=True)
class Liar:
    """A load draws more than its nameplate from now on.

    Its excess is physics: for `truth.REACT_NS` it may come on top, each time that it starts.
    """

    node: int
    load: str
    percent: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            loads = seat.firmware.loads
            seat.firmware.loads = tuple(
                replace(x, draw_mw=x.spec.nominal_mw * self.percent // 100)
                if x.spec.name == self.load
                else x
                for x in loads
            )
            world.truth.surprised(seat)

    def __str__(self) -> str:
        return f"the {self.load} of {name(self.node)} draws {self.percent} % of its nameplate"


@dataclass(frozen=True, slots=True)
class Weld:
    """A contact welds: from now on its load draws whatever the pin says."""

    node: int
    load: str

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            seat.firmware.welded = seat.firmware.welded | {self.load}
            world.truth.surprised(seat)

    def __str__(self) -> str:
        return f"the contact of {name(self.node)}'s {self.load} welds"
