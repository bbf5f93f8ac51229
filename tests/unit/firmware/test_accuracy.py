"""Fails if a meter claims more than its datasheet or its calibration allows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.accuracy import WARMING_C, accuracy_of, dip_v_of, limits_of, step_a_of
from rackgrid_firmware.device import Accuracy
from rackgrid_firmware.profile import MeterMock, MeterProfile

METER = MeterProfile("m", "ina219", 1, 0x40, 0.1, 0.0, "energy", 1.0, 0.0, MeterMock())
DRIVERS = ("ina219", "pi-ina219", "ina226", "ina260", "ina3221")


def known(profile: MeterProfile) -> Accuracy:
    accuracy = accuracy_of(profile)
    assert accuracy is not None
    return accuracy


def test_uncalibrated_ina219_has_the_errors_of_its_datasheet_and_its_shunt() -> None:
    """±1 % of gain and ±1 % of shunt; ±200 µV of offset, 2.5 µV of drift and 10 µV of step."""
    accuracy = known(METER)
    assert accuracy.amps_gain == pytest.approx(2 / math.sqrt(3) * math.sqrt(2) * 0.01)
    offset_v = 2 * math.sqrt(202.5e-6**2 / 3 + 10e-6**2 / 12)
    assert accuracy.amps_offset_a == pytest.approx(offset_v / 0.1)
    assert accuracy.calibrated == ""


def test_statement_bounds_a_chip_whose_errors_are_all_at_their_limit_in_typical_use() -> None:
    """k = 2 of rectangles is more than any one of them: 2/√3 of the limit."""
    for driver in DRIVERS:
        meter = replace(METER, driver=driver, shunt_tolerance_percent=0.0)
        limits, accuracy = limits_of(meter), known(meter)
        assert limits is not None
        assert accuracy.amps_gain > limits.gain
        assert accuracy.volts_gain > limits.volts_gain
        ohms = 1.0 if limits.has_shunt else 0.1
        assert accuracy.amps_offset_a > limits.offset / ohms


@pytest.mark.parametrize(("amps_max", "offset_v"), [(0.3, 100e-6), (0.7, 125e-6), (1.5, 150e-6)])
def test_narrow_range_of_an_ina219_has_less_offset(amps_max: float, offset_v: float) -> None:
    limits = limits_of(replace(METER, amps_max=amps_max))
    assert limits is not None
    assert limits.offset == pytest.approx(offset_v + WARMING_C * 0.1e-6)
    assert known(replace(METER, amps_max=amps_max)).amps_offset_a < known(METER).amps_offset_a


def test_current_that_no_range_holds_is_stated_as_in_the_widest() -> None:
    assert known(replace(METER, amps_max=50.0)) == known(METER)


def test_single_samples_of_an_ina219_step_by_eight_in_the_widest_range() -> None:
    assert step_a_of(METER) == pytest.approx(10e-6 / 0.1)
    for single in ("fast", "inrush"):
        assert step_a_of(replace(METER, profile=single)) == pytest.approx(80e-6 / 0.1)


@pytest.mark.parametrize(
    ("changes", "lsb"),
    [
        ({"shunt_range": "40mV"}, 1),
        ({"shunt_range": "auto"}, 8),
        ({"shunt_range": "80mV", "shunt_adc": "9bit"}, 16),
        ({"shunt_range": "320mV", "shunt_adc": "2x"}, 4),
        ({"shunt_range": "320mV", "shunt_adc": "16x"}, 1),
    ],
)
def test_settings_of_an_ina219_decide_how_it_steps(changes: dict[str, str], lsb: int) -> None:
    meter = replace(METER, profile="fast", **changes)  # type: ignore[arg-type]
    assert step_a_of(meter) == pytest.approx(lsb * 10e-6 / 0.1)


def test_range_that_is_set_has_one_offset_to_calibrate_and_an_automatic_one_has_four() -> None:
    done = replace(METER, amps_max=0.3, calibrated="2026-11-26")
    settled, automatic = replace(done, shunt_range="40mV"), replace(done, shunt_range="auto")
    assert known(settled) == known(done)
    assert known(automatic).amps_offset_a > 5 * known(done).amps_offset_a


def test_smaller_shunt_leaves_the_percentage_and_makes_the_offset_larger() -> None:
    small = known(replace(METER, shunt_ohms=0.01))
    assert small.amps_gain == known(METER).amps_gain
    assert small.amps_offset_a == pytest.approx(10 * known(METER).amps_offset_a)


def test_chip_with_its_shunt_inside_does_not_care_for_the_profile_s_shunt() -> None:
    inside = replace(METER, driver="ina260")
    other = replace(inside, shunt_ohms=5.0, shunt_tolerance_percent=20.0)
    assert known(inside) == known(other)
    assert known(inside).amps_offset_a > 0.005
    assert step_a_of(inside) == 1.25e-3


def test_calibration_takes_the_place_of_gain_shunt_and_offset_but_not_of_drift() -> None:
    done = replace(
        METER,
        amps_max=3.0,
        calibrated="2026-11-26",
        uncertainty_percent=0.1,
        uncertainty_a=0.0002,
        shunt_tolerance_percent=20.0,
    )
    accuracy = known(done)
    assert accuracy.calibrated == "2026-11-26"
    drift = 2 / math.sqrt(3) * 0.005 * WARMING_C / 60
    assert accuracy.amps_gain == pytest.approx(math.hypot(0.001, drift))
    drift_a = 2 / math.sqrt(3) * WARMING_C * 0.1e-6 / 0.1
    assert accuracy.amps_offset_a == pytest.approx(math.hypot(0.0002, drift_a))
    assert accuracy.volts_gain == known(METER).volts_gain, "the voltage was not calibrated"


def test_calibration_of_an_automatic_range_leaves_the_offset_to_the_datasheet() -> None:
    """Each of the four ranges has an offset of its own."""
    done = replace(METER, calibrated="2026-11-26", uncertainty_percent=0.1, uncertainty_a=0.0002)
    assert known(done).amps_gain < 0.5 * known(METER).amps_gain
    assert known(done).amps_offset_a == pytest.approx(known(METER).amps_offset_a, rel=0.01)


def test_chip_that_nobody_knows_has_no_accuracy_and_the_steps_that_are_shown() -> None:
    assert accuracy_of(replace(METER, driver="hwmon")) is None
    assert accuracy_of(replace(METER, driver="iio")) is None
    assert step_a_of(replace(METER, driver="hwmon", shunt_ohms=0.0)) == 1e-3
    assert step_a_of(replace(METER, driver="iio")) == pytest.approx(1e-4)


@pytest.mark.parametrize(("driver", "ohms"), [("hwmon", 0.0), ("hwmon", 0.1), ("iio", 0.1)])
def test_calibration_of_a_chip_that_nobody_knows_is_taken_at_its_word(
    driver: str, ohms: float
) -> None:
    """Fails if calibrating a meter of a kernel driver leads nowhere, or makes it too good."""
    bare = replace(METER, driver=driver, shunt_ohms=ohms, calibrated="2026-11-26")
    done = known(replace(bare, uncertainty_percent=0.4, uncertainty_a=0.05))
    assert done.calibrated == "2026-11-26"
    assert done.amps_gain > 0.004
    assert done.amps_gain == pytest.approx(0.004, rel=0.2)
    assert done.amps_offset_a == pytest.approx(0.05, rel=0.01)
    for other in DRIVERS:
        rival = known(replace(bare, driver=other, shunt_ohms=ohms or 0.1))
        ours = known(bare)
        assert ours.amps_gain >= rival.amps_gain, "its drift is the worst that is known"
        assert ours.of_volts(12.0) >= rival.of_volts(12.0)


@given(
    st.sampled_from(DRIVERS),
    st.floats(0, 26),
    st.floats(-16, 16),
    st.floats(0.001, 1),
)
def test_uncertainty_is_never_nothing_and_the_same_in_both_directions(
    driver: str, volts: float, amps: float, ohms: float
) -> None:
    accuracy = known(replace(METER, driver=driver, shunt_ohms=ohms))
    assert accuracy.of_amps(amps) >= accuracy.amps_offset_a > 0
    assert accuracy.of_amps(amps) == accuracy.of_amps(-amps)
    assert accuracy.of_watts(volts, amps) == accuracy.of_watts(volts, -amps)
    assert accuracy.of_watts(volts, amps) >= volts * accuracy.of_amps(amps) * (1 - 1e-12)


@pytest.mark.parametrize(
    ("driver", "ohms", "amps_max", "dip_v"),
    [
        ("ina219", 0.1, 0.0, 1.6),
        ("ina219", 0.1, 2.0, 1.0),
        ("ina226", 0.01, 0.0, 4.096),
        ("ina260", 0.002, 0.0, 7.5),
        ("hwmon", 0.0, 2.0, 0.0),
    ],
)
def test_current_finds_less_voltage_by_what_a_soft_feed_takes_at_its_greatest(
    driver: str, ohms: float, amps_max: float, dip_v: float
) -> None:
    """R·I_max of half an ohm, with the end of the converter where nobody says what to expect."""
    meter = replace(METER, driver=driver, shunt_ohms=ohms, amps_max=amps_max)
    assert dip_v_of(meter) == 0.0
    assert dip_v_of(replace(meter, feed_ohms=0.5)) == pytest.approx(dip_v)


def test_soft_feed_is_in_the_power_and_not_in_the_current() -> None:
    stiff = known(replace(METER, amps_max=2.0))
    soft = known(replace(METER, amps_max=2.0, feed_ohms=0.5))
    assert soft.amps_gain == stiff.amps_gain
    assert soft.amps_offset_a == stiff.amps_offset_a
    assert soft.of_watts(12.0, 0.4) > stiff.of_watts(12.0, 0.4)


@given(share=st.floats(0.01, 1.0), amps=st.floats(0.01, 2.0), ohms=st.floats(0.001, 1.0))
def test_soft_feed_is_stated_for_any_pulses(share: float, amps: float, ohms: float) -> None:
    """V·I of pulses is too high by R·var(I); fails if that may be more than what is stated."""
    meter = replace(METER, amps_max=2.0, feed_ohms=ohms)
    mean_a = share * amps
    covariance_w = ohms * amps * amps * share * (1 - share)
    assert covariance_w <= known(meter).of_watts(12.0, mean_a)
