"""Ranges and settings that a profile names or an INA219 chooses, over a register-true chip."""

from __future__ import annotations

import pytest
from tests.unit.firmware.test_ina219 import DRIVERS, Desk

from rackgrid_firmware import registers
from rackgrid_firmware.device import Quality
from rackgrid_firmware.ina219 import Ina219
from rackgrid_firmware.ranging import CALM


@pytest.fixture(params=DRIVERS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


def settle(desk: Desk, driver: Ina219) -> None:
    """Let the range come down, if it will."""
    for _ in range(3 * CALM):
        driver.sample()
        desk.convert(driver)


def shunt_range(desk: Desk) -> registers.Range:
    return registers.parse(desk.chip.read(desk.now_ns, registers.CONFIGURATION)).shunt_range


def test_automatic_range_comes_down_and_says_the_same_more_finely(desk: Desk) -> None:
    desk.feel(12.0, 0.0421)
    driver = desk.opened(profile="fast", shunt_range="auto")
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(0.0421, abs=0.0004)
    settle(desk, driver)
    assert shunt_range(desk) is registers.Range.MV_40
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(0.0421, abs=0.00006)
    assert driver.resets == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_automatic_range_marks_what_it_clips_and_goes_up_at_once(desk: Desk, sign: int) -> None:
    desk.feel(12.0, 0.05)
    driver = desk.opened(profile="fast", shunt_range="auto")
    settle(desk, driver)
    desk.feel(12.0, sign * 2.5)
    desk.convert(driver)
    clipped = driver.sample()
    assert clipped is not None
    assert clipped.quality is Quality.SATURATED
    assert driver.sample() is None, "conversions start anew in the widest range"
    assert shunt_range(desk) is registers.Range.MV_320
    desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert (sample.quality, sample.amps) == (Quality.FRESH, pytest.approx(sign * 2.5, abs=0.001))
    desk.feel(12.0, 0.05)
    settle(desk, driver)
    assert shunt_range(desk) is registers.Range.MV_40
    assert driver.resets == 0


@pytest.mark.parametrize("changes", [{"profile": "energy"}, {"profile": "fast", "shunt_adc": "8x"}])
def test_automatic_range_of_means_stays_wide_for_they_hide_what_was_clipped(
    desk: Desk, changes: dict[str, str]
) -> None:
    desk.feel(12.0, 0.05)
    driver = desk.opened(shunt_range="auto", **changes)
    settle(desk, driver)
    assert shunt_range(desk) is registers.Range.MV_320


def test_automatic_range_is_wide_while_somebody_is_in_a_hurry_and_just_after(desk: Desk) -> None:
    desk.feel(12.0, 0.05)
    driver = desk.opened(profile="fast", shunt_range="auto")
    settle(desk, driver)
    driver.hurry(desk.now_ns + 10_000_000)
    driver.sample()
    assert (driver.period_ns, shunt_range(desk)) == (616_000, registers.Range.MV_320)
    desk.now_ns += 10_000_000
    driver.sample()
    assert (driver.period_ns, shunt_range(desk)) == (1_064_000, registers.Range.MV_320)


@pytest.mark.parametrize(
    "changes", [{"profile": "inrush"}, {"profile": "fast", "bus_adc": "9bit", "amps_max": 3.0}]
)
def test_chip_that_converts_like_that_already_is_not_written_to_by_a_hurry(
    desk: Desk, changes: dict[str, object]
) -> None:
    driver = desk.opened(**changes)
    desk.transfers.clear()
    for _ in range(3):
        driver.hurry(desk.now_ns + 10_000_000)
        driver.sample()
        desk.now_ns += 20_000_000
        driver.sample()
    assert [each for each in desk.transfers if each[0] == "w"] == []


def test_automatic_range_of_a_chip_that_converts_like_that_already_still_comes_down(
    desk: Desk,
) -> None:
    """A hurry widens a finer range, and only that; afterwards the range is judged again."""
    desk.feel(12.0, 0.05)
    driver = desk.opened(profile="inrush", shunt_range="auto")
    settle(desk, driver)
    assert shunt_range(desk) is registers.Range.MV_40
    driver.hurry(desk.now_ns + 10_000_000)
    driver.sample()
    assert shunt_range(desk) is registers.Range.MV_320
    desk.transfers.clear()
    desk.now_ns += 10_000_000
    driver.sample()
    assert [each for each in desk.transfers if each[0] == "w"] == [], "the hurry's end"
    settle(desk, driver)
    assert shunt_range(desk) is registers.Range.MV_40


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"shunt_range": "40mV"}, 0x21FF),
        ({"shunt_range": "160mV", "amps_max": 0.3}, 0x31FF),
        ({"shunt_adc": "16x"}, 0x39E7),
        ({"bus_adc": "128x"}, 0x3FFF),
        ({"bus_range": "16V"}, 0x19FF),
        ({"profile": "inrush", "shunt_adc": "9bit", "bus_range": "16V"}, 0x1807),
    ],
)
def test_chip_is_configured_as_each_key_says(
    desk: Desk, changes: dict[str, object], word: int
) -> None:
    desk.open(**changes).sample()
    assert desk.chip.read(desk.now_ns, registers.CONFIGURATION) == word


def test_voltage_beyond_the_bus_range_is_marked(desk: Desk) -> None:
    desk.feel(18.0, 0.5)
    driver = desk.opened(bus_range="16V")
    sample = driver.sample()
    assert sample is not None
    assert (sample.volts, sample.quality) == (pytest.approx(16.0), Quality.SATURATED)
    desk.feel(12.0, 0.5)
    desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert (sample.volts, sample.quality) == (pytest.approx(12.0), Quality.FRESH)
