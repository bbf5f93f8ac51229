from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware import registers226
from rackgrid_firmware.conversion import AVERAGED, parse
from rackgrid_firmware.device import Quality

words = st.integers(0, 0xFFFF)


def test_words_of_the_power_on_configuration_are_the_reset_values() -> None:
    """SBOS547B table 7-1: 4127h; SBOS656C table 4: 6127h."""
    assert registers226.word_226(parse(0x127)) == registers226.POWER_ON_226 == 0x4127
    assert registers226.word_260(parse(0x127)) == registers226.POWER_ON_260 == 0x6127


@pytest.mark.parametrize(
    ("profile", "bits"), [("energy", 0x437), ("fast", 0x0DF), ("inrush", 0x087)]
)
def test_words_of_a_profile_differ_from_the_reset_value(profile: str, bits: int) -> None:
    """Else a chip that was reset could not be told from one that is configured."""
    word = registers226.word_226(AVERAGED[profile])
    assert word == 0x4000 | bits
    assert word != registers226.POWER_ON_226
    assert registers226.word_260(AVERAGED[profile]) == 0x6000 | bits


def test_scale_226_reads_the_datasheets_example() -> None:
    """SBOS547B, configure/measure/calculate example: 10 A, 11.98 V with a shunt of 2 mOhm."""
    scale = registers226.scale_226(0.002, 1.0, 0.0)
    sample = scale.sample(*registers226.raw(0x1F40, 0x2570))
    assert sample.volts == pytest.approx(11.98)
    assert sample.amps == pytest.approx(10.0)
    assert sample.quality is Quality.FRESH


def test_scale_226_reads_the_datasheets_negative_shunt() -> None:
    """SBOS547B 7.1.2: -80 mV is 8300h."""
    sample = registers226.scale_226(1.0, 1.0, 0.0).sample(*registers226.raw(0x8300, 0))
    assert sample.amps == pytest.approx(-0.080)


def test_scale_260_reads_steps_of_a_milliampere_and_a_quarter() -> None:
    scale = registers226.scale_260(1.01, 0.5)
    assert scale.sample(*registers226.raw(0x1F40, 0x2580)).amps == pytest.approx(10.6)
    assert scale.sample(*registers226.raw(0x1F40, 0x2580)).volts == pytest.approx(12.0)
    assert scale.sample(*registers226.raw(0xFFFF, 0)).amps == pytest.approx(-1.25e-3 * 1.01 + 0.5)


@pytest.mark.parametrize("word", [0x7FFF, 0x8000])
def test_scale_at_the_ends_of_sixteen_bits_is_saturated(word: int) -> None:
    scale = registers226.scale_226(0.01, 1.0, 0.0)
    sample = scale.sample(*registers226.raw(word, 9600))
    assert sample.quality is Quality.SATURATED
    assert abs(sample.amps) == pytest.approx(8.192, abs=3e-4)


@given(words, words)
def test_raw_loses_no_bit_of_what_a_chip_can_say(shunt: int, bus: int) -> None:
    if bus & 0x8000:
        with pytest.raises(ValueError, match="a bus voltage of 0x"):
            registers226.raw(shunt, bus)
    else:
        shunt_raw, bus_raw = registers226.raw(shunt, bus)
        assert (shunt_raw & 0xFFFF, bus_raw) == (shunt, bus)
