"""The sealed envelope: who sent these bytes, in which boot, and to whom.

A stranger on the network must not be able to make a node parse a single byte, let alone believe it.
So every datagram carries a MAC under the rack's key, and it is checked before anything else of the
payload is looked at:

    magic 2 · version u8 · key id u8 · kind u8 · sender u64 · boot u64 · counter u64        29 bytes
    payload
    MAC = BLAKE2b-128(key; header, [receiver u64 if unicast,] payload)                      16 bytes

BLAKE2b has a keyed mode of its own (RFC 7693, section 2.9), so no HMAC around it is needed, and a
MAC has no nonce to misuse. The payload is not secret (prices are not), so it is not encrypted. A
unicast is bound to its receiver, so that nobody can hand my peer's datagram to me, or mine back to
me.

Each boot of a sender counts its datagrams, multicasts and unicasts apart, since the two overtake
each other (Wi-Fi power save holds multicasts back; babeld keeps two counters since 1.12.1 for this
reason). Whether a datagram is fresh is judged behind this door: `opener`.

A MAC under a group key keeps strangers out; it cannot tell one key-holder from another.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import DATAGRAM_MAX
from rackgrid.wire.proof import BODY, Proof
from rackgrid.wire.vocabulary import Rejection, RejectReason

MAGIC: Final = b"RG"
VERSION: Final = 1
KEY_BYTES: Final = 32
KEYS_MAX: Final = 4
"""A rotation needs two; more are a mistake."""
MAC_BYTES: Final = 16

_HEADER: Final = struct.Struct(">2sBBBQQQ")
_ID: Final = struct.Struct(">Q")
OVERHEAD: Final = _HEADER.size + MAC_BYTES
PAYLOAD_MAX: Final = DATAGRAM_MAX - OVERHEAD
RESTATED_MAX: Final = PAYLOAD_MAX - BODY.size
"""Longest payload that a proof can restate, bytes."""
_PERSON: Final = b"rackgrid seal 1"


class Kind(IntEnum):
    """Whom a datagram was sealed for, and what for."""

    MULTICAST = 0
    UNICAST = 1
    PROOF = 2
    """A unicast between two boots that get to know each other (`proof`)."""


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


class Unsealed(NamedTuple):
    """What an authentic datagram is; nothing is known yet of when it was sealed."""

    kind: int
    sender: NodeId
    boot: BootId
    counter: int
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
        self._multicasts = 0
        self._unicasts = 0

    def use(self, keyring: Keyring) -> None:
        """Seal with this ring's key from now on; the counters run on."""
        self._key_id = keyring.use
        self._keyed = _keyed(keyring.keys[keyring.use])

    def seal_multicast(self, payload: bytes) -> bytes:
        """Seal for the group."""
        self._multicasts += 1
        return self._seal(payload, Kind.MULTICAST, self._multicasts, b"")

    def seal_unicast(self, payload: bytes, to: NodeId) -> bytes:
        """Seal for one node: no other can open it."""
        self._unicasts += 1
        return self._seal(payload, Kind.UNICAST, self._unicasts, _ID.pack(to))

    def seal_proof(self, proof: Proof, restated: bytes = b"") -> bytes:
        """Seal a challenge, an echo, or both.

        Args:
            restated: the payload of a late multicast, or nothing; at most `RESTATED_MAX` bytes.
        """
        self._unicasts += 1
        payload = BODY.pack(proof.challenge, proof.echo, self._multicasts) + restated
        return self._seal(payload, Kind.PROOF, self._unicasts, _ID.pack(proof.to))

    def _seal(self, payload: bytes, kind: Kind, counter: int, receiver: bytes) -> bytes:
        assert len(payload) <= PAYLOAD_MAX, "a payload fits one datagram"
        header = _HEADER.pack(MAGIC, VERSION, self._key_id, kind, self._node, self._boot, counter)
        mac = self._keyed.copy()
        mac.update(header + receiver + payload)
        return header + payload + mac.digest()


class Unsealer:
    """Checks that a datagram is one of this rack's, for this node, and whole."""

    def __init__(self, keyring: Keyring, node: NodeId) -> None:
        self.use(keyring)
        self._receiver = _ID.pack(node)

    def use(self, keyring: Keyring) -> None:
        """Accept this ring's keys from now on, and no others."""
        self._keyed = {number: _keyed(key) for number, key in keyring.keys.items()}

    def unseal(self, datagram: bytes, unicast: bool) -> Unsealed | Rejection:
        """Return what an authentic datagram is; never raises.

        Args:
            datagram: as it came.
            unicast: whether it came on the node's own address, not on the group's.
        """
        if len(datagram) > DATAGRAM_MAX:
            return Rejection(RejectReason.TOO_LONG, f"more than {DATAGRAM_MAX} bytes")
        if len(datagram) < OVERHEAD:
            return Rejection(RejectReason.TOO_SHORT, f"{len(datagram)} bytes")
        magic, version, key_id, kind, sender, boot, counter = _HEADER.unpack_from(datagram)
        if magic != MAGIC:
            return Rejection(RejectReason.FOREIGN_MAGIC, magic.hex())
        if version != VERSION:
            return Rejection(RejectReason.UNKNOWN_VERSION, f"version {version}, ours is {VERSION}")
        if kind > Kind.PROOF or (kind != Kind.MULTICAST) != unicast:
            way = "unicast" if unicast else "multicast"
            return Rejection(RejectReason.WRONG_DIRECTION, f"kind {kind} came by {way}")
        keyed = self._keyed.get(key_id)
        if keyed is None:
            return Rejection(RejectReason.UNKNOWN_KEY, f"key {key_id}")
        payload = datagram[_HEADER.size : -MAC_BYTES]
        receiver = self._receiver if unicast else b""
        mac = keyed.copy()
        mac.update(datagram[: _HEADER.size] + receiver + payload)
        if not compare_digest(mac.digest(), datagram[-MAC_BYTES:]):
            return Rejection(RejectReason.BAD_MAC, f"claims to come from {sender:016x}")
        if kind == Kind.PROOF and len(payload) < BODY.size:
            return Rejection(RejectReason.MALFORMED, "a proof without its three numbers")
        return Unsealed(kind, sender, boot, counter, payload)
