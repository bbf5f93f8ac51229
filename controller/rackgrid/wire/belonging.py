"""What is said of the roster: who asks to be on it, who leaves, and what it is (P7).

Part of `message`, which has all that one node says to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rackgrid.identity import NO_LIMIT, BootId, Limit, NodeId, Pair, RackId
from rackgrid.wire.limit import (
    B32,
    B64,
    EXPELLED_MAX,
    NODE_NAME_MAX,
    NODES_MAX,
    PLEDGES_MAX,
    TEXT_MAX,
    U8,
    U16,
    U32,
    U64,
)


@dataclass(frozen=True, slots=True)
class Autograph:
    """By which a message shows who wrote it, beyond that it was a holder of the group key.

    The core leaves it blank and looks at none: it is made and checked on the way out and in
    (`adapters.notary`), over everything else in the message, its sender, and its boot.
    """

    public_key: Annotated[bytes, B32]
    signature: Annotated[bytes, B64]


NO_AUTOGRAPH = Autograph(bytes(32), bytes(64))
"""Of a message that was not signed (yet)."""


@dataclass(frozen=True, slots=True)
class Join:
    """Unicast to the broker: admit me with this floor; maybe one of my meters sees the feed.

    The priority is a wish: what counts is the line that the roster gets (`core.admission`).

    Attributes:
        pair, rack: whom this is said to, so that nobody can say it to a later broker again.
        seq: grows with each JOIN of a boot: an earlier one is no news.
    """

    nonce: Annotated[int, U64]
    name: Annotated[str, NODE_NAME_MAX]
    priority: Annotated[int, U16]
    floor_mw: Annotated[int, U32]
    meters_feed: bool
    protocol: Annotated[int, U16]
    pair: Pair
    rack: Annotated[RackId, U64]
    seq: Annotated[int, U32]
    autograph: Autograph = NO_AUTOGRAPH


@dataclass(frozen=True, slots=True)
class JoinReply:
    """Unicast: admitted (the roster follows by multicast), or why not and what to do."""

    nonce: Annotated[int, U64]
    pair: Pair
    admitted: bool
    reason: Annotated[str, TEXT_MAX]


@dataclass(frozen=True, slots=True)
class RosterLine:
    """One admitted node; who meters the whole feed has two votes where they would be even.

    Attributes:
        priority: its rank in elections, whatever it says of itself.
        floor_mw: reserved for it; floor_max_mw: what it may raise that to without an operator, mW.
    """

    node: Annotated[NodeId, U64]
    name: Annotated[str, NODE_NAME_MAX]
    priority: Annotated[int, U16]
    floor_mw: Annotated[int, U32]
    floor_max_mw: Annotated[int, U32]
    votes: Annotated[int, U8]
    meters_feed: bool = False


@dataclass(frozen=True, slots=True)
class PledgeLine:
    """What a node that restarts goes on holding, counted like a floor until it is back.

    Attributes:
        boot: which asked for it: the one that stopped.
        power_mw: the most that its flexible outputs draw, mW.
        span_ms: how long, from the asking on, by the node's own clock.
    """

    node: Annotated[NodeId, U64]
    boot: Annotated[BootId, U64]
    power_mw: Annotated[int, U32]
    span_ms: Annotated[int, U32]


@dataclass(frozen=True, slots=True)
class Expelled:
    """A node that an operator has put out: it is heard no more, and not admitted again."""

    node: Annotated[NodeId, U64]


@dataclass(frozen=True, slots=True)
class RosterUpdate:
    """Multicast by the broker: store this roster, and say in your ack that you have (P7).

    Unicast by anybody else to a candidate that claims an older one: this is what I have stored.

    Attributes:
        pair: who announces it; with the version, its stamp.
        agreed_version: the newest that is agreed under this pair; 0 before the first.
        founding: it is the first of its rack, or recovered: every node on it must have stored it.
        founded: the boot of the broker under which they had; 0 while it is founding.
        pledges: of those that restart, at most one a node; limit: an operator's, on the feed.
        expelled: the first was put out first; it may still have a line, without a vote.
    """

    pair: Pair
    rack: Annotated[RackId, U64]
    version: Annotated[int, U32]
    agreed_version: Annotated[int, U32]
    founding: bool
    founded: Annotated[BootId, U64]
    lines: Annotated[tuple[RosterLine, ...], NODES_MAX]
    pledges: Annotated[tuple[PledgeLine, ...], PLEDGES_MAX] = ()
    limit: Limit = NO_LIMIT
    expelled: Annotated[tuple[Expelled, ...], EXPELLED_MAX] = ()


@dataclass(frozen=True, slots=True)
class Pledge:
    """Unicast to the broker: I stop, and go on holding this; or, with no power: I am back.

    Attributes:
        boot: whose pledge: the sender's own, or the earlier boot's that it ends.
        power_mw: what is held, mW; 0 ends it.
        span_ms: how long, from the first asking of this boot on.
    """

    boot: Annotated[BootId, U64]
    power_mw: Annotated[int, U32]
    span_ms: Annotated[int, U32]


@dataclass(frozen=True, slots=True)
class Leave:
    """Multicast: I go, my flexible loads are off and my floor may be released."""

    floor_mw: Annotated[int, U32]
    autograph: Autograph = NO_AUTOGRAPH


@dataclass(frozen=True, slots=True)
class Forget:
    """Unicast to the broker: an operator says that this silent node is off for good."""

    node: Annotated[NodeId, U64]
