"""Fails if protection watches for something else than the profile says."""

from __future__ import annotations

from dataclasses import replace

from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.profile import (
    MeterMock,
    MeterProfile,
    OutputMock,
    OutputProfile,
    Profile,
    TripProfile,
)
from rackgrid_firmware.protection import ZERO_A, Trip
from rackgrid_firmware.sight import GAP_NS, KERNEL_GAP_NS
from rackgrid_firmware.watch import Watchman, watches_of, zero_a

S = 1_000_000_000
METER = MeterProfile("m", "ina219", 1, 0x40, 0.1, 3.2, "energy", 1.0, 0.0, MeterMock())
FAN = OutputProfile(
    "fan", 17, True, False, 12.0, 20.0, 0.5, 0.0, 0.0, "m", OutputMock(10.0, 0.0),
    trip=TripProfile(3.0, 2.0, 30.0, 10.0, 2.0, 4, 0.5, 0.1, 1.0),
)  # fmt: skip
PROFILE = Profile("bench", "mock", 3.0, 5.0, 0.0, (METER,), (FAN, replace(FAN, name="lamp")))


def test_watch_says_what_the_profile_says_for_the_pins_that_we_have() -> None:
    (watch,) = watches_of(PROFILE, {"fan"})
    assert (watch.name, watch.meter, watch.required, watch.most_w) == ("fan", "m", False, 12.0)
    assert (watch.inrush_ns, watch.discharge_ns) == (S // 2, S // 2)
    assert (watch.leak_w, watch.least_w) == (0.1, 1.0)
    assert (watch.trip_a, watch.rating_a, watch.tau_ns) == (3.0, 2.0, 30 * S)
    assert (watch.below_v, watch.below_ns, watch.rank) == (10.0, 2 * S, 4)


def test_meter_whose_pace_the_kernel_sets_may_be_slower() -> None:
    slow = replace(PROFILE, meters=(replace(METER, driver="hwmon"),))
    gaps = [watches_of(each, {"fan"})[0].gap_ns for each in (PROFILE, slow)]
    assert gaps == [GAP_NS, KERNEL_GAP_NS]


def test_zero_of_a_meter_is_three_standard_deviations_and_its_calibration_lowers_it() -> None:
    assert zero_a(None) == ZERO_A
    by_datasheet = zero_a(METER)
    assert 0.001 < by_datasheet < 0.01
    calibrated = replace(
        METER, calibrated="2026-11-26", uncertainty_percent=0.2, uncertainty_a=0.0001
    )
    assert zero_a(calibrated) < by_datasheet


def test_watchman_trips_once_the_output_was_moved_on() -> None:
    man = Watchman(watches_of(PROFILE, {"fan"}), {"fan": False}, 0)
    over = Reading("m", S, 12.0, 3.1, 0, Quality.FRESH)
    assert man.read(over) == ()
    man.moved(S, "fan", on=True)
    assert man.read(over) == (Trip("fan", "overcurrent: 3.10 A, trips at 3 A"),)
    man.cleared("fan")
    assert man.verdicts == {"fan": Verdict.UNKNOWN}
