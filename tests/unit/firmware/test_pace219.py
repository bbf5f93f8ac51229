"""Fails if a way to convert is not what the profile, or the moment, asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.firmware.test_ina219 import PROFILE

from rackgrid_firmware import pace219
from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.pace219 import Paces
from rackgrid_firmware.ranging import CALM
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


@pytest.mark.parametrize(
    ("volts", "amps"), [(3_000, 7_999), (3_000, -7_999), (3_000, 32_000), (3_000, -32_000)]
)
def test_frame_of_a_pace_alarms_at_the_limit_and_at_the_end_stop(volts: int, amps: int) -> None:
    limit_a = 0.8 if abs(amps) < 32_000 else 0.0  # 0.1 ohm: 0.1 mA a step
    frame = pace219.usual(PROFILE, Range.MV_320).frame(limit_a)
    assert (frame.low, frame.high) == (-abs(amps), abs(amps))
    assert frame.is_held
    assert not pace219.hasty(PROFILE).frame(limit_a).is_held


def test_paces_choose_a_hurry_before_a_look_and_the_usual_after_both() -> None:
    paces = Paces(PROFILE)
    assert paces.choose(0) is paces.usual
    paces.look(100)
    paces.hurry(50)
    paces.hurry(40)
    assert paces.busy_until_ns == 100
    assert [paces.choose(at) for at in (49, 50, 99, 100)] == [
        paces.hasty,
        paces.keen,
        paces.keen,
        paces.usual,
    ]


def test_paces_of_an_automatic_range_follow_what_is_read_as_usual_and_widen_in_a_hurry() -> None:
    paces = Paces(replace(PROFILE, profile="fast", shunt_range="auto"))
    wide = paces.usual
    for _ in range(2 * CALM):
        paces.judge(100, paces.hasty.configuration)
    assert paces.usual is wide, "what was read in a hurry is not judged"
    for _ in range(3 * CALM):
        paces.judge(100, paces.usual.configuration)
    assert paces.usual.configuration.shunt_range is Range.MV_40
    paces.hurry(1)
    assert paces.choose(0) is paces.hasty
    assert paces.choose(1).configuration.shunt_range is Range.MV_320


def test_paces_of_a_range_that_is_named_stay_in_it() -> None:
    paces = Paces(replace(PROFILE, profile="fast", shunt_range="160mV"))
    for _ in range(3 * CALM):
        paces.judge(100, paces.usual.configuration)
    assert paces.usual.configuration.shunt_range is Range.MV_160
