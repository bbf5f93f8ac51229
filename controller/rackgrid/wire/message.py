"""Everything that one node says to another, one frozen value per kind.

Messages carry state, not changes, and are idempotent: a lost one is repaired by the next. Fields
are integers (mW, ms, micro-currency per kWh) or short names; each field's annotation is its
encoding, and `codec` derives the bytes from the annotations, so this file *is* the wire format,
with `belonging` (what is said of the roster) and `limit`. The sender's identity, boot and the
freshness counters are in the sealed envelope (`seal`), not here.

No clock value crosses the wire: a bid is named by its sequence number, and its sender knows when it
sent it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rackgrid.identity import BootId, Limit, NodeId, Pair, RackId, Round, Stamp
from rackgrid.market.curve import BID_STEPS_MAX
from rackgrid.wire.belonging import NO_AUTOGRAPH as NO_AUTOGRAPH
from rackgrid.wire.belonging import Autograph as Autograph
from rackgrid.wire.belonging import Expelled as Expelled
from rackgrid.wire.belonging import Forget as Forget
from rackgrid.wire.belonging import Join as Join
from rackgrid.wire.belonging import JoinReply as JoinReply
from rackgrid.wire.belonging import Leave as Leave
from rackgrid.wire.belonging import Pledge as Pledge
from rackgrid.wire.belonging import PledgeLine as PledgeLine
from rackgrid.wire.belonging import RosterLine as RosterLine
from rackgrid.wire.belonging import RosterUpdate as RosterUpdate
from rackgrid.wire.limit import ALLOTMENTS_MAX as ALLOTMENTS_MAX
from rackgrid.wire.limit import DATAGRAM_MAX as DATAGRAM_MAX
from rackgrid.wire.limit import EXPELLED_MAX as EXPELLED_MAX
from rackgrid.wire.limit import I64, U8, U16, U32, U64
from rackgrid.wire.limit import LOADS_MAX as LOADS_MAX
from rackgrid.wire.limit import NAME_MAX as NAME_MAX
from rackgrid.wire.limit import NODE_NAME_MAX as NODE_NAME_MAX
from rackgrid.wire.limit import NODES_MAX as NODES_MAX
from rackgrid.wire.limit import OFFERS_MAX as OFFERS_MAX
from rackgrid.wire.limit import PLEDGES_MAX as PLEDGES_MAX
from rackgrid.wire.limit import PROTOCOL_VERSION as PROTOCOL_VERSION
from rackgrid.wire.limit import TEXT_MAX as TEXT_MAX
from rackgrid.wire.vocabulary import LoadKind, Role, Stance, Why


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step of a bid (`market.curve.Step`)."""

    worth_uc: Annotated[int, I64]
    power_mw: Annotated[int, U32]
    reserve_mw: Annotated[int, U32]
    running: bool

    def __post_init__(self) -> None:
        # A ValueError, not an assertion: a peer may say this, and the codec turns it away.
        if self.power_mw > self.reserve_mw > 0:
            raise ValueError("a step reserves at least what it takes")


@dataclass(frozen=True, slots=True)
class OfferReport:
    """One step of a source's offer (`market.offer.Offer`)."""

    source: Annotated[str, NAME_MAX]
    price_uc: Annotated[int, I64]
    power_mw: Annotated[int, U32]


@dataclass(frozen=True, slots=True)
class Report:
    """How a member stands: its bid, its holding and its readings.

    Attributes:
        bid_seq: number of this bid in this boot; a grant answers it and lives from its sending.
        steps: the bid.
        received_mj: flexible energy received so far, mJ.
        holding_mw: what is in force or still switched on above the floor, mW: lowered only after
            the outputs have followed.
        holding_ms: how long it may still be in force, ms, rounded up.
        round_taken: the round of the last grant taken from the followed pair; 0 if none.
        draw_mw: metered draw of the whole node, mW (nameplate where a meter is stale).
        required_mw: the part of it that required loads and the electronics take, mW.
        excess_mw: the draw that is neither floor nor holding (a load that lies, a welded contact),
            mW: it counts as floor (P8).
        capacity_mw: of the feed by this node's own settings, mW: the least of all counts.
        limit: the latest operator's word on the feed that this node knows.
        offers: of the sources that this node speaks for.
    """

    bid_seq: Annotated[int, U32]
    steps: Annotated[tuple[StepReport, ...], BID_STEPS_MAX]
    received_mj: Annotated[int, U64]
    holding_mw: Annotated[int, U32]
    holding_ms: Annotated[int, U32]
    round_taken: Annotated[Round, U32]
    draw_mw: Annotated[int, U32]
    required_mw: Annotated[int, U32]
    excess_mw: Annotated[int, U32]
    capacity_mw: Annotated[int, U32]
    limit: Limit
    offers: Annotated[tuple[OfferReport, ...], OFFERS_MAX]


@dataclass(frozen=True, slots=True)
class LoadStatus:
    """One load as the rest of the rack sees it.

    Attributes:
        level: how much of its full power it is given, %: 0 while it is off, and only of a load that
            modulates anything between 0 and 100.
    """

    name: Annotated[str, NAME_MAX]
    kind: LoadKind
    level: Annotated[int, U8]
    watts_mw: Annotated[int, U32]
    worth_uc: Annotated[int, I64]
    grant_mw: Annotated[int, U32]
    why: Why

    @property
    def on(self) -> bool:
        """Whether it is on."""
        return self.level > 0


@dataclass(frozen=True, slots=True)
class Beacon:
    """Multicast by every node, slowly: I am here, and so are my loads.

    Attributes:
        rack, roster: to which it belongs (0: to none), and the newest that it has stored.
    """

    name: Annotated[str, NODE_NAME_MAX]
    priority: Annotated[int, U16]
    role: Role
    followed: Pair
    rack: Annotated[RackId, U64]
    roster: Stamp
    floor_mw: Annotated[int, U32]
    draw_mw: Annotated[int, U32]
    api_port: Annotated[int, U16]
    loads: Annotated[tuple[LoadStatus, ...], LOADS_MAX]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Multicast by the broker each `heartbeat_s`; answered by `Ack`.

    Attributes:
        rack: which it leads; 0 before there is one.
        founding: it founds the rack, or goes on with a founding: nodes without a roster may vote.
        roster_version: the newest that it has announced under this pair.
        agreed_version: the newest that is agreed under this pair; 0 before the first.
    """

    pair: Pair
    seq: Annotated[int, U32]
    rack: Annotated[RackId, U64]
    founding: bool
    roster_version: Annotated[int, U32]
    agreed_version: Annotated[int, U32]
    round: Annotated[Round, U32]


@dataclass(frozen=True, slots=True)
class Ack:
    """Unicast to the broker: I follow this pair, and this is how I stand.

    Attributes:
        pair: whose heartbeat is answered.
        seq: of that heartbeat; the broker's authority counts from when it sent it.
        votes: false in its quiet time after a start, and while its roster is lost.
        left: the pair that it acted for before this one: a handover rests on it.
        roster: the newest that this node has stored.
    """

    pair: Pair
    seq: Annotated[int, U32]
    votes: bool
    left: Pair
    roster: Stamp
    report: Report


@dataclass(frozen=True, slots=True)
class Allotment:
    """What the clearing gives one node; a grant, once the node takes it.

    Attributes:
        node, boot, bid_seq: which bid this answers.
        grant_mw: power above the floor, mW (0 takes the holding back).
        accepted: mask of the bid's steps that are served.
    """

    node: Annotated[NodeId, U64]
    boot: Annotated[BootId, U64]
    bid_seq: Annotated[int, U32]
    grant_mw: Annotated[int, U32]
    accepted: Annotated[int, U32]


@dataclass(frozen=True, slots=True)
class Price:
    """Multicast by the broker after each clearing: the price, and some or all allotments."""

    pair: Pair
    round: Annotated[Round, U32]
    price_uc: Annotated[int, I64]
    valid_for_ms: Annotated[int, U32]
    capacity_mw: Annotated[int, U32]
    floors_mw: Annotated[int, U32]
    granted_mw: Annotated[int, U32]
    drawn_mw: Annotated[int, U32]
    scarce: bool
    allotments: Annotated[tuple[Allotment, ...], ALLOTMENTS_MAX]


@dataclass(frozen=True, slots=True)
class Remove:
    """Multicast by the broker: this node is silent. Frees no watt (P3)."""

    pair: Pair
    node: Annotated[NodeId, U64]
    silent_ms: Annotated[int, U32]
    reason: Annotated[str, TEXT_MAX]


@dataclass(frozen=True, slots=True)
class Election:
    """Multicast: I stand for this pair; whoever knows a newer roster does not support it."""

    pair: Pair
    priority: Annotated[int, U16]
    nonce: Annotated[int, U64]
    rack: Annotated[RackId, U64]
    roster: Stamp
    founding: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Unicast answer to `Election`; a SUPPORT carries what an ack carries."""

    nonce: Annotated[int, U64]
    stance: Stance
    priority: Annotated[int, U16]
    known: Pair
    report: Report


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Multicast: I lead under this pair; its first price follows in the same breath."""

    pair: Pair
    priority: Annotated[int, U16]


@dataclass(frozen=True, slots=True)
class ClaimReport:
    """What a resigning broker counts for one node: for its boot, and for earlier ones beside it."""

    node: Annotated[NodeId, U64]
    boot: Annotated[BootId, U64]
    running_mw: Annotated[int, U32]
    running_ms: Annotated[int, U32]
    old_mw: Annotated[int, U32]
    old_ms: Annotated[int, U32]


@dataclass(frozen=True, slots=True)
class Resign:
    """Multicast by a broker that stops on purpose: it has stopped granting; elect at once.

    Attributes:
        is_whole: the table is all that may be held above the floors: nobody else has granted.
        table: what its book counts. A successor that the same nodes follow next needs no waits.
    """

    pair: Pair
    is_whole: bool
    table: Annotated[tuple[ClaimReport, ...], NODES_MAX]


@dataclass(frozen=True, slots=True)
class Superseded:
    """Unicast answer to a message of a lower pair: this one is higher."""

    known: Pair


Message = (
    Beacon
    | Join
    | JoinReply
    | RosterUpdate
    | Pledge
    | Heartbeat
    | Ack
    | Price
    | Remove
    | Leave
    | Forget
    | Election
    | Answer
    | Coordinator
    | Resign
    | Superseded
)
