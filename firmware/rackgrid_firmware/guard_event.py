"""The guard's verbs: what happens to it, with the time at which it does, and what it wants done."""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.link import Clear, Hold, Lock, Refused, Release


@dataclass(frozen=True, slots=True)
class HoldAsked:
    """The controller sent a hold."""

    now_ns: int
    hold: Hold


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """The controller sent a release."""

    now_ns: int
    release: Release


@dataclass(frozen=True, slots=True)
class SafeAsked:
    """Someone wants every output safe: the controller, or the process because it ends."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class Tripped:
    """What the meters show takes an output off, or bars one that is off already.

    Attributes:
        reason: what a person reads.
        is_welded: the contact gives power though its pin says no.
    """

    now_ns: int
    output: str
    reason: str
    is_welded: bool = False


@dataclass(frozen=True, slots=True)
class ClearAsked:
    """Somebody says on purpose that a fault is over."""

    now_ns: int
    clear: Clear


@dataclass(frozen=True, slots=True)
class LockAsked:
    """Somebody locks an output out for maintenance, or ends that."""

    now_ns: int
    lock: Lock


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A controller is in charge: what is required, and was off only to be safe, may come back."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened but time."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class Drive:
    """Switch the output on, at this level (thousandths of full power), or off."""

    output: str
    on: bool
    cause: str
    level: int = LEVEL_FULL


@dataclass(frozen=True, slots=True)
class Modulate:
    """Give an output that is on another part of its power; no switch, so nobody is told at once."""

    output: str
    level: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the controller that its command was not carried out."""

    refused: Refused


Event = (
    HoldAsked | ReleaseAsked | SafeAsked | Tripped | ClearAsked | LockAsked | TakenOver | TimePassed
)
Action = Drive | Modulate | Refuse
