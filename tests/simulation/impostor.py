"""A thief on the rack's wire: hears every datagram, has no key, and sends what he likes.

The simulation hands decoded messages around. Here each is sealed by its sender's real `Endpoint`,
carried as bytes, and opened by its receiver's: what the thief sends meets what it would meet.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, cast

from rackgrid.adapters.endpoint import Endpoint
from rackgrid.adapters.multicast import Transport
from rackgrid.core.event import DatagramReceived
from rackgrid.core.settings import MS_NS
from rackgrid.identity import BootId, NodeId
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import Message
from rackgrid.wire.seal import KEY_BYTES, MAC_BYTES, OVERHEAD, Keyring, Sealer
from rackgrid.wire.vocabulary import Rejection, RejectReason

RACK = Keyring(1, {1: bytes(range(KEY_BYTES))})
FORGED = Keyring(1, {1: bytes(reversed(range(KEY_BYTES)))})
HEAD = OVERHEAD - MAC_BYTES
EVERY_NS = 2 * MS_NS
OLD_NS = 50 * MS_NS
"""He sends nothing younger: what overtakes its own original is that original, sent once."""
KEPT_MAX = 20_000

Address = tuple[str, int]


class Mouth:
    """What an endpoint takes for its two sockets."""

    def __init__(self, air: Air, seat: Seat) -> None:
        self.air, self.seat = air, seat
        self.inbox: list[tuple[bytes, bool, Address]] = []
        self.said = b""

    def receive(self, _batch: int = 0) -> list[tuple[bytes, bool, Address]]:
        taken, self.inbox = self.inbox, []
        return taken

    def send_multicast(self, data: bytes) -> bool:
        self.said = data
        return True

    def send_unicast(self, data: bytes, address: Address) -> bool:
        self.air.carry(self.seat, NodeId(address[1]), data, unicast=True)
        return True

    reply = send_unicast


class Air:
    """Carries sealed datagrams between the seats of a world, and lets the thief hear them."""

    def __init__(self, world: World, *, sealed: bool = True) -> None:
        """Stand between a world's nodes.

        Args:
            sealed: False takes whatever decodes, from whomever: a rack without an envelope.
        """
        self.world, self.sealed = world, sealed
        self.heard: list[tuple[int, bytes, bool]] = []
        self.rejected: Counter[RejectReason] = Counter()
        self._ends: dict[tuple[NodeId, int], tuple[Endpoint, Mouth]] = {}
        self._last: Message | None = None
        world.tap = self._tap

    def end(self, seat: Seat) -> tuple[Endpoint, Mouth]:
        """Give the endpoint of a seat's running controller."""
        assert seat.node is not None, "the dead have none"
        key = (seat.id, seat.life)
        if key not in self._ends:
            mouth = Mouth(self, seat)
            more: dict[str, Any] = {}
            if "clock" in signature(Endpoint).parameters:
                more["clock"] = lambda: seat.local_ns(self.world.now_ns)
            boot = seat.node.state.boot
            made = Endpoint(cast("Transport", mouth), RACK, seat.identity, boot, **more)
            self._ends[key] = made, mouth
        return self._ends[key]

    def _tap(self, sent: Datagram) -> bool:
        seat = self.world.seats[sent.sender]
        endpoint, mouth = self.end(seat)
        if sent.unicast and self.sealed:
            endpoint.unicast(sent.to, sent.message)
            return True
        if sent.unicast:  # an endpoint that opens nothing knows no address
            sealer = Sealer(RACK, seat.identity, sent.boot)
            data = sealer.seal_unicast(encode(sent.message), sent.to)
            self.carry(seat, sent.to, data, unicast=True)
            return True
        if sent.message is not self._last:  # one datagram for all of its receivers
            endpoint.multicast(sent.message)
            self._last = sent.message
        self.carry(seat, sent.to, mouth.said, unicast=False)
        return True

    def carry(self, seat: Seat, to: NodeId, data: bytes, *, unicast: bool) -> None:
        """Bring bytes to a node as the network does, and to the thief for certain."""
        if len(self.heard) < KEPT_MAX:
            self.heard.append((self.world.now_ns, data, unicast))
        network, chance = self.world.network, self.world.chance
        for delay_ns in network.arrivals(chance, seat.id, to, unicast=unicast):
            act = partial(self.arrive, to, data, unicast, seat.id)
            self.world.at(self.world.now_ns + delay_ns, act)

    def arrive(self, to: NodeId, data: bytes, unicast: bool, origin: int) -> None:
        """Let bytes arrive at a node, wherever they are from."""
        seat = self.world.seats.get(to)
        if seat is None or seat.node is None:
            return
        if not self.sealed:
            self._believe(seat, data, unicast)
            return
        endpoint, mouth = self.end(seat)
        mouth.inbox.append((data, unicast, ("10.0.0.1", origin)))
        before = endpoint.rejected.copy()
        for got in endpoint.receive():
            self._tell(seat, got.sender, got.boot, got.unicast, got.message)
        self.rejected += endpoint.rejected - before

    def _believe(self, seat: Seat, data: bytes, unicast: bool) -> None:
        sender, boot = struct.unpack_from(">QQ", data, 5)
        message = decode(data[HEAD:-MAC_BYTES])
        if not isinstance(message, Rejection) and sender != seat.identity:
            self._tell(seat, NodeId(sender), BootId(boot), unicast, message)

    def _tell(
        self, seat: Seat, sender: NodeId, boot: BootId, unicast: bool, message: Message
    ) -> None:
        now_ns = seat.local_ns(self.world.now_ns)
        self.world.tell(seat, DatagramReceived(now_ns, sender, boot, unicast, message))


class Thief:
    """Sends something every two milliseconds."""

    def __init__(self, air: Air, seed: int) -> None:
        self._air = air
        self._chance = random.Random(seed)
        self._busy = False
        self._deeds: tuple[Callable[[bytes, bool], tuple[bytes, bool]], ...] = (
            self._replayed,
            self._replayed,
            self._mutated,
            self._forged,
            self._from_the_future,
            self._the_other_way,
        )

    def begin(self) -> None:
        """Begin to send."""
        self._busy = True
        self._act()

    def end(self) -> None:
        """Send no more."""
        self._busy = False

    def _act(self) -> None:
        world = self._air.world
        if not self._busy:
            return
        world.at(world.now_ns + EVERY_NS, self._act)
        heard_ns, data, unicast = self._chance.choice(self._air.heard)
        if world.now_ns - heard_ns >= OLD_NS:
            data, unicast = self._chance.choice(self._deeds)(data, unicast)
            places = list(world.seats)
            for to in places if not unicast else [self._chance.choice(places)]:
                self._air.arrive(to, data, unicast, self._chance.choice(places))

    def _replayed(self, data: bytes, unicast: bool) -> tuple[bytes, bool]:
        return data, unicast

    def _the_other_way(self, data: bytes, unicast: bool) -> tuple[bytes, bool]:
        return data, not unicast

    def _mutated(self, data: bytes, unicast: bool) -> tuple[bytes, bool]:
        changed = bytearray(data)
        changed[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        return bytes(changed), unicast

    def _forged(self, data: bytes, unicast: bool) -> tuple[bytes, bool]:
        """Say another's words, in a boot of one's own, under a key that is not the rack's."""
        sender = NodeId(struct.unpack_from(">Q", data, 5)[0])
        sealer = Sealer(FORGED, sender, BootId(self._chance.getrandbits(64)))
        payload = data[HEAD:-MAC_BYTES]
        if unicast:
            return sealer.seal_unicast(
                payload, self._chance.choice(list(self._air.world.seats))
            ), True
        return sealer.seal_multicast(payload), False

    def _from_the_future(self, data: bytes, unicast: bool) -> tuple[bytes, bool]:
        return data[:21] + struct.pack(">Q", 2**63) + data[29:], unicast
