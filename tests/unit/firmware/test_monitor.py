"""Fails if a channel reads the wrong registers or believes what it should not.

What every driver of such a channel keeps is in test_chip_contract.py.
"""

from __future__ import annotations

import pytest
from tests.unit.firmware.chip_desk import INA226, Desk

from rackgrid_firmware.errors import DeviceFault, ProfileError
from rackgrid_firmware.mock.ina226 import BUS, MASK_ENABLE, SHUNT


def test_monitor_reads_the_bus_first_because_the_current_shall_be_the_newest() -> None:
    desk = Desk(INA226)
    desk.feel(12.0, 1.0)
    driver = desk.opened()
    driver.sample()  # the first one is read twice before it is believed
    desk.convert(driver)
    desk.transfers.clear()
    driver.sample()
    assert desk.transfers == [("r", MASK_ENABLE), ("r", BUS), ("r", SHUNT)]


def test_monitor_zero_is_believed_only_after_a_look_at_the_configuration() -> None:
    desk = Desk(INA226)
    desk.feel(12.0, 0.0)
    driver = desk.opened()
    driver.sample()  # the first one is read twice before it is believed
    desk.convert(driver)
    desk.transfers.clear()
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == 0.0
    assert desk.transfers == [("r", MASK_ENABLE), ("r", BUS), ("r", SHUNT), ("r", 0)]


def test_monitor_zero_of_a_chip_that_was_just_reset_is_no_sample() -> None:
    desk = Desk(INA226)
    desk.feel(12.0, 1.0)
    driver = desk.opened()
    desk.next(driver)
    desk.convert(driver)
    desk.dip_after = 1
    assert (driver.sample(), driver.resets) == (None, 1)


def test_monitor_impossible_word_is_a_fault_that_says_what_and_where() -> None:
    desk = Desk(INA226)
    desk.feel(12.0, 1.0)
    driver = desk.opened()
    driver.sample()
    desk.convert(driver)
    with (
        desk.stuck_bus(),
        pytest.raises(
            DeviceFault,
            match="0x41 on I2C bus 1 says a bus voltage of 0xffff, which no INA226 can: check",
        ),
    ):
        driver.sample()


def test_monitor_of_a_shunt_that_is_too_large_is_an_error_of_the_profile() -> None:
    with pytest.raises(ProfileError, match=r"meter 'm1': 9 A .* fit a shunt of at most 0.0091 ohm"):
        Desk(INA226).open(amps_max=9.0)
