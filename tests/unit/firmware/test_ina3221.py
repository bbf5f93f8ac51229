"""What is special to the INA3221, three channels on one chip; the rest is in test_chip_contract."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.firmware.chip_desk import INA3221, Desk

from rackgrid_firmware.chip import Chips
from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.meter import Chip
from rackgrid_firmware.mock.ina3221 import MASK_ENABLE

MS = 1_000_000


def three(desk: Desk, *channels: int, **profile: object) -> list[Chip]:
    """Open these channels of one chip."""
    chips = Chips(lambda: desk.now_ns)
    return [chips.open(desk.profile(each, **profile), desk.bus) for each in channels]


@pytest.mark.parametrize(
    ("channels", "word", "period_ns"),
    [
        ((1,), 0x403F, 8_384_000),
        ((3,), 0x103F, 8_384_000),
        ((1, 3), 0x503F, 16_768_000),
        ((3, 2, 1), 0x703F, 25_152_000),
    ],
)
def test_chip_converts_just_the_channels_that_have_meters(
    channels: tuple[int, ...], word: int, period_ns: int
) -> None:
    desk = Desk(INA3221)
    drivers = three(desk, *channels)
    drivers[0].sample()
    assert desk.configuration() == word
    assert {driver.period_ns for driver in drivers} == {period_ns}


def test_channels_read_what_lies_at_their_own_inputs() -> None:
    desk = Desk(INA3221)
    drivers = three(desk, 1, 2, 3)
    for channel, (volts, amps) in enumerate([(5.0, 1.0), (12.0, -2.0), (3.304, 0.4)], 1):
        desk.chip.feel(desk.now_ns, amps * 0.01, volts, channel)
    assert [driver.sample() for driver in drivers] == [None, None, None]
    desk.convert(drivers[0])
    samples = [driver.sample() for driver in drivers]
    assert [(round(each.volts, 3), round(each.amps, 3)) for each in samples if each] == [
        (5.0, 1.0),
        (12.0, -2.0),
        (3.304, 0.4),
    ]


def test_channels_share_the_flag_the_look_and_the_count_of_resets() -> None:
    """The flag is cleared by reading it, so a channel of its own mind would starve the others."""
    desk = Desk(INA3221)
    drivers = three(desk, 1, 2, 3)
    for channel in (1, 2, 3):
        desk.chip.feel(desk.now_ns, 0.01, 5.0, channel)
    drivers[0].sample()
    for _ in range(2):  # the first ones are read twice before they are believed
        desk.convert(drivers[0])
        desk.transfers.clear()
        assert all(driver.sample() is not None for driver in drivers)
    assert desk.transfers.count(("r", MASK_ENABLE)) == 1
    assert len(desk.transfers) == 1 + 3 * 2
    assert [driver.sample() for driver in drivers] == [None, None, None], "each has had its own"
    desk.chip.brown_out(desk.now_ns)
    desk.now_ns += 10_000 * MS
    desk.transfers.clear()
    assert [driver.sample() for driver in drivers] == [None, None, None]
    assert {driver.resets for driver in drivers} == {1}
    assert desk.transfers.count(("w", 0)) == 1


def test_channel_that_fails_makes_its_sisters_look_at_the_chip_too() -> None:
    desk = Desk(INA3221)
    drivers = three(desk, 1, 2)
    drivers[0].sample()
    desk.convert(drivers[0])
    drivers[0].sample()
    desk.convert(drivers[0])
    with desk.stuck_bus(), pytest.raises(ValueError, match="which no INA3221 can"):
        drivers[0].sample()
    with desk.stuck_bus(), pytest.raises(ValueError, match="which no INA3221 can"):
        drivers[1].sample()  # what was read for it with the other
    desk.transfers.clear()
    drivers[1].sample()
    assert desk.transfers[0] == ("r", 0)


def test_chip_that_was_reset_shows_no_creeping_average() -> None:
    """With AVG the register would climb from zero; the first reading has to be whole."""
    desk = Desk(INA3221)
    desk.feel(12.0, 8.0)
    driver = desk.opened()
    assert driver.sample() is not None
    desk.chip.brown_out(desk.now_ns)
    desk.now_ns += 10_000 * MS
    assert driver.sample() is None
    sample = desk.next(driver)
    assert sample.amps == pytest.approx(8.0, abs=0.004)


@pytest.mark.parametrize("channel", [0, 4])
def test_channel_that_the_chip_does_not_have_is_an_error_of_the_profile(channel: int) -> None:
    with pytest.raises(ProfileError, match=f"channel {channel} of the chip at 0x41"):
        three(Desk(INA3221), channel)


def test_channel_twice_is_an_error_of_the_profile_and_the_first_goes_on() -> None:
    desk = Desk(INA3221)
    chips = Chips(lambda: desk.now_ns)
    first = chips.open(desk.profile(2), desk.bus)
    with pytest.raises(ProfileError, match=r"channel 2 .* has a meter already"):
        chips.open(replace(desk.profile(2), name="twin"), desk.bus)
    with pytest.raises(ProfileError, match='write profile = "energy", or change all of them'):
        chips.open(desk.profile(3, profile="fast"), desk.bus)
    first.sample()
    assert desk.configuration() == 0x203F
