"""Everything that a node can ask for. A batch is in lawful order and is carried out in that order.

The law: a `ReserveTerms` stands before any message that uses the new terms, and a `Remember` before
any message that promises the remembered pair. A `StoreRoster` may take its time: nothing relies on
it before the `RosterStored` that answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rackgrid.core.look import Look, Window
from rackgrid.core.reason import Decision
from rackgrid.core.roster import Roster
from rackgrid.identity import NodeId, Pair
from rackgrid.market.clearing import Clearing
from rackgrid.market.curve import Bid
from rackgrid.market.offer import Offer
from rackgrid.wire.message import Allotment, Message, StepReport
from rackgrid.wire.vocabulary import Role
from rackgrid_firmware.link import Command as FirmwareCommand


@dataclass(frozen=True, slots=True)
class Multicast:
    """Send to the group."""

    message: Message


@dataclass(frozen=True, slots=True)
class Unicast:
    """Send to one node, at the address from which it was last heard."""

    to: NodeId
    message: Message


@dataclass(frozen=True, slots=True)
class Instruct:
    """Tell the firmware."""

    command: FirmwareCommand


@dataclass(frozen=True, slots=True)
class ReserveTerms:
    """Keep durably that terms below `until` may be used by this boot."""

    until: int


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep in memory that outlives the process: this is the highest pair that was acked."""

    pair: Pair


@dataclass(frozen=True, slots=True)
class StoreRoster:
    """Keep this roster durably, beside the loop, and say when it is done (`RosterStored`)."""

    roster: Roster


@dataclass(frozen=True, slots=True)
class RoleChanged:
    """Publish: what this node is, and whom it follows."""

    role: Role
    pair: Pair
    cause: str


@dataclass(frozen=True, slots=True)
class PriceApplied:
    """Publish: this price is in force at this node from now on."""

    pair: Pair
    round: int
    price_uc: int
    valid_for_ns: int
    scarce: bool


@dataclass(frozen=True, slots=True)
class PriceSent:
    """Publish: this node, as broker, has just sent this price."""

    pair: Pair
    round: int
    price_uc: int
    valid_for_ns: int


@dataclass(frozen=True, slots=True)
class RoundCleared:
    """Publish: this node, as broker, has cleared the market: the whole book, and what came of it.

    Attributes:
        floors_mw: what is drawn without being asked for; capacity_mw: what the feed carries.
        room_mw: the further limit on what may be reserved; negative where all is given out.
        price_cap_uc: no price is above it.
        granting: whether the broker had authority to grant; without it there are no allotments.
        allotments: what was granted of what the clearing serves.
        shares: flagged node → with how much of a thousand its bids are counted here; said: flagged
            node → its steps as it said them.
        lasts_ms: node → for how long its allotment counts in its favour.
        at_ns: of its clearing; looks: node → what it drew and what it might, before that.
    """

    pair: Pair
    round: int
    bids: tuple[Bid, ...]
    offers: tuple[Offer, ...]
    floors_mw: int
    capacity_mw: int
    room_mw: int
    price_cap_uc: int
    clearing: Clearing
    granting: bool
    allotments: tuple[Allotment, ...]
    shares: Mapping[NodeId, int] = field(default_factory=lambda: MappingProxyType({}))
    said: Mapping[NodeId, tuple[StepReport, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    lasts_ms: Mapping[NodeId, int] = field(default_factory=lambda: MappingProxyType({}))
    at_ns: int = 0
    looks: Mapping[NodeId, Look] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class NodeJudged:
    """Publish: this node, as broker, holds it against a node that it took more than was granted.

    Or it does so no longer: then nothing is left of its lies.

    Attributes:
        pair: whose judgement it is; window: what it rests on.
        lies: how often that was; share_permille: what it took of a thousand that were granted, less
            what it has made good since.
        is_flagged: whether its bids count with that share from now on.
        is_news: something more is held against it, or nothing any longer; else another window of
            one that is not above suspicion has passed.
    """

    pair: Pair
    node: NodeId
    name: str
    window: Window
    lies: int
    share_permille: int
    is_flagged: bool
    is_news: bool = True


@dataclass(frozen=True, slots=True)
class PriceLost:
    """Publish: the price has expired and is unknown."""


@dataclass(frozen=True, slots=True)
class LoadDecided:
    """Publish: what was decided for a load, and why.

    Attributes:
        is_news: the load or its reason is another one; else only its worth has moved.
    """

    decision: Decision
    is_news: bool = True


@dataclass(frozen=True, slots=True)
class Noted:
    """Publish: something that an operator wants to read (a refusal, a disagreement, an alarm)."""

    text: str


@dataclass(frozen=True, slots=True)
class Left:
    """The node has left or stopped: its driver may end."""


Action = (
    Multicast
    | Unicast
    | Instruct
    | ReserveTerms
    | Remember
    | StoreRoster
    | RoleChanged
    | PriceApplied
    | PriceSent
    | RoundCleared
    | NodeJudged
    | PriceLost
    | LoadDecided
    | Noted
    | Left
)
