"""What the meters say about the outputs: trips, and verdicts on their contacts.

Pure, like the guard: readings and switchings come as events with their times, and what is to be
done comes back as `Trip`s, which the guard carries out and latches.

**Trips** are local, and need neither the market nor a network:

- *Overcurrent*: at `trip_a` or more, at once, inrush or not: like the magnetic part of a breaker it
  is set above the inrush. A saturated reading counts as what it shows at least; the profile's check
  has seen to it that a meter's end stop lies above `trip_a`.
- *Overload*: a thermal image of what the current heats, a body with one time constant: its heat
  goes towards (I / rating)² and it trips above 1. At a constant current, from cold, that takes
  tau · ln(I² / (I² - rating²)): for ever at the rating, tau · (rating / I)² far above it, so I²t is
  constant there, as with a fuse. Source: IEC 60255-149 (thermal electrical relays), cold curve; the
  hot curve follows from the image. Time that nobody measured cools nothing; a restart starts cold.
- *Undervoltage*: once the voltage has been low for `below_ns`, the outputs of the lowest rank among
  those that it is low for; the others wait as long again, and see whether that has helped.

**Verdicts** rest on what a meter proves, whether it sees one output or several. Each output that is
on draws between nothing and its nameplate, each one that is off nothing; so, once everything behind
the meter has settled,

- more than the nameplates of all that are on: something that is off draws. *Welded* are all those
  that have not been seen to be off since they were switched off: on a meter of its own just that
  one; on a shared one the fresh suspects together, since nothing tells them apart, and to count one
  load too many as floor is the safe side. (A load that lies about its nameplate can raise the same
  alarm: also something that somebody must look at.)
- nothing at all: whatever is off is off (`ok`), whatever is on draws nothing: `no_load`, or, where
  the profile promises a least draw, `stuck_open`.
- more than the nameplates of all others that are on, with all that is off seen to be off: this one
  draws (`ok`).

Anything else proves nothing. An accusation takes few samples in a row, an acquittal many: a load
that only idles for a moment must not pass for one that is off. Welded and stuck are latched until
somebody clears them; cleared in vain, they come back with the next samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.link import FAULT_MAX

ACCUSED_AFTER = 3
"""So many samples in a row accuse a contact."""
ACQUITTED_AFTER = 10
"""So many in a row acquit it, or find a load missing."""
RELEASE_NS = 10_000_000
"""A relay's release time, at most (SRD-05VDC data sheet)."""
WINDOW_NS = 200_000_000
"""A reading averages over no more than this before it (INA219: 136 ms); a slower chip's first
sample may reach back further, which the next ones in the row do not."""
GAP_NS = 2_000_000_000
"""A longer time between two readings is time that nobody measured."""
SEEN_NS = 1_000_000_000
"""A voltage seen longer ago says nothing of now."""
LIVE_V = 2.0
"""Without so much voltage a meter cannot tell a load from none."""
ZERO_A = 0.005
"""Less is never called a current: leakage and noise."""
NAMEPLATE_SLACK = 1.05
"""A nameplate is not exact, nor is a meter."""

LATCHED = frozenset({Verdict.WELDED, Verdict.STUCK_OPEN})


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be watched at one output.

    Attributes:
        name: of the output; meter: that sees it, or "".
        required: it is not taken off for being stuck: it is off already, against its will.
        most_w: nameplate, W.
        inrush_ns: how long it starts, ns; discharge_ns: how long it may draw once it has opened.
        leak_w, least_w: what flows when it is off, and at least when it is on, W.
        zero_a: what its meter may show when nothing flows (three standard deviations), A.
        trip_a, rating_a, tau_ns, below_v, below_ns, rank: of its trips; 0 A or 0 V for none.
    """

    name: str
    meter: str
    required: bool
    most_w: float
    inrush_ns: int = 0
    discharge_ns: int = 1_000_000_000
    leak_w: float = 0.0
    least_w: float = 0.0
    zero_a: float = ZERO_A
    trip_a: float = 0.0
    rating_a: float = 0.0
    tau_ns: int = 60_000_000_000
    below_v: float = 0.0
    below_ns: int = 1_000_000_000
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """What has been seen of one output.

    Attributes:
        on, since_ns: how it was switched, and when, ns.
        verdict: on its contact.
        is_cleared: whether it has been seen to be off since it was switched off.
        against, favour: samples in a row that accuse it, and that acquit it.
        heat, heat_ns: of the thermal image (1 trips), and when it was last brought up to date.
        low_since_ns, seen_ns: since when its voltage is low (0: it is not), and when that was seen.
    """

    on: bool
    since_ns: int
    verdict: Verdict = Verdict.UNKNOWN
    is_cleared: bool = False
    against: int = 0
    favour: int = 0
    heat: float = 0.0
    heat_ns: int = 0
    low_since_ns: int = 0
    seen_ns: int = 0


@dataclass(frozen=True, slots=True)
class Sights:
    """What has been seen: one for each watch, and when undervoltage last took something off, ns."""

    outputs: tuple[Sight, ...]
    shed_ns: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """A meter has a new reading; its time is the reading's own."""

    reading: Reading


@dataclass(frozen=True, slots=True)
class Moved:
    """An output was switched."""

    now_ns: int
    output: str
    on: bool


@dataclass(frozen=True, slots=True)
class Cleared:
    """Somebody has looked into an output's fault."""

    output: str


@dataclass(frozen=True, slots=True)
class Trip:
    """Take this output off, and latch why.

    Attributes:
        is_welded: the contact gives power though its pin says no.
    """

    output: str
    reason: str
    is_welded: bool = False


Event = Read | Moved | Cleared


def begin(watches: Sequence[Watch], is_on: Mapping[str, bool], now_ns: int) -> Sights:
    """Begin to watch, knowing only how each output is switched."""
    return Sights(tuple(Sight(is_on.get(watch.name, False), now_ns) for watch in watches))


def verdicts(watches: Sequence[Watch], sights: Sights) -> dict[str, Verdict]:
    """Give the verdict on each output."""
    return {w.name: sight.verdict for w, sight in zip(watches, sights.outputs, strict=True)}


def step(watches: Sequence[Watch], sights: Sights, event: Event) -> tuple[Sights, tuple[Trip, ...]]:
    """Take in what happened; total.

    Returns:
        What has been seen by now, and what must go off, the worst reason first for each output.
    """
    match event:
        case Read(reading=reading):
            return _read(watches, sights, reading)
        case Moved(output=name, on=on):
            return _changed(watches, sights, name, _moved, event.now_ns, on), ()
        case Cleared(output=name):
            return _changed(watches, sights, name, _cleared, 0, False), ()


def _moved(sight: Sight, now_ns: int, on: bool) -> Sight:
    verdict = sight.verdict if sight.verdict in LATCHED else Verdict.UNKNOWN
    return Sight(on, now_ns, verdict, heat=sight.heat, heat_ns=sight.heat_ns)


def _cleared(sight: Sight, _now_ns: int, _on: bool) -> Sight:
    return replace(sight, verdict=Verdict.UNKNOWN, is_cleared=True, against=0, favour=0)


def _changed(
    watches: Sequence[Watch],
    sights: Sights,
    name: str,
    change: Callable[[Sight, int, bool], Sight],
    now_ns: int,
    on: bool,
) -> Sights:
    outputs = tuple(
        change(sight, now_ns, on) if watch.name == name else sight
        for watch, sight in zip(watches, sights.outputs, strict=True)
    )
    return replace(sights, outputs=outputs)


def _read(
    watches: Sequence[Watch], sights: Sights, reading: Reading
) -> tuple[Sights, tuple[Trip, ...]]:
    behind = [at for at, watch in enumerate(watches) if watch.meter == reading.meter]
    if reading.quality is Quality.STALE or not behind:
        return sights, ()
    outputs, trips = list(sights.outputs), list[Trip]()
    for at in behind:
        outputs[at] = _lit(watches[at], _heated(watches[at], outputs[at], reading), reading)
        trips += _overcurrent(watches[at], outputs[at], reading)
    low, shed_ns = _undervoltage(watches, outputs, reading, sights.shed_ns)
    trips += low
    if abs(reading.volts) >= LIVE_V:
        trips += _judge(watches, outputs, behind, reading)
    return Sights(tuple(outputs), shed_ns), tuple(trips)


# --- trips --------------------------------------------------------------------------------------


def _heated(watch: Watch, sight: Sight, reading: Reading) -> Sight:
    """Bring the thermal image up to date: the reading stands for the time just past."""
    if not watch.rating_a:
        return sight
    span_ns = max(reading.t_ns - sight.heat_ns, 0) if sight.heat_ns else 0
    share = -math.expm1(-span_ns / watch.tau_ns)
    heat = sight.heat + share * ((reading.amps / watch.rating_a) ** 2 - sight.heat)
    if span_ns > GAP_NS:
        heat = max(heat, sight.heat)
    return replace(sight, heat=heat, heat_ns=max(reading.t_ns, 1))


def _lit(watch: Watch, sight: Sight, reading: Reading) -> Sight:
    """Note since when the voltage is low for an output that is on."""
    if not watch.below_v:
        return sight
    is_low = sight.on and reading.volts < watch.below_v
    low_since_ns = (sight.low_since_ns or max(reading.t_ns, 1)) if is_low else 0
    return replace(sight, low_since_ns=low_since_ns, seen_ns=reading.t_ns)


def _overcurrent(watch: Watch, sight: Sight, reading: Reading) -> list[Trip]:
    if not sight.on:
        return []
    amps = abs(reading.amps)
    shown = f"{amps:.2f} A{' or more' if reading.quality is Quality.SATURATED else ''}"
    if watch.trip_a and amps >= watch.trip_a:
        return [Trip(watch.name, f"overcurrent: {shown}, trips at {watch.trip_a:g} A")]
    if watch.rating_a and sight.heat > 1.0:
        return [Trip(watch.name, f"overload: {shown} for too long, bears {watch.rating_a:g} A")]
    return []


def _undervoltage(
    watches: Sequence[Watch], outputs: Sequence[Sight], reading: Reading, shed_ns: int
) -> tuple[list[Trip], int]:
    """Take off the least important of what has too little voltage, a stage at a time."""
    now_ns = reading.t_ns
    low = [
        (watch, sight)
        for watch, sight in zip(watches, outputs, strict=True)
        if sight.on and sight.low_since_ns and now_ns - sight.seen_ns <= SEEN_NS
    ]
    rank = min((watch.rank for watch, _ in low), default=0)
    trips = [
        Trip(
            watch.name,
            f"undervoltage: {reading.volts:.2f} V, trips below {watch.below_v:g} V "
            f"after {watch.below_ns / 1e9:g} s",
        )
        for watch, sight in low
        if watch.rank == rank and now_ns - max(sight.low_since_ns, shed_ns) >= watch.below_ns
    ]
    return trips, now_ns if trips else shed_ns


# --- verdicts -----------------------------------------------------------------------------------


def _judge(
    watches: Sequence[Watch], outputs: list[Sight], behind: Sequence[int], reading: Reading
) -> list[Trip]:
    """Judge everything behind one meter, if all of it has settled."""
    if not all(_is_settled(watches[at], outputs[at], reading.t_ns) for at in behind):
        return []
    drawn_w = abs(reading.watts)
    zero_w = _zero_w(watches, outputs, behind, reading)
    on = [at for at in behind if outputs[at].on]
    most_w = sum(watches[at].most_w for at in on) * NAMEPLATE_SLACK
    suspects = _suspects(outputs, behind, on) if drawn_w > most_w + zero_w else []
    trips: list[Trip] = []
    for at in behind:
        watch, sight = watches[at], outputs[at]
        if at in suspects:
            outputs[at] = _accused(sight, Verdict.WELDED)
        elif not sight.on:
            outputs[at] = _acquitted(sight) if drawn_w <= zero_w else replace(sight, against=0)
        elif drawn_w <= max(zero_w, watch.least_w if len(on) == 1 else 0.0):
            verdict = Verdict.STUCK_OPEN if watch.least_w else Verdict.NO_LOAD
            outputs[at] = _accused(sight, verdict)
        elif _is_proven(watches, outputs, behind, at, drawn_w - zero_w):
            outputs[at] = _acquitted(sight)
        else:
            outputs[at] = replace(sight, against=0)
        if outputs[at].verdict is not sight.verdict:
            trips += _consequence(watch, outputs[at].verdict, drawn_w, len(suspects), reading)
    return trips


def _is_settled(watch: Watch, sight: Sight, now_ns: int) -> bool:
    moving_ns = watch.inrush_ns if sight.on else RELEASE_NS + watch.discharge_ns
    return now_ns - sight.since_ns >= moving_ns + WINDOW_NS


def _zero_w(
    watches: Sequence[Watch], outputs: Sequence[Sight], behind: Sequence[int], reading: Reading
) -> float:
    """Say how many watts may be shown when nothing is drawn."""
    leak_w = sum(watches[at].leak_w for at in behind if not outputs[at].on)
    zero_a = max(ZERO_A, *(watches[at].zero_a for at in behind))
    return max(leak_w, zero_a * abs(reading.volts))


def _suspects(outputs: Sequence[Sight], behind: Sequence[int], on: Sequence[int]) -> list[int]:
    """Say which of those that are off may be the one that draws."""
    off = [at for at in behind if at not in on]
    fresh = [at for at in off if not outputs[at].is_cleared]
    return fresh if fresh or on else off


def _is_proven(
    watches: Sequence[Watch],
    outputs: Sequence[Sight],
    behind: Sequence[int],
    at: int,
    drawn_w: float,
) -> bool:
    """Whether an output that is on must draw: the others cannot draw as much."""
    others = [other for other in behind if other != at]
    if any(not outputs[other].on and not outputs[other].is_cleared for other in others):
        return False
    others_w = sum(watches[other].most_w for other in others if outputs[other].on)
    return drawn_w > others_w * NAMEPLATE_SLACK


def _accused(sight: Sight, verdict: Verdict) -> Sight:
    needed = ACQUITTED_AFTER if verdict is Verdict.NO_LOAD else ACCUSED_AFTER
    against = min(sight.against + 1, needed)
    if against < needed or sight.verdict in LATCHED:
        return replace(sight, against=against, favour=0)
    return replace(sight, against=against, favour=0, verdict=verdict, is_cleared=False)


def _acquitted(sight: Sight) -> Sight:
    favour = min(sight.favour + 1, ACQUITTED_AFTER)
    if favour < ACQUITTED_AFTER:
        return replace(sight, favour=favour, against=0)
    verdict = sight.verdict if sight.verdict in LATCHED else Verdict.OK
    return replace(sight, favour=favour, against=0, verdict=verdict, is_cleared=not sight.on)


def _consequence(
    watch: Watch, verdict: Verdict, drawn_w: float, suspects: int, reading: Reading
) -> list[Trip]:
    if verdict is Verdict.WELDED:
        whose = f"; meter {reading.meter} cannot tell which of {suspects}" if suspects > 1 else ""
        reason = f"welded: switched off, and {drawn_w:.1f} W flow{whose}"
        return [Trip(watch.name, reason[:FAULT_MAX], is_welded=True)]
    if verdict is Verdict.STUCK_OPEN and not watch.required:
        reason = f"stuck open: switched on, and {drawn_w:.1f} W flow, at least {watch.least_w:g} W"
        return [Trip(watch.name, f"{reason} belong there"[:FAULT_MAX])]
    return []
