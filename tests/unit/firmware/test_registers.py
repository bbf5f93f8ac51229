from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware import registers
from rackgrid_firmware.device import Quality
from rackgrid_firmware.registers import Adc, Configuration, Mode, Range

words = st.integers(0, 0xFFFF)
configurations = st.builds(
    Configuration,
    st.booleans(),
    st.sampled_from(Range),
    st.sampled_from(Adc),
    st.sampled_from(Adc),
    st.sampled_from(Mode),
)


def test_configuration_after_power_on_is_what_the_datasheet_says() -> None:
    """SBOS448G p. 19: 32 V, ±320 mV, 12 bit, both continuous."""
    power_on = Configuration(True, Range.MV_320, Adc.BITS_12, Adc.BITS_12, Mode.BOTH_CONTINUOUS)
    assert registers.parse(registers.POWER_ON) == power_on
    assert power_on.word == registers.POWER_ON


@given(configurations)
def test_configuration_through_its_word_comes_back_equal(configuration: Configuration) -> None:
    assert registers.parse(configuration.word) == configuration


@given(words)
def test_configuration_word_has_a_meaning_whatever_it_is(word: int) -> None:
    configuration = registers.parse(word)
    assert registers.parse(configuration.word) == configuration
    assert configuration.word & 0xC000 == 0


@pytest.mark.parametrize(("code", "adc"), [(8, Adc.BITS_12), (4, Adc.BITS_9), (7, Adc.BITS_12)])
def test_configuration_codes_that_mean_the_same_are_read_as_the_same(code: int, adc: Adc) -> None:
    assert registers.parse(code << 3).shunt_adc is adc
    assert registers.parse(code << 7).bus_adc is adc


@pytest.mark.parametrize(
    ("profile", "cycle_ns", "rate"), [("energy", 68_632_000, 14.57), ("fast", 1_064_000, 940)]
)
def test_configuration_of_a_profile_converts_at_its_rate(
    profile: str, cycle_ns: int, rate: float
) -> None:
    configuration = registers.configuration_for(profile, Range.MV_80)
    assert configuration.cycle_ns == cycle_ns
    assert 1e9 / configuration.cycle_ns == pytest.approx(rate, rel=1e-3)
    assert configuration.shunt_range is Range.MV_80
    assert 1.1 * cycle_ns < configuration.cycle_max_ns < 1.11 * cycle_ns


def test_configuration_for_energy_integrates_the_shunt_nearly_always() -> None:
    configuration = registers.configuration_for("energy", Range.MV_320)
    assert configuration.shunt_adc.conversion_ns / configuration.cycle_ns > 0.99


@pytest.mark.parametrize(
    ("mode", "cycle_ns"),
    [
        (Mode.POWER_DOWN, 0),
        (Mode.ADC_OFF, 0),
        (Mode.SHUNT_CONTINUOUS, 84_000),
        (Mode.BUS_TRIGGERED, 148_000),
        (Mode.BOTH_TRIGGERED, 232_000),
    ],
)
def test_configuration_cycle_counts_only_what_the_mode_converts(mode: Mode, cycle_ns: int) -> None:
    assert Configuration(True, Range.MV_40, Adc.BITS_10, Adc.BITS_9, mode).cycle_ns == cycle_ns


@pytest.mark.parametrize(
    ("amps_max", "shunt_ohms", "expected"),
    [
        (0.0, 0.1, Range.MV_320),
        (0.39, 0.1, Range.MV_40),
        (0.4, 0.1, Range.MV_80),
        (-0.4, 0.1, Range.MV_80),
        (1.0, 0.1, Range.MV_160),
        (3.2, 0.1, Range.MV_320),
        (3.3, 0.1, None),
        (30.0, 0.01, Range.MV_320),
    ],
)
def test_range_for_a_current_is_the_finest_that_holds_it(
    amps_max: float, shunt_ohms: float, expected: Range | None
) -> None:
    assert registers.range_for(amps_max, shunt_ohms) is expected


@given(st.floats(0.001, 100), st.floats(0.0005, 1))
def test_range_for_a_current_never_saturates_at_that_current(amps: float, ohms: float) -> None:
    shunt_range = registers.range_for(amps, ohms)
    if shunt_range is None:
        assert amps * ohms > 0.32
    else:
        assert amps * ohms <= shunt_range.volts * 1.000001
        finer = [each for each in Range if each < shunt_range]
        assert all(each.volts <= amps * ohms for each in finer)


def test_shunt_ranges_end_where_the_datasheet_says() -> None:
    """SBOS448G p. 21: 4000, 8000, 16000, 32000 LSB of 10 µV."""
    assert [each.raw_max for each in Range] == [4000, 8000, 16000, 32000]
    assert [each.volts for each in Range] == pytest.approx([0.04, 0.08, 0.16, 0.32])


@pytest.mark.parametrize(
    ("word", "value"), [(0x7D00, 32000), (0x8300, -32000), (0xF060, -4000), (0, 0), (0xFFFF, -1)]
)
def test_signed_reads_the_datasheets_shunt_words(word: int, value: int) -> None:
    assert registers.signed(word) == value


@given(words)
def test_signed_and_swapped_lose_no_bit(word: int) -> None:
    assert registers.signed(word) & 0xFFFF == word
    assert -0x8000 <= registers.signed(word) <= 0x7FFF
    assert registers.swapped(registers.swapped(word)) == word


def test_swapped_exchanges_the_bytes() -> None:
    assert registers.swapped(0x399F) == 0x9F39


@pytest.mark.parametrize(
    ("word", "raw", "converted"),
    [(0x1F40 << 3, 8000, False), (0x5DC2, 3000, True), (0x0001, 0, False)],
)
def test_bus_word_holds_volts_and_whether_it_is_converted(
    word: int, raw: int, converted: bool
) -> None:
    assert registers.bus_raw(word) == raw
    assert registers.is_converted(word) is converted


def test_scale_turns_raw_readings_into_volts_and_calibrated_amps() -> None:
    scale = registers.scale_for(0.1, gain=1.02, offset_a=-0.003, shunt_range=Range.MV_320)
    sample = scale.sample(5000, 3000)
    assert sample.volts == pytest.approx(12.0)
    assert sample.amps == pytest.approx(0.5 * 1.02 - 0.003)
    assert sample.quality is Quality.FRESH


@pytest.mark.parametrize("shunt_range", Range)
@pytest.mark.parametrize("sign", [1, -1])
def test_scale_at_the_end_stop_is_saturated_and_one_below_is_not(
    shunt_range: Range, sign: int
) -> None:
    scale = registers.scale_for(0.1, 1.0, 0.0, shunt_range)
    assert scale.sample(sign * shunt_range.raw_max, 3000).quality is Quality.SATURATED
    assert scale.sample(sign * (shunt_range.raw_max - 1), 3000).quality is Quality.FRESH


def test_names_of_settings_say_what_the_chip_does() -> None:
    assert list(registers.ADC_NAMES) == [
        *("9bit", "10bit", "11bit", "12bit"),
        *("2x", "4x", "8x", "16x", "32x", "64x", "128x"),
    ]
    for name, adc in registers.ADC_NAMES.items():
        assert (adc.bits, adc.samples) == (
            (int(name[:-3]), 1) if name.endswith("bit") else (12, int(name[:-1]))
        )
    for name, each in registers.RANGE_NAMES.items():
        assert each.volts == pytest.approx(int(name[:-2]) / 1000)
