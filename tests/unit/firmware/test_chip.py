"""Fails if a meter is read by another driver than its profile names, or on another line."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest

from rackgrid_firmware.chip import Chips, by_bus, of_kernel, open_chip, open_kernel_meter
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.ina219 import Ina219
from rackgrid_firmware.profile import MeterMock, MeterProfile


def profile(name: str, address: int, driver: str = "ina219", bus: int = 1) -> MeterProfile:
    return MeterProfile(name, driver, bus, address, 0.1, 0.0, "fast", 1.0, 0.0, MeterMock())


def test_open_chip_takes_the_driver_that_the_profile_names() -> None:
    assert type(open_chip(profile("a", 0x40), Bus(1))) is Ina219


@pytest.mark.oracle
@pytest.mark.skipif(find_spec("ina219") is None, reason="no pi-ina219 extra")
def test_open_chip_takes_pi_ina219_when_the_profile_names_it() -> None:
    chip = open_chip(profile("a", 0x40, "pi-ina219"), Bus(1))
    assert type(chip).__name__ == "PiIna219"


def test_by_bus_keeps_the_order_of_the_profile() -> None:
    one, two, three = profile("a", 0x40), profile("b", 0x41), profile("c", 0x42)
    other = profile("d", 0x40, bus=3)
    assert by_bus([one, other, two, three]) == {1: (one, two, three), 3: (other,)}


@pytest.mark.parametrize(
    ("driver", "kind"), [("ina226", "Ina226"), ("ina260", "Ina260"), ("ina3221", "Monitor")]
)
def test_open_chip_takes_the_driver_of_the_larger_chips(driver: str, kind: str) -> None:
    assert type(open_chip(profile("a", 0x40, driver), Bus(1))).__name__ == kind


def test_chips_of_one_board_share_an_ina3221_on_one_bus_and_not_on_two() -> None:
    chips = Chips()
    first = chips.open(profile("a", 0x40, "ina3221"), Bus(1))
    assert first.period_ns == 1_176_000
    chips.open(profile("b", 0x40, "ina3221", bus=3), Bus(3))
    assert first.period_ns == 1_176_000
    chips.open(replace(profile("c", 0x40, "ina3221"), channel=2), Bus(1))
    assert first.period_ns == 2 * 1_176_000


def test_meters_of_the_kernel_have_no_bus_of_ours() -> None:
    ours, kernels = profile("a", 0x40), profile("b", 0, "hwmon", bus=0)
    third = profile("c", 0, "iio", bus=0)
    assert by_bus([ours, kernels, third]) == {1: (ours,)}
    assert of_kernel([ours, kernels, third]) == (kernels, third)
    assert [type(open_kernel_meter(each)).__name__ for each in (kernels, third)] == [
        "HwmonMeter",
        "IioMeter",
    ]
