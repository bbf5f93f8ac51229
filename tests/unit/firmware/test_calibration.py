"""Fails if a calibration claims more than it found, or takes what it should refuse."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from rackgrid_firmware.accuracy import step_a_of
from rackgrid_firmware.calibration import (
    Calibration,
    Point,
    Reference,
    check_zero,
    parse_reference,
    point_of,
    solve,
    verdict,
)
from rackgrid_firmware.chip import open_chip
from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.errors import DeviceFault
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.meter import Sampler
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.profile import MeterMock, MeterProfile

METER = MeterProfile("m", "ina219", 1, 0x40, 0.1, 1.5, "energy", 1.0, 0.0, MeterMock())
STEP_A = step_a_of(METER)
EXACT = Reference(0.0, 0.0)


# --- a whole calibration, against a register-true chip -------------------------------------------


@dataclass
class Bench:
    """A chip with errors of its own behind a shunt of the wrong value, and a reference with its.

    The meter and the reference see the same true current; nothing else of the truth is told.
    """

    seed: int
    reference: Reference

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        self.now_ns = 1_000_000
        self.chip = Ina219Chip(self.now_ns, seed=self.seed)
        port = ChipPort({METER.address: self.chip}, lambda: self.now_ns)
        self.driver = open_chip(METER, Bus(1, lambda _: MockSMBus(port)), lambda: self.now_ns)
        self.shunt_ohms = METER.shunt_ohms * chance.uniform(0.95, 1.05)
        self.gain = chance.uniform(0.995, 1.005)
        self.offset_v = chance.uniform(-150e-6, 150e-6)
        self.wrong = chance.uniform(-1, 1) * self.reference.gain
        self.wrong_a = chance.uniform(-1, 1) * self.reference.offset_a

    def set(self, amps: float) -> float:
        """Let a current flow; say what the reference makes of it."""
        shunt_v = amps * self.shunt_ohms * self.gain + self.offset_v
        self.chip.feel(self.now_ns, shunt_v, 12.0)
        return amps * (1 + self.wrong) + self.wrong_a

    def take(self, count: int) -> list[Reading]:
        readings: list[Reading] = []
        sampler = Sampler([self.driver], lambda: self.now_ns, on_reading=readings.append)
        while len(readings) < count + 2:
            self.now_ns = max(self.now_ns + 1, sampler.poll())
        return readings[2:]

    def calibrated(self, points: Sequence[float], count: int = 30) -> Calibration:
        self.set(0.0)
        found = [point_of(self.take(count), 0.0, STEP_A)]
        for amps in points:
            said = self.set(amps)
            found.append(point_of(self.take(count), said, STEP_A))
        return solve(found, self.reference, STEP_A)


SEEDS = 120


@pytest.mark.parametrize(
    ("points", "reference"),
    [
        ((0.75, 1.5), Reference(0.005, 0.002)),
        ((0.5, 1.0, 1.45), Reference(0.001, 0.0005)),
        ((0.7, 1.4), Reference(0.0, 0.005)),
        ((0.7, 1.4), EXACT),
    ],
)
def test_calibration_finds_the_errors_within_what_it_says_of_itself(
    points: tuple[float, ...], reference: Reference
) -> None:
    """In 95 % of benches and more: gain, offset, and every current in between."""
    gains = offsets = currents = 0
    for seed in range(SEEDS):
        bench = Bench(seed, reference)
        found = bench.calibrated(points)
        gain = METER.shunt_ohms / (bench.shunt_ohms * bench.gain)
        offset_a = -bench.offset_v / (bench.shunt_ohms * bench.gain)
        relative = found.uncertainty_percent / 100
        gains += abs(found.gain - gain) <= relative * found.gain
        offsets += abs(found.offset_a - offset_a) <= found.uncertainty_a
        amps = random.Random(seed).uniform(0, points[-1])
        bench.set(amps)
        reading = bench.take(1)[0].amps * found.gain + found.offset_a
        currents += abs(reading - amps) <= ((relative * amps) ** 2 + found.uncertainty_a**2) ** 0.5
    assert min(gains, offsets, currents) >= 0.95 * SEEDS, (gains, offsets, currents)


def test_uncertainty_is_not_padded() -> None:
    """A tenth of it would not hold: the statement is about as good as the reference."""
    reference = Reference(0.005, 0.002)
    held = 0
    for seed in range(40):
        bench = Bench(seed, reference)
        found = bench.calibrated((0.75, 1.5), count=10)
        gain = METER.shunt_ohms / (bench.shunt_ohms * bench.gain)
        held += abs(found.gain - gain) <= 0.1 * found.uncertainty_percent / 100 * found.gain
    assert held < 20


def test_more_readings_do_not_average_away_the_reference() -> None:
    few = Bench(1, Reference(0.005, 0.0)).calibrated((0.75, 1.5), count=8)
    many = Bench(1, Reference(0.005, 0.0)).calibrated((0.75, 1.5), count=200)
    assert few.uncertainty_percent >= many.uncertainty_percent > 100 * 2 * 0.005 / 3**0.5 * 0.99


def test_meter_without_errors_is_left_as_it_is() -> None:
    points = [Point(amps, amps, 0.0, 10) for amps in (0.0, 0.5, 1.0)]
    found = solve(points, EXACT, 0.0)
    assert (found.gain, found.offset_a) == (pytest.approx(1.0), pytest.approx(0.0))
    assert (found.uncertainty_percent, found.residual_a) == (0.0, pytest.approx(0.0, abs=1e-12))


def test_current_the_other_way_is_calibrated_too() -> None:
    points = [Point(amps, amps / 1.02 + 0.003, 0.0, 10) for amps in (0.0, -0.5, -1.0)]
    found = solve(points, EXACT, 1e-4)
    assert found.gain == pytest.approx(1.02)
    assert found.offset_a == pytest.approx(-0.00306)
    assert found.uncertainty_percent > 0


# --- bad data ------------------------------------------------------------------------------------


def readings(amps: Sequence[float], quality: Quality = Quality.FRESH) -> list[Reading]:
    return [Reading("m", n, 12.0, each, 0, quality) for n, each in enumerate(amps)]


STEADY = [0.5, 0.5001, 0.4999, 0.5] * 5


@pytest.mark.parametrize(
    ("taken", "reference_a", "reason"),
    [
        (readings([0.5] * 7), 0.5, "7 readings, and 8 are the least"),
        (readings([3.2] * 20, Quality.SATURATED), 3.3, "at its end stop"),
        (readings([0.5] * 20, Quality.STALE), 0.5, "stopped answering"),
        (readings([0.5 + 0.001 * n for n in range(20)]), 0.5, r"drifts, by \+10.00 mA"),
        (readings([0.5 - 0.0002 * n for n in range(20)]), 0.5, "drifts, by -2.00 mA"),
        (readings([0.4, 0.6] * 10), 0.5, "wander by"),
        (readings([0.0, 0.004] * 10), 0.0, "with the load off: the readings wander"),
    ],
)
def test_readings_that_are_no_point_are_refused_with_the_reason(
    taken: list[Reading], reference_a: float, reason: str
) -> None:
    with pytest.raises(DeviceFault, match=reason):
        point_of(taken, reference_a, STEP_A)


def test_one_bad_reading_among_good_ones_is_enough() -> None:
    taken = readings(STEADY)
    taken[11] = replace(taken[11], quality=Quality.SATURATED)
    with pytest.raises(DeviceFault, match="end stop"):
        point_of(taken, 0.5, STEP_A)


def test_steady_readings_are_a_point() -> None:
    point = point_of(readings(STEADY), 0.51, STEP_A)
    assert (point.reference_a, point.count) == (0.51, 20)
    assert point.mean_a == pytest.approx(0.5)
    assert point.deviation_a == pytest.approx(7.25e-5, rel=0.01)


def test_zero_at_which_something_flows_is_none() -> None:
    check_zero(Point(0.0, 0.0019, 0.0, 10), 0.002)
    check_zero(Point(0.0, -0.0059, 0.0, 10), 0.002)
    with pytest.raises(DeviceFault, match=r"reads \+50.00 mA.*something still flows"):
        check_zero(Point(0.0, 0.05, 0.0, 10), 0.002)


def line(*references_a: float, gain: float = 1.0) -> list[Point]:
    return [Point(amps, amps / gain, 1e-5, 20) for amps in references_a]


@pytest.mark.parametrize(
    ("points", "reference", "reason"),
    [
        (line(0.0, 1.0), EXACT, "two points or more"),
        (line(0.1, 0.5, 1.0), EXACT, "takes the load off"),
        (line(0.0, 0.95, 1.0), EXACT, "0.95 A and 1 A are too near"),
        (line(0.0, 0.05, 1.0), EXACT, "0 A and 0.05 A are too near"),
        (line(0.0, 0.5, 1.0, gain=10.0), EXACT, "says 10 times what the meter says"),
        (line(0.0, 0.5, 1.0, gain=-1.0), EXACT, "says -1 times"),
        ([replace(each, mean_a=0.0) for each in line(0.0, 0.5, 1.0)], EXACT, "the same at every"),
        (line(0.0, 0.01, 0.02), Reference(0.0, 0.005), "uncertain by [0-9]+ %"),
    ],
)
def test_points_that_make_no_calibration_are_refused_with_the_reason(
    points: list[Point], reference: Reference, reason: str
) -> None:
    with pytest.raises(DeviceFault, match=reason):
        solve(points, reference, STEP_A)


def test_point_off_the_line_is_refused_unless_the_reference_explains_it() -> None:
    """A mistyped digit: 0.53 for 0.50."""
    points = [*line(0.0, 1.0), Point(0.53, 0.5, 1e-5, 20)]
    with pytest.raises(DeviceFault, match=r"not on a line.*misread"):
        solve(points, Reference(0.005, 0.0), STEP_A)
    assert solve(points, Reference(0.05, 0.0), STEP_A).residual_a == pytest.approx(0.02)


# --- the reference -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "gain", "offset_a"),
    [
        ("0.5%", 0.005, 0.0),
        ("0.5 % + 2 mA", 0.005, 0.002),
        (" 1%+0.003A ", 0.01, 0.003),
        ("2mA", 0.0, 0.002),
        (".5% + .5 A", 0.005, 0.5),
    ],
)
def test_reference_is_read_as_its_manual_has_it(text: str, gain: float, offset_a: float) -> None:
    reference = parse_reference(text)
    assert (reference.gain, reference.offset_a) == (pytest.approx(gain), pytest.approx(offset_a))
    assert reference.bound_a(-2.0) == pytest.approx(2 * gain + offset_a)


@pytest.mark.parametrize("text", ["", "0.5", "good", "-1%", "0.5%%", "5 digits", "50%", "1e-3 A"])
def test_reference_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"accuracy|reference"):
        parse_reference(text)


def test_verdict_weighs_the_error_with_both_uncertainties() -> None:
    assert verdict(0.01, 0.01, 0.0) == 1.0
    assert verdict(-0.02, 0.01, 0.0) == 2.0
    assert verdict(0.02, 0.01, 0.1) < 1.0
