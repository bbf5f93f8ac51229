from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware import registers
from rackgrid_firmware.conversion import (
    AVERAGED,
    Conversion,
    Mode,
    Samples,
    Scale,
    Span,
    parse,
    slowest,
)
from rackgrid_firmware.device import Quality

conversions = st.builds(
    Conversion,
    st.sampled_from(Samples),
    st.sampled_from(Span),
    st.sampled_from(Span),
    st.sampled_from(Mode),
)


def test_conversion_after_power_on_is_what_the_datasheets_say() -> None:
    """SBOS547B 7.1.1: 4127h is one sample, both 1.1 ms, both continuous; so 6127h and 7127h."""
    power_on = Conversion(Samples.ONE, Span.US_1100, Span.US_1100, Mode.BOTH_CONTINUOUS)
    for word in (0x4127, 0x6127, 0x7127):
        assert parse(word) == power_on
    assert power_on.bits == 0x127
    assert power_on.cycle_ns == 2_200_000


def test_conversion_tables_are_the_datasheets() -> None:
    assert [each.count for each in Samples] == [1, 4, 16, 64, 128, 256, 512, 1024]
    assert [each.ns // 1000 for each in Span] == [140, 204, 332, 588, 1100, 2116, 4156, 8244]
    assert slowest(1_100_000) == 1_210_000
    assert slowest(8_244_000) == pytest.approx(9_068_000, rel=1e-4)


@given(conversions)
def test_conversion_through_its_bits_comes_back_equal(conversion: Conversion) -> None:
    assert parse(conversion.bits) == conversion
    assert conversion.bits & 0xF000 == 0


@given(st.integers(0, 0xFFFF))
def test_conversion_word_has_a_meaning_whatever_it_is(word: int) -> None:
    assert parse(word).bits == word & 0x0FFF


@pytest.mark.parametrize(
    ("mode", "cycle_ns"),
    [
        (Mode.POWER_DOWN, 0),
        (Mode.POWER_DOWN_TOO, 0),
        (Mode.SHUNT_CONTINUOUS, 4 * 332_000),
        (Mode.BUS_TRIGGERED, 4 * 204_000),
        (Mode.BOTH_TRIGGERED, 4 * 536_000),
    ],
)
def test_conversion_cycle_counts_only_what_the_mode_converts(mode: Mode, cycle_ns: int) -> None:
    assert Conversion(Samples.OF_4, Span.US_204, Span.US_332, mode).cycle_ns == cycle_ns


def test_conversion_for_energy_integrates_the_shunt_and_keeps_the_ina219s_period() -> None:
    energy = AVERAGED["energy"]
    ina219 = registers.configuration_for("energy", registers.Range.MV_320)
    assert energy.cycle_ns == 68_736_000 == pytest.approx(ina219.cycle_ns, rel=2e-3)
    assert energy.shunt.ns / (energy.shunt.ns + energy.bus.ns) > 0.96
    assert AVERAGED["fast"].cycle_ns == 1_176_000
    assert AVERAGED["inrush"].cycle_ns == 472_000


@pytest.mark.parametrize(
    ("raw", "quality"),
    [
        (100, Quality.SATURATED),
        (99, Quality.FRESH),
        (-127, Quality.FRESH),
        (-128, Quality.SATURATED),
    ],
)
def test_scale_at_either_end_stop_is_saturated(raw: int, quality: Quality) -> None:
    sample = Scale(0.5, 0.25, -1.0, -128, 100).sample(raw, 24)
    assert (sample.volts, sample.amps) == (12.0, raw * 0.25 - 1.0)
    assert sample.quality is quality
