"""Fails if a way to convert is not what the profile, or the moment, asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.firmware.test_ina219 import PROFILE

from rackgrid_firmware import pace219
from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.registers import Range


@pytest.mark.parametrize(
    ("changes", "word", "is_averaged"),
    [
        ({}, 0x39FF, True),
        ({"profile": "fast"}, 0x399F, False),
        ({"profile": "inrush"}, 0x381F, False),
        ({"profile": "fast", "shunt_adc": "2x", "bus_range": "16V"}, 0x19CF, True),
    ],
)
def test_usual_pace_is_the_profiles(changes: dict[str, str], word: int, is_averaged: bool) -> None:
    pace = pace219.usual(replace(PROFILE, **changes), Range.MV_320)  # type: ignore[arg-type]
    assert (pace.configuration.word, pace.is_averaged) == (word, is_averaged)


def test_hasty_and_keen_paces_have_the_widest_range_and_the_bus_range_of_the_profile() -> None:
    profile = replace(PROFILE, amps_max=0.3, bus_range="16V")
    assert pace219.hasty(profile).configuration.word == 0x181F
    assert pace219.keen(profile).configuration.word == 0x199F
    assert pace219.hasty(PROFILE).configuration.cycle_ns == 616_000


def test_scale_of_a_pace_ends_where_its_range_does() -> None:
    assert pace219.usual(PROFILE, Range.MV_40).scale.raw_max == 4_000
    assert pace219.hasty(PROFILE).scale.raw_max == 32_000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amps_max": 0.3}, Range.MV_40),
        ({"amps_max": 0.3, "shunt_range": "160mV"}, Range.MV_160),
        ({"amps_max": 0.3, "shunt_range": "auto"}, Range.MV_320),
    ],
)
def test_first_range_fits_the_current_unless_the_profile_names_it(
    changes: dict[str, object], expected: Range
) -> None:
    assert pace219.first_range(replace(PROFILE, **changes)) is expected  # type: ignore[arg-type]


def test_current_beyond_every_range_is_an_error_of_the_profile() -> None:
    with pytest.raises(ProfileError, match=r"'feed': 5.0 A through 0.1 ohm .* at most 3.20"):
        pace219.first_range(replace(PROFILE, amps_max=5.0))
