"""What is special to the INA226; what every driver keeps is in test_chip_contract.py."""

from __future__ import annotations

import pytest
from tests.unit.firmware.chip_desk import INA226, Desk

from rackgrid_firmware.ina226 import Ina226


@pytest.mark.parametrize(
    ("profile", "word", "period_ns"), [("energy", 0x4437, 68_736_000), ("fast", 0x40DF, 1_176_000)]
)
def test_ina226_is_configured_as_the_profile_says(profile: str, word: int, period_ns: int) -> None:
    desk = Desk(INA226)
    driver = desk.opened(profile=profile)
    assert type(driver) is Ina226
    assert driver.period_ns == period_ns
    assert desk.configuration() == word


def test_ina226_reads_a_pi_5_at_full_load_through_five_milliohms() -> None:
    desk = Desk(INA226)
    driver = desk.open(shunt_ohms=0.005, amps_max=8.0)
    driver.sample()
    desk.chip.feel(desk.now_ns, 5.3 * 0.005, 5.1)
    desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert sample.volts * sample.amps == pytest.approx(27.03, rel=1e-3)


def test_ina226_average_is_that_of_the_whole_block() -> None:
    """A load that pulses within a block is seen at its mean, and not at what it drew last."""
    desk = Desk(INA226)
    desk.feel(12.0, 0.0)
    driver = desk.open()
    driver.sample()
    started_ns = desk.now_ns
    for step in range(1, 65):
        desk.now_ns = started_ns + step * driver.period_ns // 64
        desk.feel(12.0, 4.0 * (step % 2))
    desk.now_ns += 1000
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(2.0, rel=0.05)
