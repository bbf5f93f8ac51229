"""Fails if the chip says what no INA3221 would say (TI SBOS576C), or time leaks into it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.mock.ina3221 import (
    CONFIGURATION,
    CVRF,
    DIE,
    MAKER,
    MASK_ENABLE,
    SHUNT_SUM,
    Ina3221Chip,
)

MS = 1_000_000
ROUND_NS = 6_600_000
"""Of the power-on configuration: three channels, 1.1 ms for each of both."""


def perfect(*inputs: tuple[float, float]) -> Ina3221Chip:
    """Make a chip that feels (shunt V, bus V) at its channels."""
    chip = Ina3221Chip(noise=0.0)
    for channel, (shunt_v, bus_v) in enumerate(inputs, 1):
        chip.feel(0, shunt_v, bus_v, channel)
    return chip


def configuration(
    channels: int = 7, avg: int = 0, bus: int = 4, shunt: int = 4, mode: int = 7
) -> int:
    return channels << 12 | avg << 9 | bus << 6 | shunt << 3 | mode


def test_chip_after_power_on_has_the_datasheets_registers() -> None:
    """SBOS576C, table 7-3."""
    chip = perfect((0.1, 12.0))
    words = [chip.read(0, each) for each in range(0x12)]
    limits = [0x7FF8] * 6
    assert words == [0x7127, *[0] * 6, *limits, 0, 0x7FFE, 0x0002, 0x2710, 0x2328]
    assert (chip.read(0, MAKER), chip.read(0, DIE)) == (0x5449, 0x3220)


@pytest.mark.parametrize(
    ("volts", "word"), [(0.080, 0x3E80), (-0.080, 0xC180), (0.5, 0x7FF8), (-0.5, 0x8000)]
)
def test_shunt_is_the_datasheets_word(volts: float, word: int) -> None:
    """SBOS576C 7.6.2.2: -80 mV is C180h; the converter ends at 163.8 mV."""
    assert perfect((volts, 12.0)).read(ROUND_NS, 1) == word


@pytest.mark.parametrize(("volts", "word"), [(10.0, 0x2710), (9.0, 0x2328), (40.0, 0x7FF8)])
def test_bus_is_the_datasheets_word(volts: float, word: int) -> None:
    assert perfect((0.0, volts)).read(ROUND_NS, 2) == word


def test_channels_are_converted_in_turn_shunt_first() -> None:
    chip = perfect((0.04, 5.0), (0.08, 12.0), (0.12, 3.304))
    for turn, word in enumerate([1000, 625, 2000, 1500, 3000, 413], 1):
        assert chip.read(turn * 1_100_000 - 1, turn) == 0
        assert chip.read(turn * 1_100_000, turn) == word << 3


def test_disabled_channels_take_no_time_and_keep_their_words() -> None:
    chip = perfect((0.04, 5.0), (0.08, 12.0), (0.12, 3.3))
    chip.read(ROUND_NS, 1)
    chip.write(ROUND_NS, CONFIGURATION, configuration(channels=0b010))
    for channel in (1, 2, 3):
        chip.feel(ROUND_NS, 0.02, 6.0, channel)
    chip.read(ROUND_NS + 2_200_000, MASK_ENABLE)
    assert [chip.read(ROUND_NS + 2_200_000, each) >> 3 for each in (1, 3, 5)] == [1000, 500, 3000]


def test_cvrf_rises_with_the_last_channel_and_is_cleared_by_reading_it() -> None:
    chip = perfect((0.04, 5.0))
    assert not chip.read(ROUND_NS - 1, MASK_ENABLE) & CVRF
    assert chip.read(ROUND_NS, MASK_ENABLE) & CVRF
    assert not chip.read(ROUND_NS, MASK_ENABLE) & CVRF
    chip.read(2 * ROUND_NS, 1)
    chip.write(2 * ROUND_NS, CONFIGURATION, configuration())
    assert not chip.read(2 * ROUND_NS, MASK_ENABLE) & CVRF


@pytest.mark.parametrize("word", [configuration(mode=0), configuration(channels=0)])
def test_cvrf_survives_a_configuration_that_stops_the_chip(word: int) -> None:
    chip = perfect((0.04, 5.0))
    chip.write(ROUND_NS, CONFIGURATION, word)
    assert chip.read(ROUND_NS, MASK_ENABLE) & CVRF


def test_averaged_register_creeps_towards_the_truth_by_a_part_of_the_difference() -> None:
    """SBOS576C 7.4.1: which is why no driver of ours lets this chip average."""
    chip = perfect((0.04, 5.0))
    chip.write(0, CONFIGURATION, configuration(channels=0b100, avg=1))
    shown = [chip.read(n * 2_200_000, 1) >> 3 for n in range(1, 6)]
    assert shown == pytest.approx([250, 437.5, 578, 684, 763], abs=0.6)
    assert chip.read(400 * MS, 1) >> 3 == 1000


def test_sum_adds_the_shunts_whose_bit_is_set() -> None:
    chip = perfect((0.04, 5.0), (0.08, 12.0), (-0.02, 3.3))
    chip.write(0, MASK_ENABLE, 0x4000 | 0x1000)
    assert chip.read(ROUND_NS, SHUNT_SUM) == (1000 - 500) << 1


@pytest.mark.parametrize("by_bit", [True, False])
def test_brown_out_and_reset_bit_give_the_power_on_state(by_bit: bool) -> None:
    chip = perfect((0.04, 5.0))
    chip.write(0, 0x07, 0x1230)
    chip.write(0, CONFIGURATION, configuration(channels=4))
    if by_bit:
        chip.write(ROUND_NS, CONFIGURATION, 0x8000)
    else:
        chip.brown_out(ROUND_NS)
    assert [chip.read(ROUND_NS, each) for each in (0, 1, 2, 7)] == [0x7127, 0, 0, 0x7FF8]
    assert chip.read(2 * ROUND_NS, 1) >> 3 == 1000


def test_triggered_mode_converts_one_round() -> None:
    chip = perfect((0.04, 5.0))
    chip.write(0, CONFIGURATION, configuration(mode=3))
    assert chip.read(ROUND_NS, MASK_ENABLE) & CVRF
    chip.feel(ROUND_NS, 0.08, 5.0, 1)
    assert chip.read(50 * MS, 1) >> 3 == 1000


def test_power_down_wakes_after_40_us() -> None:
    chip = perfect((0.04, 5.0))
    chip.write(ROUND_NS, CONFIGURATION, configuration(mode=4))
    chip.feel(ROUND_NS, 0.08, 5.0, 1)
    chip.write(20 * MS, CONFIGURATION, configuration(mode=5))
    assert chip.read(20 * MS + 1_139_999, 1) >> 3 == 1000
    assert chip.read(20 * MS + 1_140_000, 1) >> 3 == 2000


def test_limits_keep_the_bits_that_can_be_written_and_data_none() -> None:
    chip = perfect((0.04, 5.0))
    for register in range(1, 0x12):
        chip.write(0, register, 0x5557)
    words = [chip.read(0, each) for each in range(1, 0x12)]
    assert words == [0] * 6 + [0x5550] * 6 + [0, 0x5556, 0x5402, 0x5550, 0x5550]


def test_noise_same_seed_same_words_and_a_longer_conversion_makes_them_narrower() -> None:
    def words(seed: int, shunt: int) -> list[int]:
        chip = Ina3221Chip(seed=seed)
        chip.feel(0, 0.02002, 12.0, 1)
        chip.write(0, CONFIGURATION, configuration(channels=4, shunt=shunt))
        return [chip.read(n * 10 * MS, 1) for n in range(2, 80)]

    quick = words(1, 0)
    assert quick == words(1, 0) != words(2, 0)
    assert len(set(words(1, 7))) < len(set(quick))


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 400 * MS), min_size=1, max_size=8),
    st.integers(0, 0x7FFF),
)
def test_chip_however_often_it_is_read_says_the_same_in_the_end(
    steps: list[int], word: int
) -> None:
    """The law of the lazy clock; an average that crept in one step may round the other way."""

    def run(reads: bool) -> list[int]:
        chip = Ina3221Chip(seed=5)
        for channel in (1, 2, 3):
            chip.feel(0, 0.02 * channel, 4.0 * channel, channel)
        chip.write(0, CONFIGURATION, word)
        now_ns = 0
        for step in steps:
            if reads:
                for at in range(now_ns, now_ns + step, 7 * MS):
                    chip.read(at, 1)
            now_ns += step
        return [chip.read(now_ns, each) >> 3 for each in range(1, 7)]

    assert run(reads=True) == pytest.approx(run(reads=False), abs=1)


def test_chip_impossible_access_is_refused() -> None:
    chip = Ina3221Chip()
    with pytest.raises(ValueError, match="no register 0x12"):
        chip.read(0, 0x12)
    for register, value in ((0x12, 0), (CONFIGURATION, 0x10000)):
        with pytest.raises(ValueError, match="cannot write"):
            chip.write(0, register, value)
    with pytest.raises(AssertionError, match="no channel 4"):
        chip.feel(0, 0.0, 0.0, 4)
    chip.read(5, 1)
    with pytest.raises(AssertionError, match="time does not go back"):
        chip.read(4, 1)
