"""A day's sun, and the clouds before it."""

from __future__ import annotations

import pytest

from rackgrid_firmware.mock.sun import OVERCAST, irradiance, passes


@pytest.mark.parametrize(
    ("latitude_deg", "day", "hour", "least", "most"),
    [
        (0.0, 81, 12.0, 1030, 1040),  # the equinox, straight above
        (52.0, 172, 12.0, 880, 960),  # midsummer's noon
        (52.0, 355, 12.0, 170, 260),  # midwinter's
        (52.0, 172, 0.0, 0, 0),
        (89.0, 172, 0.0, 340, 400),  # the sun does not set there
    ],
)
def test_irradiance_is_what_a_clear_sky_gives(
    latitude_deg: float, day: int, hour: float, least: float, most: float
) -> None:
    assert least <= irradiance(latitude_deg, day, hour) <= most


def test_irradiance_is_the_same_before_and_after_noon_and_highest_at_it() -> None:
    hours = [irradiance(52.0, 100, 6 + at / 4) for at in range(49)]
    assert hours == pytest.approx(hours[::-1])
    assert max(hours) == hours[24]


def test_clouds_cover_their_share_of_the_sky_and_the_same_seed_has_the_same_sky() -> None:
    sky = [passes(7, cell, 0.4) for cell in range(1000)]
    assert set(sky) == {1.0, OVERCAST}
    assert 0.33 < sky.count(OVERCAST) / 1000 < 0.47
    assert sky == [passes(7, cell, 0.4) for cell in range(1000)]
    assert {passes(7, cell, 0.0) for cell in range(50)} == {1.0}
    assert {passes(7, cell, 1.0) for cell in range(50)} == {OVERCAST}
