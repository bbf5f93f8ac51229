"""Fails if a meter is read by another driver than its profile names, or on another line."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from rackgrid_firmware.chip import by_bus, open_chip
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
