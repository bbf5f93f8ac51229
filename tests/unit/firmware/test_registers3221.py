from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware import registers3221
from rackgrid_firmware.conversion import parse
from rackgrid_firmware.device import Quality

words = st.integers(0, 0xFFFF)
channels = st.sets(st.integers(1, 3))


def test_word_of_the_power_on_configuration_is_the_reset_value() -> None:
    """SBOS576C 7.6.2.1: 7127h, all three channels."""
    assert registers3221.word(parse(0x127), (1, 2, 3)) == registers3221.POWER_ON == 0x7127
    assert registers3221.enabled(0x7127) == (1, 2, 3)


@pytest.mark.parametrize(
    ("enabled", "word"), [((1,), 0x403F), ((2,), 0x203F), ((3,), 0x103F), ((1, 3), 0x503F)]
)
def test_word_enables_just_the_channels_that_are_wired(enabled: tuple[int, ...], word: int) -> None:
    assert registers3221.word(registers3221.CONVERSIONS["energy"], enabled) == word
    assert registers3221.enabled(word) == enabled


@given(words, channels)
def test_word_keeps_conversion_and_channels_apart(bits: int, enabled: set[int]) -> None:
    word = registers3221.word(parse(bits), enabled)
    assert set(registers3221.enabled(word)) == enabled
    assert word & 0x0FFF == bits & 0x0FFF
    assert not word & 0x8000


@pytest.mark.parametrize("profile", ["energy", "fast", "inrush"])
def test_conversions_do_not_average_because_that_creeps_up_from_zero(profile: str) -> None:
    conversion = registers3221.CONVERSIONS[profile]
    assert conversion.samples.count == 1
    assert registers3221.word(conversion, (1, 2, 3)) != registers3221.POWER_ON


def test_registers_of_the_channels_are_the_datasheets() -> None:
    """SBOS576C table 7-3: 01h and 02h, 03h and 04h, 05h and 06h."""
    assert [registers3221.shunt_register(n) for n in (1, 2, 3)] == [1, 3, 5]
    assert [registers3221.bus_register(n) for n in (1, 2, 3)] == [2, 4, 6]


@pytest.mark.parametrize(
    ("word", "volts"), [(0x2710, 10.0), (0x2328, 9.0), (0x7FF8, 32.76), (0x0008, 0.008)]
)
def test_raw_reads_the_datasheets_bus_voltages(word: int, volts: float) -> None:
    """SBOS576C 7.6.2.17 and 7.6.2.18 (power-valid limits), 7.6.2.3 (full scale)."""
    assert registers3221.raw(0, word)[1] * registers3221.BUS_V_PER_LSB == pytest.approx(volts)


@pytest.mark.parametrize(
    ("word", "millivolts"), [(0x3E80, 80.0), (0xC180, -80.0), (0x7FF8, 163.8), (0x8000, -163.84)]
)
def test_raw_reads_the_datasheets_shunt_voltages(word: int, millivolts: float) -> None:
    """SBOS576C 7.6.2.2: 80 mV is 3E80h, -80 mV is C180h, the end is 163.8 mV."""
    lsb = registers3221.SHUNT_V_PER_LSB
    assert registers3221.raw(word, 0)[0] * lsb * 1e3 == pytest.approx(millivolts)


@given(words, words)
def test_raw_refuses_what_no_chip_can_say_and_loses_no_bit_of_the_rest(
    shunt: int, bus: int
) -> None:
    negative = bus & 0x8000 and bus < 0xFFF8 - 12 * 8
    if shunt & 7 or bus & 7 or negative:
        with pytest.raises(ValueError, match=r"lowest bits|bus voltage"):
            registers3221.raw(shunt, bus)
    else:
        shunt_raw, bus_raw = registers3221.raw(shunt, bus)
        assert (shunt_raw << 3 & 0xFFFF, bus_raw << 3 & 0xFFFF) == (shunt, bus)


@pytest.mark.parametrize("raw", [4095, -4096])
def test_scale_at_either_end_stop_is_saturated(raw: int) -> None:
    sample = registers3221.scale_for(0.1, 1.0, 0.0).sample(raw, 1500)
    assert sample.quality is Quality.SATURATED
    assert sample.volts == pytest.approx(12.0)
    assert sample.amps == pytest.approx(raw * 0.4e-3)
