"""The sealed wire of a simulated rack, and a customs officer who looks at all that is believed.

The simulation hands decoded messages around. Here each is sealed by its sender's real `Endpoint`,
carried as bytes, and opened by its receiver's: whatever a thief sends meets what it would meet.

The officer knows what no node can know: who truly sealed which bytes, when, and for whom. Of each
message that a core is given he asks whether it was said, while this boot of the node ran, and was
not given to it before. (A proof may restate what its sender has just said: that is said twice.)
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

from rackgrid.adapters.endpoint import Endpoint
from rackgrid.adapters.multicast import Transport
from rackgrid.core.event import DatagramReceived
from rackgrid.identity import BootId, NodeId
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import Message
from rackgrid.wire.seal import KEY_BYTES, MAC_BYTES, OVERHEAD, Keyring, Kind, Sealer
from rackgrid.wire.vocabulary import Rejection, RejectReason

RACK = Keyring(1, {1: bytes(range(KEY_BYTES))})
HEAD = OVERHEAD - MAC_BYTES
HEADER = struct.Struct(">2sBBBQQQ")
"""Magic, version, key, kind, sender, boot, counter."""

Address = tuple[str, int]
"""The port is the place in the rack whence it seems to come."""


class Serial(NamedTuple):
    """Which datagram of which boot: there is one of each."""

    boot: int
    is_unicast: bool
    counter: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A sealed datagram, as anybody on the LAN hears it.

    Attributes:
        to: the place that it was sent to; None for all.
    """

    sent_ns: int
    data: bytes
    to: NodeId | None

    @property
    def unicast(self) -> bool:
        """Whether it was sent to one place."""
        return self.to is not None

    @property
    def kind(self) -> int:
        """What its header says."""
        return self.data[4]

    @property
    def sender(self) -> NodeId:
        """What its header says."""
        return NodeId(HEADER.unpack_from(self.data)[4])

    @property
    def boot(self) -> BootId:
        """What its header says."""
        return BootId(HEADER.unpack_from(self.data)[5])


class Mouth:
    """What an endpoint takes for its two sockets."""

    def __init__(self, air: Air, seat: Seat) -> None:
        self._air, self._seat = air, seat
        self.inbox: list[tuple[bytes, bool, Address]] = []

    def receive(self, _batch: int = 0) -> list[tuple[bytes, bool, Address]]:
        taken, self.inbox = self.inbox, []
        return taken

    def send_multicast(self, data: bytes) -> bool:
        self._air.sealed(data)
        self._air.spoken = data
        return True

    def send_unicast(self, data: bytes, address: Address) -> bool:
        self._air.sealed(data)
        self._air.carry(self._seat, NodeId(address[1]), data, unicast=True)
        return True

    reply = send_unicast

    def shield(self, up: bool) -> None:
        """What the kernel's filter turns away is refused without it, too."""


class Air:
    """Carries sealed datagrams between the seats of a world.

    Attributes:
        hears: is told of each datagram that is sent.
        withholds: says of a datagram on its way to one place whether it keeps it.
        complaints: of the officer's; none is the aim.
        believed: how many messages were given to a core.
    """

    def __init__(self, world: World, *, sealed: bool = True) -> None:
        """Stand between a world's nodes.

        Args:
            sealed: False takes whatever decodes, from whomever: a rack without an envelope.
        """
        self.world, self.is_sealed = world, sealed
        self.hears: Callable[[Letter], None] = lambda _letter: None
        self.withholds: Callable[[Letter], bool] = lambda _letter: False
        self.rejected: Counter[RejectReason] = Counter()
        self.complaints: list[str] = []
        self.believed = 0
        self.spoken = b""
        self._chance = random.Random(0)
        self.ends: dict[tuple[NodeId, int], tuple[Endpoint, Mouth]] = {}
        self._began_ns: dict[tuple[NodeId, int], int] = {}
        self._sealed: dict[Serial, tuple[int, bytes]] = {}
        self._taken: set[tuple[NodeId, int, Serial]] = set()
        self._last: Message | None = None
        world.tap = self._tap
        world.witnesses.append(self._attend)
        for seat in world.seats.values():
            self._attend(seat)

    def _attend(self, seat: Seat, *_what: object) -> None:
        """Give a controller its endpoint as soon as it runs."""
        if seat.node is not None:
            self.end(seat)

    # --- sending ---------------------------------------------------------------------------------

    def sealed(self, data: bytes) -> None:
        """Note what an endpoint has sealed, and when."""
        _, _, _, kind, _, boot, counter = HEADER.unpack_from(data)
        serial = Serial(boot, kind != Kind.MULTICAST, counter)
        assert serial not in self._sealed, "each counter is used once"
        self._sealed[serial] = self.world.now_ns, data

    def end(self, seat: Seat) -> tuple[Endpoint, Mouth]:
        """Give the endpoint of a seat's running controller."""
        assert seat.node is not None, "the dead have none"
        key = (seat.id, seat.life)
        if key not in self.ends:
            mouth = Mouth(self, seat)
            boot = seat.node.state.boot
            made = Endpoint(
                cast("Transport", mouth),
                RACK,
                seat.identity,
                boot,
                lambda: seat.local_ns(self.world.now_ns),
            )
            self.ends[key] = made, mouth
            self._began_ns[key] = self.world.now_ns
        return self.ends[key]

    def _tap(self, sent: Datagram) -> bool:
        seat = next(
            s for s in self.world.seats.values() if s.node and s.node.state.boot == sent.boot
        )
        endpoint, _ = self.end(seat)
        is_first = sent.message is not self._last  # one datagram for all of its receivers
        self._last = sent.message
        if not sent.unicast:
            if is_first:
                endpoint.multicast(sent.message)
                self.hears(Letter(self.world.now_ns, self.spoken, None))
            self.carry(seat, sent.to, self.spoken, unicast=False)
        elif self.is_sealed:
            if is_first:
                endpoint.unicast(self.world.seats[sent.to].identity, sent.message)
        else:  # an endpoint that opens nothing knows no address
            sealer = Sealer(RACK, seat.identity, sent.boot)
            data = sealer.seal_unicast(encode(sent.message), sent.to)
            self.carry(seat, sent.to, data, unicast=True)
        return True

    def carry(self, seat: Seat, to: NodeId, data: bytes, *, unicast: bool) -> None:
        """Bring bytes to a place as the network does."""
        letter = Letter(self.world.now_ns, data, to)
        if unicast:
            self.hears(letter)
        if self.withholds(letter):
            return
        network, chance = self.world.network, self.world.chance
        if data[4] == Kind.PROOF:
            chance = self._chance  # a thief may call for some: no other's delay may change by it
        for delay_ns in network.arrivals(chance, seat.id, to, unicast=unicast):
            act = partial(self.arrive, to, data, unicast, seat.id)
            self.world.at(self.world.now_ns + delay_ns, act)

    # --- arriving --------------------------------------------------------------------------------

    def arrive(self, to: NodeId, data: bytes, unicast: bool, origin: int) -> None:
        """Let bytes arrive at a place, wherever they are from."""
        seat = self.world.seats.get(to)
        if seat is None or seat.node is None:
            return
        if self.world.now_ns < seat.frozen_until_ns:  # it stays in the socket's buffer
            later = partial(self.arrive, to, data, unicast, origin)
            self.world.at(seat.frozen_until_ns + 1, later)
            return
        if not self.is_sealed:
            self._take_all(seat, data, unicast)
            return
        endpoint, mouth = self.end(seat)
        mouth.inbox.append((data, unicast, ("10.0.0.1", origin)))
        before = endpoint.rejected.copy()
        for got in endpoint.receive():
            self.believed += 1
            self._examine(seat, data, got.message)
            self._tell(seat, got.sender, got.boot, got.unicast, got.message)
        self.rejected += endpoint.rejected - before

    def _examine(self, seat: Seat, data: bytes, message: Message) -> None:
        """Compare what is about to be believed with what was said."""
        _, _, _, kind, _, boot, counter = HEADER.unpack_from(data)
        serial = Serial(boot, kind != Kind.MULTICAST, counter)
        who, what = seat.settings.name, type(message).__name__
        sealed_ns, said = self._sealed.get(serial, (0, b""))
        if said != data:
            self._complain(f"{who} believes what nobody has said: {what}")
        elif sealed_ns < self._began_ns[seat.id, seat.life]:
            self._complain(f"{who} believes what was said before it ran: {what}")
        elif (seat.id, seat.life, serial) in self._taken:
            self._complain(f"{who} believes the same again: {what}")
        self._taken.add((seat.id, seat.life, serial))

    def _complain(self, what: str) -> None:
        self.complaints.append(f"{self.world.now_ns / 1e6:.3f} ms: {what}")

    def _take_all(self, seat: Seat, data: bytes, unicast: bool) -> None:
        _, _, _, _, sender, boot, _ = HEADER.unpack_from(data.ljust(HEAD))
        message = decode(data[HEAD:-MAC_BYTES])
        if not isinstance(message, Rejection) and sender != seat.identity:
            self._tell(seat, NodeId(sender), BootId(boot), unicast, message)

    def _tell(
        self, seat: Seat, sender: NodeId, boot: BootId, unicast: bool, message: Message
    ) -> None:
        now_ns = seat.local_ns(self.world.now_ns)
        self.world.tell(seat, DatagramReceived(now_ns, sender, boot, unicast, message))
