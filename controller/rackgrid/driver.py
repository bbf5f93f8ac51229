"""The driver: one queue in, `node.handle`, actions out, in order.

It is the only caller of the core. It knows ports, not adapters: whatever sends a datagram, commands
a firmware, keeps a promise or tells a person is handed to it. Each event is handled and its actions
are carried out before the next one is looked at, so that a promise is kept before the message that
relies on it leaves.

Sockets are drained before time is let pass: a heartbeat that waits in the kernel's buffer is no
silence. A loop that ran late says so to the core, which then accuses nobody.

What cannot be helped ends the driver: a promise that cannot be kept, and a bug of ours. `guarded`
is the outermost frame of the loop where either is caught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rackgrid.core.action import (
    Action,
    Instruct,
    Left,
    Multicast,
    PriceSent,
    Remember,
    ReserveTerms,
    StoreRoster,
    Unicast,
)
from rackgrid.core.event import DatagramReceived, Event, FirmwareReported, LoopLate, TimePassed
from rackgrid.core.node import Node
from rackgrid.core.roster import Roster
from rackgrid.errors import StoreError
from rackgrid.identity import BootId, NodeId, Pair
from rackgrid.wire.message import Message, Price
from rackgrid_firmware.link import Command, Report

LATE_NS = 50_000_000
"""A loop that wakes later than this after its deadline is late."""
DRAIN_MAX = 8
"""Most batches read before time is let pass again: a flood must not stop the clock."""


def guarded(step: Callable[[], None], failed: Callable[[Exception], None]) -> Callable[[], None]:
    """Make a callback for the loop that hands on whatever it raises.

    An event loop logs what a callback raises and goes on: a node would stay up that no longer
    arms its timer. `failed` ends it instead.
    """

    def run() -> None:
        try:
            step()
        except Exception as fault:  # noqa: BLE001 - the loop's outermost frame: `failed` ends it
            failed(fault)

    return run


class Arrival(Protocol):
    """An authentic datagram, as a group port delivers it."""

    @property
    def sender(self) -> NodeId:
        """From the envelope."""
        ...

    @property
    def boot(self) -> BootId:
        """From the envelope."""
        ...

    @property
    def unicast(self) -> bool:
        """Whether it was sent to this node alone."""
        ...

    @property
    def message(self) -> Message:
        """What it says."""
        ...


class GroupPort(Protocol):
    """Where datagrams go and come from."""

    def multicast(self, message: Message) -> bool:
        """Send to the group; False if it could not leave."""
        ...

    def unicast(self, node: NodeId, message: Message) -> bool:
        """Send to one node; False if its address is not known or it could not leave."""
        ...

    def receive(self) -> Sequence[Arrival]:
        """Take what has arrived, without waiting; empty when there is nothing more."""
        ...


class FirmwarePort(Protocol):
    """The link to the firmware."""

    def send(self, command: Command) -> None:
        """Send a command; a link that cannot take it is closed, and attached anew."""
        ...

    def receive(self) -> Sequence[Report]:
        """Take what has arrived, without waiting."""
        ...


class StorePort(Protocol):
    """Where promises are kept."""

    def reserve_terms(self, until: int) -> None:
        """Keep durably.

        Raises:
            StoreError: the promise cannot be kept.
        """
        ...

    def remember(self, pair: Pair) -> None:
        """Keep in memory that survives the process.

        Raises:
            StoreError: the promise cannot be kept.
        """
        ...


class Driver:
    """Carries events to a node and its actions to the world."""

    def __init__(
        self,
        node: Node,
        group: GroupPort,
        firmware: FirmwarePort,
        store: StorePort,
        keep_roster: Callable[[Roster], None],
        publish: Callable[[Action, int], None],
        clock: Callable[[], int],
    ) -> None:
        """Join a node to its ports.

        Args:
            keep_roster: begins to store a roster; a `RosterStored` is handed in when it has.
            publish: takes the actions that tell people and programs something, with their times; a
                price's is from before its first datagram was handed to the group.
            clock: the local monotonic time, ns.
        """
        self.node = node
        self.ended = False
        self._group = group
        self._firmware = firmware
        self._store = store
        self._keep_roster = keep_roster
        self._publish = publish
        self._clock = clock
        self._due_ns = clock()

    def handle(self, event: Event) -> None:
        """Let one event happen."""
        self._perform(self.node.handle(event))

    def pump(self) -> None:
        """Take everything that has arrived, and let time pass.

        Raises:
            StoreError: a promise cannot be kept; the driver has ended.
        """
        now_ns = self._clock()
        if now_ns - self._due_ns > LATE_NS:
            self.handle(LoopLate(now_ns, now_ns - self._due_ns))
        self._drain()
        now_ns = self._clock()
        # Every event also does what is due by then: time alone is an event only when it is due.
        if self.node.next_deadline_ns(now_ns) <= now_ns:
            self.handle(TimePassed(now_ns))

    def rest(self) -> int:
        """Say when to pump again, ns; asked after the last event, since each may change it."""
        self._due_ns = self.node.next_deadline_ns(self._clock())
        return self._due_ns

    def _drain(self) -> None:
        for _ in range(DRAIN_MAX):
            reports = self._firmware.receive()
            for report in reports:
                self.handle(FirmwareReported(self._clock(), report))
            arrivals = self._group.receive()
            for a in arrivals:
                self.handle(DatagramReceived(self._clock(), a.sender, a.boot, a.unicast, a.message))
            if not arrivals and not reports:
                return

    def _perform(self, actions: list[Action]) -> None:
        """Carry out in order; telling people comes last, because a load may wait for the rest."""
        told: list[tuple[Action, int]] = []
        priced_ns: int | None = None
        for action in actions:
            match action:
                case Multicast():
                    if priced_ns is None and isinstance(action.message, Price):
                        priced_ns = self._clock()
                    self._group.multicast(action.message)
                case Unicast():
                    self._group.unicast(action.to, action.message)
                case Instruct():
                    self._firmware.send(action.command)
                case ReserveTerms() | Remember():
                    self._keep(action)
                case StoreRoster():
                    self._keep_roster(action.roster)
                case Left():
                    self.ended = True
                    told.append((action, self._clock()))
                case PriceSent() if priced_ns is not None:
                    # By now, who hears it may have switched already.
                    told.append((action, priced_ns))
                case _:
                    told.append((action, self._clock()))
        for action, at_ns in told:
            self._publish(action, at_ns)

    def _keep(self, promise: ReserveTerms | Remember) -> None:
        try:
            match promise:
                case ReserveTerms():
                    self._store.reserve_terms(promise.until)
                case Remember():
                    self._store.remember(promise.pair)
        except StoreError:
            # A term that may be used twice, a pair that may be forgotten: better no node than that.
            self.ended = True
            raise
