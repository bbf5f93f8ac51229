"""The sealed envelope: who sent these bytes, in which boot, to whom, and that they are fresh.

A stranger on the network must not be able to make a node parse a single byte, let alone believe it.
So every datagram carries a MAC under the rack's key, and it is checked before anything else of the
payload is looked at:

    magic 2 · version u8 · key id u8 · direction u8 · sender u64 · boot u64 · counter u64   29 bytes
    payload
    MAC = BLAKE2b-128(key; header, [receiver u64 if unicast,] payload)                      16 bytes

BLAKE2b has a keyed mode of its own (RFC 7693, section 2.9), so no HMAC around it is needed, and a
MAC has no nonce to misuse. The payload is not secret (prices are not), so it is not encrypted. A
unicast is bound to its receiver, so that nobody can hand my peer's datagram to me, or mine back to
me.

Freshness: each boot of a sender counts its datagrams, multicasts and unicasts apart, since the two
overtake each other (Wi-Fi power save holds multicasts back; babeld keeps two counters since 1.12.1
for this reason). A sliding window (RFC 6479) takes each counter once, in any order within `WINDOW`.

A sender that restarts has a new random boot id. The boot that was first seen last is the running
one, and earlier ones are stale. What is missing here: an unknown boot proves itself by nothing but
the MAC, so whoever recorded datagrams of a boot that this node never saw, or has forgotten, can
pass them off as a restart. `Opener._peer` is the seam where a challenge (RFC 8967) will stand.

A MAC under a group key keeps strangers out; it cannot tell one key-holder from another.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import DATAGRAM_MAX
from rackgrid.wire.vocabulary import Rejection, RejectReason

MAGIC: Final = b"RG"
VERSION: Final = 1
KEY_BYTES: Final = 32
KEYS_MAX: Final = 4
"""A rotation needs two; more are a mistake."""
MAC_BYTES: Final = 16
WINDOW: Final = 1024
"""So far may a datagram fall behind the newest of its sender and still be taken, once."""
SENDERS_MAX: Final = 256
"""Senders whose windows are kept; only those that held the key get one."""
BOOTS_MAX: Final = 16
"""Former boots that are remembered per sender, to be refused."""

_HEADER: Final = struct.Struct(">2sBBBQQQ")
_ID: Final = struct.Struct(">Q")
OVERHEAD: Final = _HEADER.size + MAC_BYTES
PAYLOAD_MAX: Final = DATAGRAM_MAX - OVERHEAD
_WINDOW_MASK: Final = (1 << WINDOW) - 1
_PERSON: Final = b"rackgrid seal 1"


class Direction(IntEnum):
    """Whom a datagram was sealed for."""

    MULTICAST = 0
    UNICAST = 1


@dataclass(frozen=True, slots=True)
class Keyring:
    """The rack's keys: one to seal with, all of them to open with, so that keys can be rotated.

    Attributes:
        use: number of the key that seals, 0 to 255.
        keys: all keys by their number, 32 bytes each; never shown.
    """

    use: int
    keys: Mapping[int, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        assert self.use in self.keys, "the key in use is on the ring"
        assert len(self.keys) <= KEYS_MAX
        assert all(0 <= number <= 255 for number in self.keys)
        assert all(len(key) == KEY_BYTES for key in self.keys.values())


@dataclass(frozen=True, slots=True)
class Opened:
    """What an authentic, fresh datagram says: who sent it, in which boot, and the payload."""

    sender: NodeId
    boot: BootId
    payload: bytes


def key_number(datagram: bytes) -> int:
    """Return the number of the key under which an authentic datagram was sealed."""
    return datagram[3]


def _keyed(key: bytes) -> blake2b:
    """Return the hash with the key already absorbed: copying it is cheaper than keying it."""
    return blake2b(key=key, digest_size=MAC_BYTES, person=_PERSON)


class Sealer:
    """Seals this boot's datagrams; each counter value is used once."""

    def __init__(self, keyring: Keyring, node: NodeId, boot: BootId) -> None:
        self.use(keyring)
        self._node = node
        self._boot = boot
        self._counters = {Direction.MULTICAST: 0, Direction.UNICAST: 0}

    def use(self, keyring: Keyring) -> None:
        """Seal with this ring's key from now on; the counters run on."""
        self._key_id = keyring.use
        self._keyed = _keyed(keyring.keys[keyring.use])

    def seal_multicast(self, payload: bytes) -> bytes:
        """Seal for the group."""
        return self._seal(payload, Direction.MULTICAST, b"")

    def seal_unicast(self, payload: bytes, to: NodeId) -> bytes:
        """Seal for one node: no other can open it."""
        return self._seal(payload, Direction.UNICAST, _ID.pack(to))

    def _seal(self, payload: bytes, direction: Direction, receiver: bytes) -> bytes:
        assert len(payload) <= PAYLOAD_MAX, "a payload fits one datagram"
        counter = self._counters[direction] + 1
        self._counters[direction] = counter
        header = _HEADER.pack(
            MAGIC, VERSION, self._key_id, direction, self._node, self._boot, counter
        )
        mac = self._keyed.copy()
        mac.update(header + receiver + payload)
        return header + payload + mac.digest()


class Window:
    """Which of a boot's counters were taken: the newest, and a bit for each of those before it."""

    __slots__ = ("_newest", "_taken")

    def __init__(self) -> None:
        self._newest = 0
        self._taken = 0

    def take(self, counter: int) -> bool:
        """Take a counter; False if it was taken before, or is too old to know."""
        ahead = counter - self._newest
        if ahead > 0:
            kept = self._taken << ahead if ahead < WINDOW else 0
            self._taken = (kept | 1) & _WINDOW_MASK
            self._newest = counter
            return True
        if ahead <= -WINDOW:
            return False
        bit = 1 << -ahead
        if self._taken & bit:
            return False
        self._taken |= bit
        return True


class _Peer:
    """What is remembered of one sender: its running boot, and those before it."""

    __slots__ = ("boot", "former", "windows")

    def __init__(self, boot: BootId) -> None:
        self.former: deque[BootId] = deque(maxlen=BOOTS_MAX)
        self.begin(boot)

    def begin(self, boot: BootId) -> None:
        """Start over with a boot of which nothing was seen yet."""
        self.boot = boot
        self.windows = {Direction.MULTICAST: Window(), Direction.UNICAST: Window()}


class Opener:
    """Opens what others sealed, each datagram once."""

    def __init__(self, keyring: Keyring, node: NodeId, boot: BootId) -> None:
        self.use(keyring)
        self._node = node
        self._boot = boot
        self._receiver = _ID.pack(node)
        # In the order in which they were last heard, so that the quietest is forgotten first.
        self._peers: dict[NodeId, _Peer] = {}

    def use(self, keyring: Keyring) -> None:
        """Accept this ring's keys from now on; what is known of the senders stays."""
        self._keyed = {number: _keyed(key) for number, key in keyring.keys.items()}

    def open(self, datagram: bytes, unicast: bool) -> Opened | Rejection:
        """Return the payload of an authentic, fresh datagram of another node; never raises.

        Args:
            datagram: as it came.
            unicast: whether it came on the node's own address, not on the group's.
        """
        if len(datagram) > DATAGRAM_MAX:
            return Rejection(RejectReason.TOO_LONG, f"more than {DATAGRAM_MAX} bytes")
        if len(datagram) < OVERHEAD:
            return Rejection(RejectReason.TOO_SHORT, f"{len(datagram)} bytes")
        magic, version, key_id, way, sender, boot, counter = _HEADER.unpack_from(datagram)
        if magic != MAGIC:
            return Rejection(RejectReason.FOREIGN_MAGIC, magic.hex())
        if version != VERSION:
            return Rejection(RejectReason.UNKNOWN_VERSION, f"version {version}, ours is {VERSION}")
        direction = Direction.UNICAST if unicast else Direction.MULTICAST
        if way != direction:
            return Rejection(RejectReason.WRONG_DIRECTION, f"direction {way} came as {direction}")
        keyed = self._keyed.get(key_id)
        if keyed is None:
            return Rejection(RejectReason.UNKNOWN_KEY, f"key {key_id}")
        if not self._authentic(keyed, datagram, unicast):
            return Rejection(RejectReason.BAD_MAC, f"claims to come from {sender:016x}")
        refusal = self._refuse(NodeId(sender), BootId(boot), direction, counter)
        if refusal is not None:
            return refusal
        return Opened(NodeId(sender), BootId(boot), datagram[_HEADER.size : -MAC_BYTES])

    def _authentic(self, keyed: blake2b, datagram: bytes, unicast: bool) -> bool:
        mac = keyed.copy()
        if unicast:
            mac.update(datagram[: _HEADER.size] + self._receiver)
            mac.update(datagram[_HEADER.size : -MAC_BYTES])
        else:
            mac.update(datagram[:-MAC_BYTES])
        return compare_digest(mac.digest(), datagram[-MAC_BYTES:])

    def _refuse(
        self, sender: NodeId, boot: BootId, direction: Direction, counter: int
    ) -> Rejection | None:
        """Say why an authentic datagram is not fresh; take its counter if it is."""
        if sender == self._node:
            if boot == self._boot:
                return Rejection(RejectReason.OWN_ECHO, "")
            return Rejection(
                RejectReason.STALE_BOOT, "another boot of this very node: a replay, or a clone"
            )
        peer = self._peer(sender, boot)
        if boot != peer.boot:
            return Rejection(RejectReason.STALE_BOOT, f"boot {boot:016x} of {sender:016x}")
        if not peer.windows[direction].take(counter):
            return Rejection(RejectReason.REPLAYED, f"counter {counter} of {sender:016x}")
        return None

    def _peer(self, sender: NodeId, boot: BootId) -> _Peer:
        """Return what is known of a sender; a boot that was never seen begins here."""
        peer = self._peers.pop(sender, None)
        if peer is None:
            peer = _Peer(boot)
            if len(self._peers) >= SENDERS_MAX:
                self._peers.pop(next(iter(self._peers)))
        elif boot != peer.boot and boot not in peer.former:
            peer.former.append(peer.boot)
            peer.begin(boot)
        self._peers[sender] = peer
        return peer
