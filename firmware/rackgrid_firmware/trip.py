"""Trips: what the current and the voltage of an output take off, at once and by the node itself.

- *Overcurrent*: at `trip_a` or more, at once, inrush or not: like the magnetic part of a breaker it
  is set above the inrush. A saturated reading counts as what it shows at least; the profile's check
  has seen to it that a meter's end stop lies above `trip_a`.
- *Overload*: a thermal image of what the current heats, a body with one time constant: its heat
  goes towards (I / rating)² and it trips above 1. At a constant current, from cold, that takes
  tau · ln(I² / (I² - rating²)): for ever at the rating, tau · (rating / I)² far above it, so I²t is
  constant there, as with a fuse. Source: IEC 60255-149 (thermal electrical relays), cold curve; the
  hot curve follows from the image. Time that nobody measured cools nothing; `heat` says how hot a
  restart begins.
- *Undervoltage*: once the voltage has been low for `below_ns`, the outputs of the lowest rank among
  those that it is low for; the others wait as long again, and see whether that has helped.

What is dimmed pulses between nothing and all of its current. A meter shows the mean of that, and it
heats as the mean of its square, which is the mean's square divided by the duty. A meter fast enough
to see the pulses themselves makes this too much, by no more than what full power would heat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.sight import Sight, Trip, Watch

SEEN_NS = 1_000_000_000
"""A voltage seen longer ago says nothing of now."""


def heated(watch: Watch, sight: Sight, reading: Reading) -> Sight:
    """Bring the thermal image up to date: the reading stands for the time just past."""
    if not watch.rating_a:
        return sight
    span_ns = max(reading.t_ns - sight.heat_ns, 0) if sight.heat_ns else 0
    share = -math.expm1(-span_ns / watch.tau_ns)
    ratio_squared = (reading.amps / watch.rating_a) ** 2 / sight.duty(reading.t_ns)
    heat = sight.heat + share * (ratio_squared - sight.heat)
    if span_ns > watch.gap_ns:
        heat = max(heat, sight.heat)
    return replace(sight, heat=heat, heat_ns=max(reading.t_ns, 1))


def lit(watch: Watch, sight: Sight, reading: Reading) -> Sight:
    """Note since when the voltage is low for an output that is on."""
    if not watch.below_v:
        return sight
    is_low = sight.on and reading.volts < watch.below_v
    low_since_ns = (sight.low_since_ns or max(reading.t_ns, 1)) if is_low else 0
    return replace(sight, low_since_ns=low_since_ns, seen_ns=reading.t_ns, seen_v=reading.volts)


def overcurrent(watch: Watch, sight: Sight, reading: Reading) -> list[Trip]:
    """Take off what carries too much, now or for too long."""
    if not sight.on:
        return []
    amps = abs(reading.amps)
    shown = f"{amps:.2f} A{' or more' if reading.quality is Quality.SATURATED else ''}"
    if watch.trip_a and amps >= watch.trip_a:
        return [Trip(watch.name, f"overcurrent: {shown}, trips at {watch.trip_a:g} A")]
    if watch.rating_a and sight.heat > 1.0:
        return [Trip(watch.name, f"overload: {shown} for too long, bears {watch.rating_a:g} A")]
    return []


def undervoltage(
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
            f"undervoltage: {sight.seen_v:.2f} V, trips below {watch.below_v:g} V "
            f"after {watch.below_ns / 1e9:g} s",
        )
        for watch, sight in low
        if watch.rank == rank and now_ns - max(sight.low_since_ns, shed_ns) >= watch.below_ns
    ]
    return trips, now_ns if trips else shed_ns
