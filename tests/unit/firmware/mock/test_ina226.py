"""Fails if a chip says what no INA226 or INA260 would (TI SBOS547B, SBOS656C), or time leaks in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.mock.ina226 import (
    ALERT_LIMIT,
    BUS,
    CALIBRATION,
    CONFIGURATION,
    CURRENT,
    CVRF,
    DIE,
    MAKER,
    MASK_ENABLE,
    OVF,
    POWER,
    SHUNT,
    Ina226Chip,
    Ina260Chip,
)

MS = 1_000_000
CYCLE_NS = 2_200_000
"""Of the power-on configuration: 1.1 ms each."""


def perfect(shunt_v: float = 0.0, bus_v: float = 0.0) -> Ina226Chip:
    chip = Ina226Chip(noise=0.0)
    chip.feel(0, shunt_v, bus_v)
    return chip


def signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word


def configuration(avg: int = 0, bus: int = 4, shunt: int = 4, mode: int = 7) -> int:
    return avg << 9 | bus << 6 | shunt << 3 | mode


def test_chip_after_power_on_has_the_datasheets_registers() -> None:
    chip = perfect(0.05, 12.0)
    assert [chip.read(0, each) for each in range(8)] == [0x4127, 0, 0, 0, 0, 0, 0, 0]
    assert (chip.read(0, MAKER), chip.read(0, DIE)) == (0x5449, 0x2260)


def test_chip_in_the_datasheets_example_has_its_contents() -> None:
    """SBOS547B, table of the configure/measure/calculate example: 2 mOhm, 10 A."""
    chip = perfect(0.020, 11.98)
    chip.write(0, CALIBRATION, 0xA00)
    words = [chip.read(CYCLE_NS, each) for each in (SHUNT, BUS, CURRENT, POWER)]
    assert words == [0x1F40, 0x2570, 0x2710, 0x12B8]


def test_chip_shunt_of_minus_eighty_millivolts_is_the_datasheets_word() -> None:
    assert perfect(-0.080, 1.0).read(CYCLE_NS, SHUNT) == 0x8300


def test_registers_change_together_at_the_end_of_the_averages() -> None:
    chip = perfect(0.02, 12.0)
    chip.write(0, CONFIGURATION, configuration(avg=2, bus=0, shunt=6))
    cycle_ns = 16 * (4_156_000 + 140_000)
    assert [chip.read(cycle_ns - 1, each) for each in (SHUNT, BUS, MASK_ENABLE)] == [0, 0, 0]
    assert chip.read(cycle_ns, SHUNT) == 8000
    assert chip.read(cycle_ns, BUS) == 9600
    assert chip.read(cycle_ns, MASK_ENABLE) == CVRF


COUNTS = [1, 4, 16, 64, 128, 256, 512, 1024]
SPANS_US = [140, 204, 332, 588, 1100, 2116, 4156, 8244]


@pytest.mark.parametrize("avg", range(8))
@pytest.mark.parametrize("field", range(8))
def test_conversion_takes_the_tables_time(avg: int, field: int) -> None:
    chip = perfect()
    chip.write(0, CONFIGURATION, configuration(avg=avg, bus=field, shunt=7 - field))
    cycle_ns = COUNTS[avg] * (SPANS_US[field] + SPANS_US[7 - field]) * 1000
    assert not chip.read(cycle_ns - 1, MASK_ENABLE) & CVRF
    assert chip.read(cycle_ns, MASK_ENABLE) & CVRF


def test_cvrf_is_cleared_by_reading_it_and_by_a_new_configuration_and_by_nothing_else() -> None:
    chip = perfect(0.02, 12.0)
    for each in (SHUNT, BUS, POWER, CURRENT, CONFIGURATION):
        chip.read(CYCLE_NS, each)
    assert chip.read(CYCLE_NS, MASK_ENABLE) & CVRF
    assert not chip.read(CYCLE_NS, MASK_ENABLE) & CVRF
    chip.read(2 * CYCLE_NS, SHUNT)
    chip.write(2 * CYCLE_NS, CONFIGURATION, configuration())
    assert not chip.read(2 * CYCLE_NS, MASK_ENABLE) & CVRF


def test_cvrf_survives_a_configuration_that_powers_down() -> None:
    chip = perfect(0.02, 12.0)
    chip.write(CYCLE_NS, CONFIGURATION, configuration(mode=4))
    assert chip.read(CYCLE_NS, MASK_ENABLE) & CVRF


def test_configuration_keeps_its_fixed_bits_and_the_last_data() -> None:
    chip = perfect(0.02, 12.0)
    chip.write(CYCLE_NS, CONFIGURATION, 0x3FFF & ~0x1000 | 0x1000)
    assert chip.read(CYCLE_NS, CONFIGURATION) == 0x4FFF
    assert chip.read(CYCLE_NS, SHUNT) == 8000


@pytest.mark.parametrize(("sign", "raw"), [(1, 0x7FFF), (-1, -0x8000)])
def test_shunt_beyond_the_range_clips(sign: int, raw: int) -> None:
    assert signed(perfect(sign * 0.2, 12.0).read(CYCLE_NS, SHUNT)) == raw


def test_shunt_clips_before_it_averages() -> None:
    """A spike beyond the range counts for full scale and no more."""
    chip = perfect(0.0, 12.0)
    chip.write(0, CONFIGURATION, configuration(avg=0, mode=5))
    chip.feel(0, 10.0, 12.0)
    chip.feel(550_000, 0.0, 12.0)
    assert chip.read(1_100_000, SHUNT) == pytest.approx(0x4000, abs=1)


def test_bus_has_no_sixteenth_bit() -> None:
    assert perfect(0.0, 50.0).read(CYCLE_NS, BUS) == 0x7FFF
    assert perfect(0.0, -1.0).read(CYCLE_NS, BUS) == 0


def test_current_without_calibration_is_zero() -> None:
    chip = perfect(0.02, 12.0)
    assert (chip.read(CYCLE_NS, CURRENT), chip.read(CYCLE_NS, POWER)) == (0, 0)


def test_current_that_does_not_fit_sets_ovf_until_it_fits() -> None:
    chip = perfect(0.08, 12.0)
    chip.write(0, CALIBRATION, 0x7FFF)
    assert chip.read(CYCLE_NS, MASK_ENABLE) & OVF
    chip.feel(CYCLE_NS, 0.001, 12.0)
    assert not chip.read(3 * CYCLE_NS, MASK_ENABLE) & OVF


@pytest.mark.parametrize("by_bit", [True, False])
def test_brown_out_and_reset_bit_give_the_power_on_state(by_bit: bool) -> None:
    chip = perfect(0.02, 12.0)
    chip.write(0, CALIBRATION, 2560)
    chip.write(0, ALERT_LIMIT, 5)
    chip.write(0, CONFIGURATION, configuration(shunt=0, bus=0))
    if by_bit:
        chip.write(CYCLE_NS, CONFIGURATION, 0x8000)
    else:
        chip.brown_out(CYCLE_NS)
    assert [chip.read(CYCLE_NS, each) for each in range(8)] == [0x4127, 0, 0, 0, 0, 0, 0, 0]
    assert chip.read(2 * CYCLE_NS, SHUNT) == 8000


def test_triggered_mode_converts_once() -> None:
    chip = perfect(0.02, 12.0)
    chip.write(0, CONFIGURATION, configuration(mode=3))
    assert chip.read(CYCLE_NS, MASK_ENABLE) & CVRF
    chip.feel(CYCLE_NS, 0.04, 5.0)
    assert chip.read(50 * MS, SHUNT) == 8000
    assert not chip.read(50 * MS, MASK_ENABLE) & CVRF


def test_power_down_keeps_the_data_and_wakes_after_40_us() -> None:
    chip = perfect(0.02, 12.0)
    chip.write(CYCLE_NS, CONFIGURATION, configuration(mode=0))
    chip.feel(CYCLE_NS, 0.04, 5.0)
    assert chip.read(20 * MS, SHUNT) == 8000
    chip.write(20 * MS, CONFIGURATION, configuration(mode=5))
    assert chip.read(20 * MS + 1_139_999, SHUNT) == 8000
    assert chip.read(20 * MS + 1_140_000, SHUNT) == 16_000


def test_bus_only_mode_leaves_the_shunt_alone() -> None:
    chip = perfect(0.02, 12.0)
    chip.write(0, CONFIGURATION, configuration(mode=6))
    assert (chip.read(1_100_000, BUS), chip.read(1_100_000, SHUNT)) == (9600, 0)


def test_mask_and_limit_keep_the_bits_that_can_be_written() -> None:
    chip = perfect()
    chip.write(0, MASK_ENABLE, 0xFFFF)
    chip.write(0, ALERT_LIMIT, 0x1234)
    assert chip.read(0, MASK_ENABLE) == 0xFC03
    assert chip.read(0, ALERT_LIMIT) == 0x1234
    for each in (SHUNT, BUS, POWER, CURRENT, MAKER, DIE):
        chip.write(0, each, 0x1111)
        assert chip.read(0, each) != 0x1111


def test_noise_same_seed_same_words_and_averaging_makes_them_narrower() -> None:
    def words(seed: int, avg: int, step_ns: int) -> list[int]:
        chip = Ina226Chip(seed=seed)
        chip.feel(0, 0.02, 12.0)
        chip.write(0, CONFIGURATION, configuration(avg=avg, bus=0, shunt=0))
        return [chip.read(n * step_ns, SHUNT) for n in range(2, 60)]

    single = words(1, 0, MS)
    assert single == words(1, 0, MS) != words(2, 0, MS)
    averaged = words(1, 5, 80 * MS)
    assert max(averaged) - min(averaged) < max(single) - min(single)


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 400 * MS), min_size=1, max_size=8),
    st.integers(0, 0xFFF),
)
def test_chip_however_often_it_is_read_says_the_same_in_the_end(
    steps: list[int], word: int
) -> None:
    """The law of the lazy clock: skipping conversions nobody saw changes nothing."""

    def run(reads: bool) -> list[int]:
        chip = Ina226Chip(seed=5)
        chip.feel(0, 0.05, 11.9)
        chip.write(0, CALIBRATION, 2048)
        chip.write(0, CONFIGURATION, word)
        now_ns = 0
        for step in steps:
            if reads:
                for at in range(now_ns, now_ns + step, 7 * MS):
                    chip.read(at, SHUNT)
            now_ns += step
        return [chip.read(now_ns, each) for each in (SHUNT, BUS, CURRENT, POWER, MASK_ENABLE)]

    assert run(reads=True) == run(reads=False)


def test_ina260_after_power_on_has_the_datasheets_registers() -> None:
    chip = Ina260Chip(noise=0.0)
    assert chip.registers == {0, 1, 2, 3, 6, 7, 0xFE, 0xFF}
    assert [chip.read(0, each) for each in (0, 1, 2, 3, 6, 7)] == [0x6127, 0, 0, 0, 0, 0]
    assert (chip.read(0, MAKER), chip.read(0, DIE)) == (0x5449, 0x2270)
    chip.write(0, CONFIGURATION, 0x0FFF)
    assert chip.read(0, CONFIGURATION) == 0x6FFF


@pytest.mark.parametrize(
    ("amps", "word"), [(10.0, 0x1F40), (-0.00125, 0xFFFF), (60.0, 0x7FFF), (-60.0, 0x8000)]
)
def test_ina260_current_has_steps_of_a_milliampere_and_a_quarter(amps: float, word: int) -> None:
    chip = Ina260Chip(noise=0.0)
    chip.feel(0, amps * 0.002, 12.0)
    assert chip.read(CYCLE_NS, SHUNT) == word


def test_ina260_power_has_steps_of_ten_milliwatts_and_no_sign() -> None:
    for sign in (1, -1):
        chip = Ina260Chip(noise=0.0)
        chip.feel(0, sign * 10.0 * 0.002, 12.0)
        assert chip.read(CYCLE_NS, POWER) == 12_000


@pytest.mark.parametrize("chip", [Ina226Chip(), Ina260Chip()])
def test_chip_impossible_access_is_refused(chip: Ina226Chip) -> None:
    with pytest.raises(ValueError, match="no register 0x08"):
        chip.read(0, 8)
    for register, value in ((8, 0), (CONFIGURATION, 0x10000)):
        with pytest.raises(ValueError, match="cannot write"):
            chip.write(0, register, value)
    with pytest.raises(AssertionError, match="no channel 2"):
        chip.feel(0, 0.0, 0.0, 2)
