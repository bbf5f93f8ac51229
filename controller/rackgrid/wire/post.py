"""What nodes say about copies of their ledgers, beside the messages that decide.

The path that keeps loads on must not grow with the bill. So these payloads have kinds of their own,
from `FIRST_KIND` on, in the same sealed envelope; who decides about power never sees them. Whoever
does not know them counts them as unknown kinds, as any other.

    kind u8, owner u64, number u64, hash 32 bytes, check u32, part u16, of u16, then data

Every one of them names a place in a chain: the ledger of a node (owner), a batch of it (number),
and that batch's hash. Number 0 is the place before the first batch.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from rackgrid.identity import NodeId
from rackgrid.wire.vocabulary import Rejection, RejectReason

FIRST_KIND: Final = 64
HASH_BYTES: Final = 32
DATA_MAX: Final = 1200
"""Bytes of a piece."""
PARTS_MAX: Final = 512
"""Pieces of a parcel: 600 KB."""
_HEAD: Final = struct.Struct(">BQQ32sIHH")


class Kind(IntEnum):
    """What a post says."""

    OFFER = 64
    """My ledger ends with this batch: keep a copy."""
    KEPT = 65
    """My copy ends with this batch; if it is the owner who says so: my ledger does."""
    FETCH = 66
    """Give me what follows this batch, from this part on."""
    PIECE = 67
    """A part of what follows this batch."""
    GONE = 68
    """I have no such batch with that hash: begin anew."""
    SEARCH = 69
    """Who has a copy of my ledger?"""


@dataclass(frozen=True, slots=True)
class Post:
    """One of these payloads.

    Attributes:
        owner: whose ledger it is about.
        number, hash: a batch of it.
        check: CRC-32 of the whole parcel that a piece is of.
        part: which piece, or the first that is wanted; of: so many there are.
    """

    kind: Kind
    owner: NodeId
    number: int = 0
    hash: bytes = bytes(HASH_BYTES)
    check: int = 0
    part: int = 0
    of: int = 0
    data: bytes = b""

    def __post_init__(self) -> None:
        assert len(self.hash) == HASH_BYTES
        assert len(self.data) <= DATA_MAX


def is_post(payload: bytes) -> bool:
    """Say whether a payload is one of these, and none of the messages that decide."""
    return bool(payload) and payload[0] >= FIRST_KIND


def encode(post: Post) -> bytes:
    """Put a post into bytes."""
    numbers = (post.kind, post.owner, post.number, post.hash, post.check, post.part, post.of)
    return _HEAD.pack(*numbers) + post.data


def decode(payload: bytes) -> Post | Rejection:
    """Read a post; never raises."""
    if len(payload) < _HEAD.size:
        return Rejection(RejectReason.MALFORMED, f"a post of {len(payload)} bytes")
    kind, owner, number, digest, check, part, of = _HEAD.unpack_from(payload)
    data = payload[_HEAD.size :]
    if kind not in Kind.__members__.values():
        return Rejection(RejectReason.UNKNOWN_KIND, f"kind {kind}")
    if len(data) > DATA_MAX or number >= 1 << 63 or of > PARTS_MAX:
        return Rejection(RejectReason.MALFORMED, f"a post of kind {kind} beyond its limits")
    if kind == Kind.PIECE and (not data or part >= of):
        return Rejection(RejectReason.MALFORMED, f"piece {part} of {of}")
    if kind != Kind.PIECE and data:
        return Rejection(RejectReason.MALFORMED, f"data in a post of kind {kind}")
    return Post(Kind(kind), NodeId(owner), number, digest, check, part, of, data)
