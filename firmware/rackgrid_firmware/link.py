"""The words that controller and firmware exchange, and their bytes.

One Unix socket, SOCK_SEQPACKET: a packet is a message, one JSON object whose key `k` names its
kind. JSON, because the link is local, slow, and the first thing to look at in trouble.

Deadlines are absolute CLOCK_MONOTONIC ns: both ends read the same clock, so a packet that was
delayed in the socket is no longer hold. There is no "on" without an end.

A level of full power is left out, and one that is left out is full power: so a board without
outputs that modulate says what it said before there were any, and either end may be the older one.

Pure: no socket here. The firmware does not trust the controller, and the controller does not crash
for the firmware: `decode` returns `Malformed` for whatever is not a message.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum

from rackgrid_firmware.device import LEVEL_FULL, Accuracy, Quality, Reading, Verdict
from rackgrid_firmware.unpack import Fields, MismatchError, whole_object

VERSION = 2
PACKET_MAX = 32768
"""Longest packet, bytes; a longer one is refused on both sides."""
FAULT_MAX = 120
"""Longest reason of a fault, characters: as many outputs as a board has must fit into a packet."""


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
    """Keep the output on until `deadline_ns`; if it `starts`, also switch it on if guards allow.

    A renewal does not start: arriving after the old deadline, it would start the load, with its
    inrush, under a grant for a running one.

    An output that modulates is given `level`, in thousandths of full power, from now on; a change
    of level is no switch. What does not modulate knows full power only.
    """

    seq: int
    output: str
    deadline_ns: int
    starts: bool = True
    level: int = LEVEL_FULL


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


@dataclass(frozen=True, slots=True)
class Clear:
    """Somebody looked into an output's fault: forget it, and what its meter made of it."""

    seq: int
    output: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Lock an output out for maintenance (`locked`), or let it be used again.

    A locked output is off and stays off, through restarts and reboots, whoever asks for it.
    """

    seq: int
    output: str
    locked: bool


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
        contact_life: how often its contact can close in its life; 0 if the profile does not say.
        min_level: the least power that it can be given while on, in thousandths; `LEVEL_FULL` if it
            does not modulate.
    """

    name: str
    required: bool
    nominal_mw: int
    inrush_mw: int
    inrush_ns: int
    min_on_ns: int
    min_off_ns: int
    meter: str
    contact_life: int = 0
    min_level: int = LEVEL_FULL


@dataclass(frozen=True, slots=True)
class OutputState:
    """How an output stands.

    Attributes:
        on: whether the load is energised.
        since_ns: when that last changed, ns.
        deadline_ns: when it opens by itself; 0 if it is not held.
        may_switch_ns: before this its dwell forbids the next change (off for min-on, on for
            min-off).
        cause: why it is as it is: "held", "released", "deadline", "safe", "boot", "required",
            "tripped", "locked", "excluded" (by one that welded).
        verdict: what the meter made of the last switch.
        fault: what took it off until somebody clears it, as a sentence; "" if nothing did.
        is_locked: whether it is locked out for maintenance.
        switches: how often it has closed in its life.
        level: the power that it is given while on, in thousandths of full power.
    """

    name: str
    on: bool
    since_ns: int
    deadline_ns: int
    may_switch_ns: int
    cause: str
    verdict: Verdict
    fault: str = ""
    is_locked: bool = False
    switches: int = 0
    level: int = LEVEL_FULL


@dataclass(frozen=True, slots=True)
class MeterSpec:
    """What is known of a meter: its name in the profile, and how far it may be believed."""

    name: str
    accuracy: Accuracy


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
    meters: tuple[MeterSpec, ...] = ()
    """The meters whose accuracy is known."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The newest readings and output states; coalesced, and dropped oldest first when unread.

    `handled`, here and in `Switched`, is the highest `seq` that this link has decided on: what an
    output does about a command shows only from there on.
    """

    t_ns: int
    readings: tuple[Reading, ...]
    outputs: tuple[OutputState, ...]
    handled: int = 0


@dataclass(frozen=True, slots=True)
class Switched:
    """An output changed. Sent at once, after the pin has followed."""

    t_ns: int
    state: OutputState
    handled: int = 0


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


Command = Attach | Hold | Release | MakeSafe | Clear | Lock
Report = Attached | Telemetry | Switched | Refused

_KINDS: dict[type, str] = {
    Attach: "attach",
    Hold: "hold",
    Release: "release",
    MakeSafe: "make_safe",
    Clear: "clear",
    Lock: "lock",
    Attached: "attached",
    Telemetry: "telemetry",
    Switched: "switched",
    Refused: "refused",
}


def encode(message: Command | Report) -> bytes:
    """Turn a message into a packet of at most `PACKET_MAX` bytes."""
    kind = _KINDS[type(message)]
    packet = _ENCODER.encode({"k": kind, **_plain_fields(message)}).encode("ascii")
    assert len(packet) <= PACKET_MAX, f"a packet ({kind}) of {len(packet)} bytes"
    return packet


def decode(packet: bytes) -> Command | Report | Malformed:
    """Read a packet; total: whatever the bytes are, it never raises; `Malformed` says why not."""
    if len(packet) > PACKET_MAX:
        return Malformed(f"{len(packet)} bytes, more than {PACKET_MAX}")
    try:
        value = _DECODER.decode(packet.decode("utf-8"))
        return whole_object(value, lambda f: f.choice("k", _READERS)(f))
    except MismatchError as mismatch:
        return Malformed(str(mismatch))
    except (ValueError, RecursionError) as error:
        return Malformed(f"not JSON: {type(error).__name__}")


def _plain_fields(value: object) -> dict[str, object]:
    return {
        name: field
        for name in _FIELD_NAMES[type(value)]
        if (field := getattr(value, name)) != LEVEL_FULL or name not in _LEVELS
    }


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else _plain_fields(value)


def _refuse_constant(name: str) -> float:
    raise MismatchError(f"{name} is not a number")


_LEVELS = frozenset({"level", "min_level"})
_FIELD_NAMES: dict[type, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (*_KINDS, Reading, OutputSpec, OutputState, MeterSpec, Accuracy)
}
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain)
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _level(f: Fields, name: str) -> int:
    return f.whole_or(name, LEVEL_FULL, 1, LEVEL_FULL)


def _reading(f: Fields) -> Reading:
    return Reading(
        meter=f.text("meter"),
        t_ns=f.whole("t_ns"),
        volts=f.number("volts"),
        amps=f.number("amps"),
        energy_mj=f.whole("energy_mj"),
        quality=f.choice("quality", _QUALITIES),
        estimated_mj=f.whole("estimated_mj"),
    )


def _spec(f: Fields) -> OutputSpec:
    return OutputSpec(
        name=f.text("name"),
        required=f.flag("required"),
        nominal_mw=f.whole("nominal_mw"),
        inrush_mw=f.whole("inrush_mw"),
        inrush_ns=f.whole("inrush_ns"),
        min_on_ns=f.whole("min_on_ns"),
        min_off_ns=f.whole("min_off_ns"),
        meter=f.text("meter"),
        contact_life=f.whole("contact_life"),
        min_level=_level(f, "min_level"),
    )


def _state(f: Fields) -> OutputState:
    return OutputState(
        name=f.text("name"),
        on=f.flag("on"),
        since_ns=f.whole("since_ns"),
        deadline_ns=f.whole("deadline_ns"),
        may_switch_ns=f.whole("may_switch_ns"),
        cause=f.text("cause"),
        verdict=f.choice("verdict", _VERDICTS),
        fault=f.text("fault"),
        is_locked=f.flag("is_locked"),
        switches=f.whole("switches"),
        level=_level(f, "level"),
    )


def _attached(f: Fields) -> Attached:
    return Attached(
        version=f.whole("version"),
        board=f.text("board"),
        base_mw=f.whole("base_mw"),
        hold_max_ns=f.whole("hold_max_ns"),
        shed_ns=f.whole("shed_ns"),
        specs=f.items("specs", _spec),
        outputs=f.items("outputs", _state),
        meters=f.items("meters", _meter_spec),
    )


def _meter_spec(f: Fields) -> MeterSpec:
    return MeterSpec(f.text("name"), f.item("accuracy", _accuracy))


def _accuracy(f: Fields) -> Accuracy:
    return Accuracy(
        amps_gain=f.number("amps_gain"),
        amps_offset_a=f.number("amps_offset_a"),
        volts_gain=f.number("volts_gain"),
        volts_offset_v=f.number("volts_offset_v"),
        calibrated=f.text("calibrated"),
    )


_QUALITIES = {quality.value: quality for quality in Quality}
_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_READERS: dict[str, Callable[[Fields], Command | Report]] = {
    "attach": lambda f: Attach(f.whole("version"), f.whole("generation")),
    "hold": lambda f: Hold(
        f.whole("seq"),
        f.text("output"),
        f.whole("deadline_ns"),
        f.flag("starts"),
        _level(f, "level"),
    ),
    "release": lambda f: Release(f.whole("seq"), f.text("output"), f.flag("urgent")),
    "make_safe": lambda f: MakeSafe(f.whole("seq")),
    "clear": lambda f: Clear(f.whole("seq"), f.text("output")),
    "lock": lambda f: Lock(f.whole("seq"), f.text("output"), f.flag("locked")),
    "attached": _attached,
    "telemetry": lambda f: Telemetry(
        f.whole("t_ns"),
        f.items("readings", _reading),
        f.items("outputs", _state),
        f.whole("handled"),
    ),
    "switched": lambda f: Switched(f.whole("t_ns"), f.item("state", _state), f.whole("handled")),
    "refused": lambda f: Refused(
        f.whole("seq"), f.text("output"), f.text("reason"), f.whole("retry_ns")
    ),
}
