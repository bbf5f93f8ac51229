"""From readings against a reference to gain, offset and what they are worth. Pure.

A meter's raw reading x (gain 1, offset 0) and the reference's y at the same current make a point;
the first point is the load switched off, where y is 0 without any instrument. The line y = g·x + o
by least squares is the calibration. Its uncertainty is put together as the GUM has it: a standard
uncertainty per cause, each carried to g and o by how much they change with it, added as squares,
and stated with k = 2.

- Noise: the readings' deviation over √n, and one step of the converter as a rectangle, since a
  quiet input may sit anywhere within a step however often it is read. Independent per point.
- The reference's own accuracy, "0.5 % + 2 mA": bounds, so rectangles. One instrument was used, and
  its errors are the same at every point: a gain error of 0.5 % goes to g in full, and no number of
  points averages it away. Its constant part is counted as common to all points or as independent,
  whichever is worse.
- What the line does not explain: the largest residual, as a bound.

A bad point is not averaged in but refused, with its reason: whoever stands in front of the bench
can put it right now.

Sources: JCGM 100:2008 (GUM), 4.2.3, 4.3.7, 5.1.2, 5.2.2 (common causes), 6.2.1, H.3 (calibration
line); ISO 13528:2022, 9.7 (E_n, for `verdict`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rackgrid_firmware.accuracy import COVERAGE
from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.errors import DeviceFault
from rackgrid_firmware.profile_table import UNCERTAINTY_PERCENT_MAX

SAMPLES_MIN: Final = 8
"""Fewer readings say nothing of drift."""
APART_MIN: Final = 0.1
"""Neighbouring points are at least this part of the largest apart."""
SIGMAS: Final = 4.0
"""What is further off than so many of its standard uncertainties is no chance."""
DRIFT_MAX: Final = 0.001
"""A point that moves by this part of itself while it is read has not settled."""
UNREST_MAX: Final = 0.02
"""A point whose readings deviate by this part of it is no steady load."""
BEND_MAX: Final = 0.002
"""So far off the line, as a part of the largest point, may a point be in an instrument that is
straight: ten times the INA219's non-linearity, and still no mistyped digit."""
GAIN_MIN: Final = 0.5
GAIN_MAX: Final = 2.0
"""Beyond this it is the wrong shunt in the profile and no calibration."""
_BOUND: Final = 1 / math.sqrt(3)
_STEP: Final = 1 / math.sqrt(12)
_REFERENCE = re.compile(
    r"(?:(?P<percent>[0-9]*\.?[0-9]+) *%)? *\+? *(?:(?P<amount>[0-9]*\.?[0-9]+) *(?P<unit>mA|A))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What the maker of the reference says of it: ± (a part of its reading + a constant).

    Attributes:
        gain: a fraction.
        offset_a: A.
    """

    gain: float
    offset_a: float

    def bound_a(self, amps: float) -> float:
        """How far off it may be at a current, A."""
        return self.gain * abs(amps) + self.offset_a


@dataclass(frozen=True, slots=True)
class Point:
    """One current, held still.

    Attributes:
        reference_a: what the reference says, A; 0 for the load switched off.
        mean_a: what the meter says, raw, A; deviation_a: of one reading from it.
        count: how many readings.
    """

    reference_a: float
    mean_a: float
    deviation_a: float
    count: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was found, and what it is worth.

    Attributes:
        gain, offset_a: true A = raw A · gain + offset.
        uncertainty_percent, uncertainty_a: of a single reading from now on, k = 2: a part that
            grows with the current and one that does not.
        residual_a: the most that a point is off the line.
        points: that it rests on.
    """

    gain: float
    offset_a: float
    uncertainty_percent: float
    uncertainty_a: float
    residual_a: float
    points: tuple[Point, ...]


def parse_reference(text: str) -> Reference:
    """Read the accuracy of a reference as its maker writes it: "0.5 % + 2 mA", "0.5%", "0.002 A".

    Raises:
        ValueError: it is none.
    """
    match = _REFERENCE.fullmatch(text.strip())
    if match is None or not (match["percent"] or match["amount"]):
        raise ValueError(
            f"{text!r} is no accuracy: write it as in the manual of the instrument, such as "
            '"0.5% + 2mA"'
        )
    percent, amount = float(match["percent"] or 0), float(match["amount"] or 0)
    if percent > 10:
        raise ValueError(f"{percent:g} % is no reference: take an instrument of 1 % or better")
    return Reference(percent / 100, amount * (1e-3 if match["unit"] == "mA" else 1.0))


def point_of(readings: Sequence[Reading], reference_a: float, step_a: float) -> Point:
    """Average the readings of one current.

    Args:
        readings: of the meter with gain 1 and offset 0, in order of time.
        reference_a: what the reference says, A; 0 for the load switched off.
        step_a: of the converter, A.

    Raises:
        DeviceFault: they cannot be used; says why, and what to do.
    """
    where = f"at {reference_a:g} A" if reference_a else "with the load off"
    if len(readings) < SAMPLES_MIN:
        raise DeviceFault(f"{where}: {len(readings)} readings, and {SAMPLES_MIN} are the least")
    for reading in readings:
        if reading.quality is Quality.SATURATED:
            raise DeviceFault(
                f"{where}: the meter is at its end stop ({reading.amps:.4g} A): take a smaller "
                "current, or raise amps_max in the board profile"
            )
        if reading.quality is not Quality.FRESH:
            raise DeviceFault(f"{where}: the chip stopped answering: check its wiring, try again")
    amps = [reading.amps for reading in readings]
    half = len(amps) // 2
    mean_a, deviation_a = _moments(amps)
    (first_a, first_dev_a), (last_a, last_dev_a) = _moments(amps[:half]), _moments(amps[half:])
    moved_a, chance_a = last_a - first_a, math.hypot(first_dev_a, last_dev_a) / math.sqrt(half)
    if abs(moved_a) > max(SIGMAS * chance_a, DRIFT_MAX * abs(mean_a), step_a):
        raise DeviceFault(
            f"{where}: the current drifts, by {moved_a * 1000:+.2f} mA while it was read: let load "
            "and supply warm up, use a resistor and no lamp, and try again"
        )
    if deviation_a > max(UNREST_MAX * abs(reference_a), SIGMAS * step_a):
        raise DeviceFault(
            f"{where}: the readings wander by {deviation_a * 1000:.2f} mA: use a resistor as the "
            "load and a regulated supply (no switching load, no motor), and try again"
        )
    return Point(reference_a, mean_a, deviation_a, len(amps))


def check_zero(point: Point, offset_max_a: float) -> None:
    """Refuse a zero that is none.

    Args:
        point: with the load switched off.
        offset_max_a: the most that the chip's own offset can be, A.

    Raises:
        DeviceFault: something flows.
    """
    if abs(point.mean_a) > 3 * offset_max_a:
        raise DeviceFault(
            f"with the load off the meter reads {point.mean_a * 1000:+.2f} mA, and its chip's own "
            f"offset is at most {offset_max_a * 1000:.2f} mA: something still flows; disconnect "
            "the load at the meter's output"
        )


def solve(points: Sequence[Point], reference: Reference, step_a: float) -> Calibration:
    """Lay the line through the points, and say what it is worth.

    Args:
        points: the first with the load off, then two or more against the reference.
        reference: its accuracy.
        step_a: of the converter, A.

    Raises:
        DeviceFault: the points make no calibration; says why, and what to do.
    """
    _check_spread([point.reference_a for point in points])
    x, y = [point.mean_a for point in points], [point.reference_a for point in points]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((each - mean_x) ** 2 for each in x)
    if spread == 0.0:
        raise DeviceFault("the meter reads the same at every point: is the load behind it?")
    # How much the gain, and the offset, change with each y: both are linear in them.
    to_gain = [(each - mean_x) / spread for each in x]
    to_offset = [1 / len(x) - mean_x * each for each in to_gain]
    gain = _dot(to_gain, y)
    offset_a = mean_y - gain * mean_x
    if not GAIN_MIN <= gain <= GAIN_MAX:
        raise DeviceFault(
            f"the reference says {gain:.3g} times what the meter says: correct shunt_ohms in the "
            "board profile first (it is divided by), or the unit of the reference"
        )
    noise_a = [gain * _noise_a(point, step_a) for point in points]
    residual_a = _residual_a(points, gain, offset_a, noise_a, reference)
    gain_u = _uncertainty(to_gain, y, noise_a, reference)
    # A single reading from now on has the noise of one reading and a step, and the line its bend.
    rest_a = math.hypot(
        _uncertainty(to_offset, y, noise_a, reference),
        _BOUND * residual_a,
        gain * points[0].deviation_a,
        gain * _STEP * step_a,
    )
    percent = 100 * COVERAGE * gain_u / gain
    if percent > UNCERTAINTY_PERCENT_MAX:
        raise DeviceFault(
            f"the gain would be uncertain by {percent:.0f} %: take larger currents, or a better "
            "reference"
        )
    return Calibration(
        gain=gain,
        offset_a=offset_a,
        uncertainty_percent=percent,
        uncertainty_a=COVERAGE * rest_a,
        residual_a=residual_a,
        points=tuple(points),
    )


def _check_spread(references_a: Sequence[float]) -> None:
    largest_a = max(map(abs, references_a))
    ordered = sorted(references_a)
    if references_a[0] != 0.0 or len(references_a) < 3:
        raise DeviceFault("a calibration takes the load off and two points or more")
    for low, high in pairwise(ordered):
        if high - low < APART_MIN * largest_a:
            raise DeviceFault(
                f"{low:g} A and {high:g} A are too near: points at least "
                f"{APART_MIN * largest_a:.3g} A apart say something of the gain; half and all of "
                "what the meter is to measure are good ones"
            )


def _noise_a(point: Point, step_a: float) -> float:
    return math.hypot(point.deviation_a / math.sqrt(point.count), _STEP * step_a)


def _residual_a(
    points: Sequence[Point],
    gain: float,
    offset_a: float,
    noise_a: Sequence[float],
    reference: Reference,
) -> float:
    """Find the largest distance from the line, and refuse one that nothing explains."""
    largest_a = max(abs(point.reference_a) for point in points)
    bend_a = BEND_MAX * largest_a
    worst_a = 0.0
    for point, chance_a in zip(points, noise_a, strict=True):
        off_a = point.reference_a - (gain * point.mean_a + offset_a)
        # Nothing is wrong with the zero itself, but what is wrong elsewhere pulls the line off it.
        bound_a = reference.bound_a(point.reference_a or largest_a)
        if abs(off_a) > bound_a + SIGMAS * chance_a + bend_a:
            raise DeviceFault(
                f"at {point.reference_a:g} A the points are not on a line, by {off_a * 1000:+.2f} "
                "mA: was the reference misread there, or did the load change between reading it "
                "and pressing Enter? Do all points again"
            )
        worst_a = max(worst_a, abs(off_a))
    return worst_a


def _uncertainty(
    share: Sequence[float], y: Sequence[float], noise_a: Sequence[float], reference: Reference
) -> float:
    """Carry every cause to what has these shares of each y."""
    touched = [each for each, amps in zip(share, y, strict=True) if amps != 0.0]
    constant = max(abs(sum(touched)), math.hypot(*touched))
    return math.hypot(
        *(each * chance_a for each, chance_a in zip(share, noise_a, strict=True)),
        _BOUND * reference.gain * _dot(share, y),
        _BOUND * reference.offset_a * constant,
    )


def verdict(error_a: float, meter_a: float, reference_a: float) -> float:
    """Compare an error with the uncertainties of both sides: E_n, and up to 1 they agree.

    Args:
        error_a: the meter's mean less the reference, A.
        meter_a: expanded uncertainty of the meter there, k = 2, A.
        reference_a: how far off the reference may be there, A.
    """
    return abs(error_a) / math.hypot(meter_a, COVERAGE * _BOUND * reference_a)


def _dot(a: Iterable[float], b: Iterable[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and deviation of one value."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((each - mean) ** 2 for each in values) / (len(values) - 1))
