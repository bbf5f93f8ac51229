"""Everything that can happen to a node. Each carries the local monotonic time at which it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from rackgrid.identity import BootId, NodeId, Stamp
from rackgrid.market.offer import Offer
from rackgrid.wire.message import Message
from rackgrid_firmware.link import Report as FirmwareReport


@dataclass(frozen=True, slots=True)
class DatagramReceived:
    """An authentic datagram arrived.

    Attributes:
        sender, boot: from the sealed envelope.
        unicast: whether it was sent to this node alone.
    """

    now_ns: int
    sender: NodeId
    boot: BootId
    unicast: bool
    message: Message


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The deadline that the node asked for has come, or time passed for another reason."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class FirmwareReported:
    """The firmware said something."""

    now_ns: int
    report: FirmwareReport


@dataclass(frozen=True, slots=True)
class FirmwareLost:
    """The link to the firmware is gone."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class OffersChanged:
    """The sources that this node speaks for offer something else now."""

    now_ns: int
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class WorthsChanged:
    """What loads of this node have to do makes them worth something else now.

    Attributes:
        worths_uc: by name, micro-currency per kWh; None: it wants nothing. What is not in it is
            worth what the settings say.
    """

    now_ns: int
    worths_uc: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class CapacityChanged:
    """The operator says that the feed gives more or less."""

    now_ns: int
    capacity_mw: int


@dataclass(frozen=True, slots=True)
class LoopLate:
    """The driver's own loop ran late by `late_ns`: accuse nobody on this evidence."""

    now_ns: int
    late_ns: int


@dataclass(frozen=True, slots=True)
class RosterStored:
    """The roster that an action asked to keep is on the disk, for good."""

    now_ns: int
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class ForgetRequested:
    """The operator says that a silent node is off for good: its floor may be released."""

    now_ns: int
    node: NodeId


@dataclass(frozen=True, slots=True)
class AllowRequested:
    """The operator says how high a node ranks, or how large its floor may become; None: as it is.

    Only a broker can follow it.
    """

    now_ns: int
    node: NodeId
    priority: int | None
    floor_max_mw: int | None


@dataclass(frozen=True, slots=True)
class ExpelRequested:
    """The operator puts a node out that is not to be trusted any more; only a broker follows it."""

    now_ns: int
    node: NodeId


@dataclass(frozen=True, slots=True)
class HandoverRequested:
    """The operator wants another broker."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class RecoverRequested:
    """The operator says that all nodes which are not heard are off, and a majority is gone."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class LeaveRequested:
    """The operator takes this node out: loads off, then LEAVE."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The controller stops: resign, and let the outputs run on to their deadlines.

    Attributes:
        restarts: it is to be back soon (SIGTERM): ask first that they may run on for so long.
    """

    now_ns: int
    restarts: bool = True


class Tend(Enum):
    """What is to be done about an output."""

    CLEAR = "clear"
    LOCK = "lock"
    UNLOCK = "unlock"


@dataclass(frozen=True, slots=True)
class OutputRequested:
    """The operator wants a fault forgotten, or a load locked out, or used again."""

    now_ns: int
    load: str
    what: Tend


Request = (
    ForgetRequested
    | AllowRequested
    | ExpelRequested
    | HandoverRequested
    | RecoverRequested
    | LeaveRequested
    | StopRequested
    | OutputRequested
)
"""What an operator asks for."""

Event = (
    DatagramReceived
    | TimePassed
    | FirmwareReported
    | FirmwareLost
    | OffersChanged
    | WorthsChanged
    | CapacityChanged
    | LoopLate
    | RosterStored
    | Request
)
