"""The closed sets of words that messages are made of: what a node is, how it answers, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a node is at this moment."""

    JOINING = 0
    MEMBER = 1
    CANDIDATE = 2
    BROKER = 3
    ISLANDED = 4


class Stance(IntEnum):
    """The answer to an election call."""

    SUPPORT = 0
    """I do not hear the broker either: lead."""
    ALIVE = 1
    """I am, or still hear, the broker: do not."""
    OUTRANKED = 2
    """I rank higher, and take the election over."""
    BOUND = 3
    """I may not vote yet, follow a higher pair, or know a newer roster."""


class LoadKind(IntEnum):
    """What a load is to the market; the names are those of the configuration's `kind`."""

    REQUIRED = 0
    FLEXIBLE = 1
    MODULATING = 2
    TASK = 3
    DEADLINE = 4
    THERMAL = 5
    CHARGER = 6


class Why(IntEnum):
    """Why a load is as it is; the numbers beside it make the sentence (`core.reason`)."""

    REQUIRED = 0
    WORTH_IT = 1
    """On: worth at least the price, and covered by a grant."""
    PRICE_ABOVE_WORTH = 2
    DOES_NOT_FIT = 3
    """Worth the price, but refused by the clearing: it does not fit under the capacity."""
    NO_GRANT = 4
    """Worth the price, and no grant covers it (yet)."""
    PRICE_UNKNOWN = 5
    """No broker, or its last price has expired."""
    MIN_ON = 6
    MIN_OFF = 7
    GRANT_EXPIRED = 8
    FIRMWARE_LOST = 9
    LEAVING = 10
    FAULT = 11
    STARTING = 12
    """Switched on, waiting for the firmware to confirm."""
    IDLE = 13
    """It wants nothing now: its work is done, or its bound is far."""


class RejectReason(IntEnum):
    """Why a datagram was dropped; each is counted."""

    TOO_LONG = 0
    TOO_SHORT = 1
    FOREIGN_MAGIC = 2
    UNKNOWN_VERSION = 3
    UNKNOWN_KEY = 4
    BAD_MAC = 5
    WRONG_DIRECTION = 6
    OWN_ECHO = 7
    REPLAYED = 8
    UNPROVEN = 9
    """Of a boot that has not shown that it runs: a restart that is being asked, or a replay."""
    UNKNOWN_KIND = 10
    MALFORMED = 11
    CLONED = 12
    """Of a sender that runs on two machines: a copied card."""
    THROTTLED = 13
    """Of a member that says more than it may."""
    FILTERED = 14
    """Dropped by the kernel: not ours, while a flood lasts, or because the buffer was full."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A datagram that was not taken: a peer's or a stranger's fault; a value, never raised."""

    reason: RejectReason
    detail: str
