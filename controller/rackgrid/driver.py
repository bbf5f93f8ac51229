"""The driver: one queue in, `node.handle`, actions out, in order.

It is the only caller of the core. It knows ports, not adapters: whatever sends a datagram, commands
a firmware, keeps a promise or tells a person is handed to it. Each event is handled and its actions
are carried out before the next one is looked at, so that a promise is kept before the message that
relies on it leaves.

Sockets are drained before time is let pass: a heartbeat that waits in the kernel's buffer is no
silence. A loop that ran late says so to the core, which then accuses nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rackgrid.core.action import Action, Instruct, Left, Multicast, Remember, ReserveTerms, Unicast
from rackgrid.core.event import DatagramReceived, Event, FirmwareReported, LoopLate, TimePassed
from rackgrid.core.node import Node
from rackgrid.errors import StoreError
from rackgrid.identity import BootId, NodeId, Pair
from rackgrid.wire.message import Message
from rackgrid_firmware.link import Command, Report

LATE_NS = 50_000_000
"""A loop that wakes later than this after its deadline is late."""
DRAIN_MAX = 8
"""Most batches read before time is let pass again: a flood must not stop the clock."""


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
        """Keep in memory that survives the process."""
        ...


class Driver:
    """Carries events to a node and its actions to the world."""

    def __init__(
        self,
        node: Node,
        group: GroupPort,
        firmware: FirmwarePort,
        store: StorePort,
        publish: Callable[[Action], None],
        clock: Callable[[], int],
    ) -> None:
        """Join a node to its ports.

        Args:
            publish: takes the actions that tell people and programs something.
            clock: the local monotonic time, ns.
        """
        self.node = node
        self.ended = False
        self._group = group
        self._firmware = firmware
        self._store = store
        self._publish = publish
        self._clock = clock
        self._due_ns = clock()

    def handle(self, event: Event) -> None:
        """Let one event happen."""
        self._perform(self.node.handle(event))

    def pump(self) -> int:
        """Take everything that has arrived, let time pass, and say when to come back.

        Returns:
            The time of the next deadline, ns.
        """
        now_ns = self._clock()
        if now_ns - self._due_ns > LATE_NS:
            self.handle(LoopLate(now_ns, now_ns - self._due_ns))
        self._drain()
        now_ns = self._clock()
        self.handle(TimePassed(now_ns))
        self._due_ns = self.node.next_deadline_ns(now_ns)
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
        for action in actions:
            match action:
                case Multicast():
                    self._group.multicast(action.message)
                case Unicast():
                    self._group.unicast(action.to, action.message)
                case Instruct():
                    self._firmware.send(action.command)
                case ReserveTerms():
                    self._reserve(action.until)
                case Remember():
                    self._store.remember(action.pair)
                case Left():
                    self.ended = True
                    self._publish(action)
                case _:
                    self._publish(action)

    def _reserve(self, until: int) -> None:
        try:
            self._store.reserve_terms(until)
        except StoreError:
            # A term that is not durably reserved may be used twice: better no broker than that.
            self.ended = True
            raise
