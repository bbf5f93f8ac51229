"""Fails if a meter that cannot see its loads is trusted with them, or one that can is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid_firmware.part import PARTS
from rackgrid_firmware.profile import MeterProfile, Profile
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.reach import beyond, end_a_of, watts_behind

BOARD = load_profile(Path(__file__).parents[3] / "hardware" / "profiles" / "pi-relay4.toml")
METER = replace(BOARD.meters[0], amps_max=0.0, shunt_range="auto")


def board(*watts: float) -> Profile:
    outputs = tuple(replace(BOARD.outputs[0], nominal_w=w, meter=METER.name) for w in watts)
    return replace(BOARD, outputs=(*outputs, replace(BOARD.outputs[0], meter="another")))


@pytest.mark.parametrize(
    ("meter", "end_a"),
    [
        (METER, 3.2),
        (replace(METER, shunt_range="40mV"), 0.4),
        (replace(METER, driver="pi-ina219"), 3.2),
        (replace(METER, driver="ina226"), 0.8192),
        (replace(METER, driver="ina226", shunt_ohms=0.01), 8.192),
        (replace(METER, driver="ina260"), 15.0),
        (replace(METER, driver="ina3221"), 1.638),
        (replace(METER, driver="hwmon"), 0.0),
    ],
)
def test_end_is_that_of_the_chip_and_its_shunt(meter: MeterProfile, end_a: float) -> None:
    assert end_a_of(meter) == pytest.approx(end_a)


def test_watts_are_those_of_the_outputs_behind_it_alone() -> None:
    assert watts_behind(METER, board(5, 7)) == 12


@pytest.mark.parametrize("driver", ["ina219", "pi-ina219", "ina226", "ina260", "ina3221"])
def test_beyond_begins_where_the_chip_ends_at_the_measured_voltage(driver: str) -> None:
    """Fails if any chip is left out, or judged by another one's end."""
    meter = replace(METER, driver=driver)
    watts = end_a_of(meter) * 12.0
    assert beyond(meter, board(watts * 0.999), 12.0) == ("", "")
    cause, fix = beyond(meter, board(watts * 1.001), 12.0)
    assert PARTS[driver].name in cause
    assert "at 12.0 V" in cause
    assert "shunt of at most" in fix


@pytest.mark.parametrize("volts", [0.0, 0.9])
def test_beyond_without_a_voltage_takes_the_highest_that_the_chip_bears(volts: float) -> None:
    meter = replace(METER, driver="ina226")
    assert beyond(meter, board(0.8192 * 36), volts) == ("", "")
    cause, fix = beyond(meter, board(60), volts)
    assert "any voltage up to 36 V" in cause
    assert "0.016 ohm at 12 V" in fix


def test_advice_for_a_shunt_inside_is_another_chip() -> None:
    _, fix = beyond(replace(METER, driver="ina260"), board(240), 12.0)
    assert fix.startswith("take an INA226 with a shunt of at most 0.0041 ohm")


def test_expected_current_that_is_less_than_the_nameplates_is_named() -> None:
    cause, fix = beyond(replace(METER, amps_max=1.0), board(20), 12.0)
    assert "amps_max says that at most 1 A" in cause
    assert "range is chosen by it" in cause
    assert "raise amps_max" in fix
    assert "range" not in beyond(replace(METER, driver="ina260", amps_max=1.0), board(20), 12.0)[0]


def test_meter_of_a_kernel_driver_is_not_judged() -> None:
    assert beyond(replace(METER, driver="iio"), board(9999), 12.0) == ("", "")
