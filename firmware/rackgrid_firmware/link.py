"""The words that controller and firmware exchange, and their bytes.

One Unix socket, SOCK_SEQPACKET: a message is a packet, so there is no framing to get wrong. A packet
is one JSON object; its key `k` names the kind. JSON, because the link is local, slow (tens of
packets a second) and the first thing that one looks at with strace when a load does not switch.

Deadlines are absolute CLOCK_MONOTONIC nanoseconds: both ends read the same clock, so a packet that
was delayed in the socket is not a longer hold. A hold renews itself only by a further hold; there is
no "on" without an end.

Pure: no socket here. The firmware does not trust the controller, and the controller does not crash
for the firmware: `decode` returns `Malformed` for whatever is not a message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from rackgrid_firmware.device import Quality, Reading, Verdict

VERSION = 1
PACKET_MAX = 16384
"""Longest packet, bytes; a longer one is refused on both sides."""


# --- controller to firmware ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attach:
    """The controller introduces itself; answered by `Attached` or `Refused`.

    Attributes:
        version: of this vocabulary.
        generation: CLOCK_MONOTONIC at the controller's start, ns: the newest one is the real one.
    """

    version: int
    generation: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the output on until `deadline_ns`, switching it on if its guards allow."""

    seq: int
    output: str
    deadline_ns: int


@dataclass(frozen=True, slots=True)
class Release:
    """Switch the output off; `urgent` passes min-on (safety), nothing passes min-off."""

    seq: int
    output: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class MakeSafe:
    """Bring every output to its safe state now and drop all holds."""

    seq: int


# --- firmware to controller ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """What the board profile says of an output, as far as the controller needs it.

    Attributes:
        name: in the profile.
        required: always on; the market has no say.
        nominal_mw: nameplate power, the most it draws once running, mW.
        inrush_mw: the most it draws while starting, mW (at least `nominal_mw`).
        inrush_ns: how long starting lasts, ns.
        meter: the meter that sees this output, or "".
    """

    name: str
    required: bool
    nominal_mw: int
    inrush_mw: int
    inrush_ns: int
    min_on_ns: int
    min_off_ns: int
    meter: str


@dataclass(frozen=True, slots=True)
class OutputState:
    """How an output stands.

    Attributes:
        on: whether the load is energised.
        since_ns: when that last changed, ns.
        deadline_ns: when it opens by itself; 0 if it is not held.
        may_switch_ns: before this its dwell forbids the next change (off for min-on, on for
            min-off).
        cause: why it is as it is: "held", "released", "deadline", "safe", "boot", "required".
        verdict: what the meter made of the last switch.
    """

    name: str
    on: bool
    since_ns: int
    deadline_ns: int
    may_switch_ns: int
    cause: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Attached:
    """The answer to `Attach`: the board, and what it holds at this moment (to be adopted)."""

    version: int
    board: str
    base_mw: int
    """The node's own electronics, worst case, mW."""
    hold_max_ns: int
    shed_ns: int
    """The longest from a deadline to the open contact, ns."""
    specs: tuple[OutputSpec, ...]
    outputs: tuple[OutputState, ...]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The newest readings and output states; coalesced, and dropped oldest first when unread."""

    t_ns: int
    readings: tuple[Reading, ...]
    outputs: tuple[OutputState, ...]


@dataclass(frozen=True, slots=True)
class Switched:
    """An output changed. Sent at once, after the pin has followed."""

    t_ns: int
    state: OutputState


@dataclass(frozen=True, slots=True)
class Refused:
    """A command was not carried out.

    Attributes:
        seq: of the command; 0 for `Attach`.
        reason: "unknown output", "deadline too far", "deadline past", "busy", "version", ...
        retry_ns: when the same command may work, absolute; 0 if never.
    """

    seq: int
    output: str
    reason: str
    retry_ns: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """What `decode` makes of a packet that is not a message."""

    reason: str


Command = Attach | Hold | Release | MakeSafe
Report = Attached | Telemetry | Switched | Refused
