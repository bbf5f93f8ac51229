"""Faults of the roster: nodes come and go, orderly or not, and the office changes hands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from rackgrid.core import restart
from rackgrid.core.event import (
    ForgetRequested,
    HandoverRequested,
    LeaveRequested,
    RecoverRequested,
    StopRequested,
)
from rackgrid.core.settings import MS_NS
from rackgrid.simulation import recipe
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.target import BROKER, meant, name
from rackgrid.simulation.world import World

LEAVE_NS = 4500 * MS_NS
"""After so long somebody takes a node out that was asked to leave: it had 4 s to say so."""
FORGET_NS = 2000 * MS_NS
"""Between two times that an operator says that a node is gone."""
FORGET_TIMES = 12
STOP_NS = 10_000 * MS_NS
"""Who has not gone so long after it was told to stop is killed."""
LOOK_NS = 10 * MS_NS


@dataclass(frozen=True, slots=True)
class Join:
    """A new node is plugged in; the feed's reserve covers it until it is admitted."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        if recipe.node_id(self.node) not in world.seats:
            world.add(recipe.joiner(world, self.node))

    def __str__(self) -> str:
        return f"{name(self.node)} joins"


@dataclass(frozen=True, slots=True)
class Clone:
    """A new Pi starts with a copy of another's SD card: its identity, its roster, its terms."""

    node: int
    of: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.of):
            if recipe.node_id(self.node) not in world.seats:
                twin = recipe.joiner(world, self.node)
                twin.identity, twin.offers = seat.identity, seat.offers
                twin.settings = replace(seat.settings, name=twin.settings.name)
                twin.roster, twin.terms_until = seat.roster, seat.terms_until
                world.add(twin)

    def __str__(self) -> str:
        return f"{name(self.node)} starts with a copy of {name(self.of)}'s SD card"


@dataclass(frozen=True, slots=True)
class HandOver:
    """The operator wants another broker."""

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, BROKER):
            world.tell(seat, HandoverRequested(seat.local_ns(world.now_ns)))

    def __str__(self) -> str:
        return "the broker is asked to hand over"


@dataclass(frozen=True, slots=True)
class Scrap:
    """A node is taken out of the rack for good, unasked, and an operator says so to another."""

    node: int
    told: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _goers(world, self.node):
            world.unplug(seat)
            world.at(world.now_ns + FORGET_NS, partial(self._say, world, seat, FORGET_TIMES))

    def _say(self, world: World, gone: Seat, times: int) -> None:
        """Say it, and say it again while somebody still counts with it: as a person would."""
        told = next((s for s in meant(world, self.told) if s.node), None)
        if told is None:
            told = next((s for s in world.seats.values() if s.node), None)
        if told is not None:
            world.tell(told, ForgetRequested(told.local_ns(world.now_ns), gone.id))
        known = [s for s in world.seats.values() if s.node and s.node.state.roster.line(gone.id)]
        if known and times:
            again = partial(self._say, world, gone, times - 1)
            world.at(world.now_ns + FORGET_NS, again)

    def __str__(self) -> str:
        return f"{name(self.node)} is scrapped, and {name(self.told)} is told to forget it"


@dataclass(frozen=True, slots=True)
class Wreck:
    """Several nodes are gone at once and for good, and an operator forms the roster anew.

    A person who recovers states that every node which is not heard is off. So this one looks first:
    whoever is left runs, hears, and is heard by the node that is told.
    """

    nodes: tuple[int, ...]
    told: int

    def apply(self, world: World) -> None:
        """Do it."""
        goers = [seat for node in self.nodes for seat in _goers(world, node)]
        for seat in goers:
            world.unplug(seat)
        if goers:
            world.at(world.now_ns + FORGET_NS, partial(self._say, world, FORGET_TIMES))

    def _say(self, world: World, times: int) -> None:
        """Say it once all that are left can be seen, unless a majority was left after all."""
        if world.brokers() and world.agreed():
            return
        for told in meant(world, self.told):
            if told.node is not None and _hears_all(world, told):
                world.tell(told, RecoverRequested(told.local_ns(world.now_ns)))
        if times:
            world.at(world.now_ns + FORGET_NS, partial(self._say, world, times - 1))

    def __str__(self) -> str:
        gone = ", ".join(map(name, self.nodes))
        return f"{gone} are gone for good, and {name(self.told)} is told to recover"


@dataclass(frozen=True, slots=True)
class Leave:
    """A node is asked to leave, and taken out soon after; the reserve covers it in between."""

    node: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in _goers(world, self.node):
            world.tell(seat, LeaveRequested(seat.local_ns(world.now_ns)))
            world.at(world.now_ns + LEAVE_NS, partial(self._end, world, seat))

    def _end(self, world: World, seat: Seat) -> None:
        if seat.id in world.seats:
            world.unplug(seat)

    def __str__(self) -> str:
        return f"{name(self.node)} leaves"


def _hears_all(world: World, told: Seat) -> bool:
    """Whether this node hears every other that is still in the rack, and they run."""
    assert told.node is not None, "the dead hear nobody"
    now_ns = told.local_ns(world.now_ns)
    heard = {told.id, *(peer.node for peer in told.node.state.live(now_ns))}
    return all(seat.node and seat.id in heard for seat in world.seats.values())


@dataclass(frozen=True, slots=True)
class PlannedRestart:
    """A controller is told to stop, goes when it is ready to, and is started some time later.

    Attributes:
        down_ms: from its end, or from when it is ended by force because it did not go.
    """

    node: int
    down_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        for seat in meant(world, self.node):
            if seat.node is None:
                continue
            life, timing = seat.life, seat.settings.timing
            held_ns = timing.stretched(timing.restart_ns) + timing.margin_ns
            until_ns = world.now_ns + restart.PATIENCE_NS + held_ns
            world.checker.pledged(world.now_ns, until_ns)
            if world.now_ns >= seat.pledged_until_ns:
                seat.pledged_life = life
            seat.pledged_until_ns = until_ns
            world.tell(seat, StopRequested(seat.local_ns(world.now_ns)))
            self._watch(world, seat, life, world.now_ns + STOP_NS)

    def _watch(self, world: World, seat: Seat, life: int, until_ns: int) -> None:
        """Look whether it has gone; who does not go in time is killed, as its init would."""
        if seat.life != life or seat.id not in world.seats:
            return
        if seat.node is not None and world.now_ns < until_ns:
            world.at(world.now_ns + LOOK_NS, partial(self._watch, world, seat, life, until_ns))
            return
        if seat.node is not None:
            world.kill(seat)
        world.at(world.now_ns + self.down_ms * MS_NS, partial(self._back, world, seat, life))

    def _back(self, world: World, seat: Seat, life: int) -> None:
        if seat.life == life and seat.id in world.seats:
            world.boot(seat)

    def __str__(self) -> str:
        return f"{name(self.node)} is restarted, and away for {self.down_ms} ms"


def _goers(world: World, node: int) -> list[Seat]:
    """Find who goes, and let the others' configurations expect one node less.

    Nobody, while the rack is not whole: one of five that never was founded waits for its fifth
    node, by design.
    """
    running = [seat.node for seat in world.seats.values() if seat.node]
    if len(running) < len(world.seats) or any(node.state.founds for node in running):
        return []
    goers = meant(world, node)
    for seat in world.seats.values():
        seat.settings = replace(seat.settings, expect=seat.settings.expect - len(goers))
    return goers
