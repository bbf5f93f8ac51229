"""What the meters say about the outputs: trips, and verdicts on their contacts.

Pure, like the guard: readings and switchings come as events with their times, and what is to be
done comes back as `Trip`s, which the guard carries out and latches. The nouns are in `sight`;
whoever needs protection finds all of it here.

**Trips** are local, and need neither the market nor a network: see `trip`.

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

Anything else proves nothing, nor does how little flows through an output that is dimmed: its meter
may have looked between two pulses. An accusation takes few samples in a row, an acquittal many: a
load that only idles for a moment must not pass for one that is off. Welded and stuck are latched
until somebody clears them; cleared in vain, they come back with the next samples. A missing load is
latched, too, as a notice: it takes nothing off and keeps nothing from being tried, and it stands
while the output is off, until the load is seen to draw or somebody clears it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rackgrid_firmware import trip
from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.link import FAULT_MAX
from rackgrid_firmware.sight import (
    WINDOW_NS,
    ZERO_A,
    Cleared,
    Moved,
    Read,
    Sight,
    Sights,
    Trip,
    Watch,
)

__all__ = [
    "ACCUSED_AFTER",
    "ACQUITTED_AFTER",
    "LATCHED",
    "ZERO_A",
    "Cleared",
    "Event",
    "Moved",
    "Read",
    "Sight",
    "Sights",
    "Trip",
    "Watch",
    "begin",
    "step",
    "verdicts",
]

ACCUSED_AFTER = 3
"""So many samples in a row accuse a contact."""
ACQUITTED_AFTER = 10
"""So many in a row acquit it, or find a load missing."""
RELEASE_NS = 10_000_000
"""A relay's release time, at most (SRD-05VDC data sheet)."""
LIVE_V = 2.0
"""Without so much voltage a meter cannot tell a load from none."""
NAMEPLATE_SLACK = 1.05
"""A nameplate is not exact, nor is a meter."""

LATCHED = frozenset({Verdict.WELDED, Verdict.STUCK_OPEN})
_KEPT = LATCHED | {Verdict.NO_LOAD}
"""What a switch alone does not put in doubt again."""

Event = Read | Moved | Cleared


def begin(
    watches: Sequence[Watch],
    is_on: Mapping[str, bool],
    now_ns: int,
    heats: Mapping[str, float] | None = None,
) -> Sights:
    """Begin to watch, knowing only how each output is switched.

    Args:
        heats: of the thermal images, by output; else they are cold.
    """
    known = heats or {}
    return Sights(
        tuple(
            Sight(is_on.get(watch.name, False), now_ns, heat=known.get(watch.name, 0.0))
            for watch in watches
        )
    )


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
        case Moved(output=name):
            return _changed(watches, sights, name, lambda sight: _moved(sight, event)), ()
        case Cleared(output=name):
            return _changed(watches, sights, name, _cleared), ()


def _moved(sight: Sight, moved: Moved) -> Sight:
    """Note a switch, after which nothing is known yet of the contact; a level is none."""
    if moved.on and sight.on:
        return replace(sight, level=moved.level, level_ns=moved.now_ns, against=0, favour=0)
    verdict = sight.verdict if sight.verdict in _KEPT else Verdict.UNKNOWN
    heat, heat_ns = sight.heat, sight.heat_ns
    return Sight(moved.on, moved.now_ns, verdict, heat=heat, heat_ns=heat_ns, level=moved.level)


def _cleared(sight: Sight) -> Sight:
    return replace(sight, verdict=Verdict.UNKNOWN, is_cleared=False, against=0, favour=0)


def _changed(
    watches: Sequence[Watch],
    sights: Sights,
    name: str,
    change: Callable[[Sight], Sight],
) -> Sights:
    outputs = tuple(
        change(sight) if watch.name == name else sight
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
        outputs[at] = trip.lit(watches[at], trip.heated(watches[at], outputs[at], reading), reading)
        trips += trip.overcurrent(watches[at], outputs[at], reading)
    low, shed_ns = trip.undervoltage(watches, outputs, reading, sights.shed_ns)
    trips += low
    if abs(reading.volts) >= LIVE_V:
        trips += _judge(watches, outputs, behind, reading)
    return Sights(tuple(outputs), shed_ns), tuple(trips)


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
        elif drawn_w <= max(zero_w, watch.least_w if len(on) == 1 else 0.0) and not sight.is_dimmed:
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
    return now_ns - sight.moved_ns >= moving_ns + WINDOW_NS


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
    # That an open contact lets nothing through says nothing of the load behind it.
    kept = LATCHED if sight.on else _KEPT
    verdict = sight.verdict if sight.verdict in kept else Verdict.OK
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
