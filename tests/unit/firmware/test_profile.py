"""Fails if a pin is driven to the level that does the opposite."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rackgrid_firmware.profile import (
    MeterMock,
    MeterProfile,
    OutputMock,
    OutputProfile,
    Profile,
    SwitchProfile,
    TripProfile,
)


def output(active_high: bool, required: bool, switch: SwitchProfile) -> OutputProfile:
    mock = OutputMock(1.0, 0.0)
    return OutputProfile("o", 17, active_high, required, 1.0, 1.0, 0, 0, 0, "", mock, switch)


@pytest.mark.parametrize("active_high", [True, False])
def test_output_on_a_normally_closed_contact_has_power_when_its_coil_has_none(
    active_high: bool,
) -> None:
    assert output(active_high, True, SwitchProfile(contact="no")).is_high_on is active_high
    assert output(active_high, True, SwitchProfile(contact="nc")).is_high_on is not active_high


def test_output_is_on_when_nobody_is_in_charge_only_if_it_is_required_and_may_be() -> None:
    assert output(True, True, SwitchProfile()).is_safe_on
    assert not output(True, True, SwitchProfile(is_safe_on=False)).is_safe_on
    assert not output(True, False, SwitchProfile()).is_safe_on


def test_limit_of_a_meter_is_the_lowest_trip_of_what_is_behind_it() -> None:
    meter = MeterProfile("m", "ina219", 1, 0x40, 0.1, 0.0, "energy", 1.0, 0.0, MeterMock())
    plain = output(True, False, SwitchProfile())

    def limit_a(*trips_a: float) -> float:
        outputs = [replace(plain, meter="m", trip=TripProfile(trip_a=each)) for each in trips_a]
        other = replace(plain, meter="another", trip=TripProfile(trip_a=0.1))
        return Profile("b", "pi", 0, 5, 0, (meter,), (*outputs, other)).limit_a(meter)

    assert limit_a(3.0, 0.0, 2.0) == 2.0
    assert limit_a(0.0) == limit_a() == 0.0
