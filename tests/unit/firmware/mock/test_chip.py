"""Fails if the chip says what no INA219 would say (TI SBOS448G), or time leaks into it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.mock.chip import (
    BUS,
    CALIBRATION,
    CONFIGURATION,
    CURRENT,
    POWER,
    POWER_ON,
    SHUNT,
    Ina219Chip,
    converter,
)

MS = 1_000_000
CYCLE_NS = 1_064_000
"""Of the power-on configuration: 12 bit shunt and 12 bit bus."""
CNVR, OVF = 2, 1


def perfect(shunt_v: float = 0.0, bus_v: float = 0.0) -> Ina219Chip:
    chip = Ina219Chip(noise=0.0)
    chip.feel(0, shunt_v, bus_v)
    return chip


def signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word


def configuration(
    *, brng: int = 1, pg: int = 3, badc: int = 3, sadc: int = 3, mode: int = 7
) -> int:
    return brng << 13 | pg << 11 | badc << 7 | sadc << 3 | mode


def test_chip_after_power_on_has_the_datasheets_registers() -> None:
    chip = perfect(0.1, 12.0)
    assert [chip.read(0, register) for register in range(6)] == [POWER_ON, 0, 0, 0, 0, 0]
    assert POWER_ON == 0x399F


def test_chip_before_the_conversion_ends_shows_nothing() -> None:
    chip = perfect(0.1, 12.0)
    assert chip.read(CYCLE_NS - 1, BUS) == 0
    assert chip.read(CYCLE_NS, BUS) == 3000 << 3 | CNVR


def test_chip_shunt_is_ready_before_the_bus() -> None:
    chip = perfect(0.1, 12.0)
    assert chip.read(532_000, SHUNT) == 10_000
    assert chip.read(532_000, BUS) == 0


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (0b0000, (9, 1, 84_000)),
        (0b0101, (10, 1, 148_000)),
        (0b0010, (11, 1, 276_000)),
        (0b0111, (12, 1, 532_000)),
        (0b1000, (12, 1, 532_000)),
        (0b1001, (12, 2, 1_060_000)),
        (0b1100, (12, 16, 8_510_000)),
        (0b1111, (12, 128, 68_100_000)),
    ],
)
def test_converter_field_has_the_tables_time(field: int, expected: tuple[int, int, int]) -> None:
    assert converter(field) == expected


def test_chip_energy_profile_takes_a_fresh_sample_each_68_ms() -> None:
    chip = perfect(0.01, 12.0)
    chip.write(0, CONFIGURATION, configuration(sadc=0b1111))
    cycle_ns = 68_100_000 + 532_000
    assert not chip.read(cycle_ns - 1, BUS) & CNVR
    assert chip.read(cycle_ns, BUS) & CNVR
    chip.read(cycle_ns, POWER)
    assert not chip.read(2 * cycle_ns - 1, BUS) & CNVR
    assert chip.read(2 * cycle_ns, BUS) & CNVR


def test_cnvr_reading_power_clears_it_and_reading_bus_does_not() -> None:
    chip = perfect()
    assert chip.read(CYCLE_NS, BUS) & CNVR
    assert chip.read(CYCLE_NS, BUS) & CNVR
    chip.read(CYCLE_NS, POWER)
    assert not chip.read(CYCLE_NS, BUS) & CNVR
    assert chip.read(2 * CYCLE_NS, BUS) & CNVR


def test_cnvr_of_the_field_reports_chip_is_cleared_by_reading_bus() -> None:
    chip = Ina219Chip(noise=0.0, bus_read_clears=True)
    assert chip.read(CYCLE_NS, BUS) & CNVR
    assert not chip.read(CYCLE_NS, BUS) & CNVR


def test_cnvr_writing_the_configuration_clears_it_and_restarts() -> None:
    chip = perfect(0.1, 12.0)
    chip.read(CYCLE_NS, BUS)
    chip.write(CYCLE_NS + 500_000, CONFIGURATION, POWER_ON)
    assert not chip.read(2 * CYCLE_NS, BUS) & CNVR
    assert chip.read(2 * CYCLE_NS + 500_000, BUS) & CNVR


@pytest.mark.parametrize(("pg", "limit"), [(0, 4000), (1, 8000), (2, 16000), (3, 32000)])
@pytest.mark.parametrize("sign", [1, -1])
def test_shunt_beyond_the_range_clips(pg: int, limit: int, sign: int) -> None:
    chip = perfect(sign * 0.5, 12.0)
    chip.write(0, CONFIGURATION, configuration(pg=pg))
    assert signed(chip.read(2 * MS, SHUNT)) == sign * limit


@pytest.mark.parametrize(("brng", "raw"), [(0, 4000), (1, 6500)])
def test_bus_beyond_the_range_clips(brng: int, raw: int) -> None:
    chip = perfect(0.0, 26.0)
    chip.write(0, CONFIGURATION, configuration(brng=brng))
    assert chip.read(2 * MS, BUS) >> 3 == raw


def test_shunt_single_sample_at_the_widest_range_steps_by_80_uv() -> None:
    chip = perfect(0.010_03, 12.0)
    assert chip.read(CYCLE_NS, SHUNT) == 1000
    chip.write(CYCLE_NS, CONFIGURATION, configuration(sadc=0b1111))
    assert chip.read(100 * MS, SHUNT) == 1003


def test_current_without_calibration_is_zero() -> None:
    chip = perfect(0.1, 12.0)
    assert chip.read(CYCLE_NS, CURRENT) == 0
    assert chip.read(CYCLE_NS, POWER) == 0


def test_current_of_the_datasheets_example_fits_its_formulas() -> None:
    chip = perfect(0.02, 12.0)
    chip.write(0, CALIBRATION, 20_481)
    assert chip.read(0, CALIBRATION) == 20_480, "bit 0 is void"
    assert chip.read(CYCLE_NS, SHUNT) == 2000
    assert chip.read(CYCLE_NS, CURRENT) == 2000 * 20_480 // 4096
    assert chip.read(CYCLE_NS, POWER) == 10_000 * 3000 // 5000


def test_current_of_a_negative_shunt_is_negative_and_power_is_not() -> None:
    chip = perfect(-0.02, 12.0)
    chip.write(0, CALIBRATION, 20_480)
    assert signed(chip.read(CYCLE_NS, CURRENT)) == -10_000
    assert chip.read(CYCLE_NS, POWER) == 6000


def test_overflow_product_too_large_sets_ovf_until_it_fits() -> None:
    chip = perfect(0.3, 12.0)
    chip.write(0, CALIBRATION, 0xFFFE)
    assert chip.read(CYCLE_NS, BUS) & OVF
    chip.feel(CYCLE_NS, 0.001, 12.0)
    assert not chip.read(3 * CYCLE_NS, BUS) & OVF


def test_reset_bit_gives_the_power_on_state() -> None:
    chip = perfect(0.1, 12.0)
    chip.write(0, CALIBRATION, 4096)
    chip.read(CYCLE_NS, BUS)
    chip.write(CYCLE_NS, CONFIGURATION, 0x8000)
    assert [chip.read(CYCLE_NS, register) for register in range(6)] == [POWER_ON, 0, 0, 0, 0, 0]


def test_brown_out_forgets_configuration_and_calibration() -> None:
    chip = perfect(0.1, 12.0)
    chip.write(0, CONFIGURATION, configuration(sadc=0b1111))
    chip.write(0, CALIBRATION, 4096)
    chip.brown_out(10)
    assert chip.read(10, CONFIGURATION) == POWER_ON
    assert chip.read(10, CALIBRATION) == 0
    assert chip.read(10 + CYCLE_NS, BUS) == 3000 << 3 | CNVR


def test_triggered_mode_converts_once() -> None:
    chip = perfect(0.1, 12.0)
    chip.write(0, CONFIGURATION, configuration(mode=3))
    assert chip.read(CYCLE_NS, BUS) & CNVR
    chip.read(CYCLE_NS, POWER)
    chip.feel(CYCLE_NS, 0.2, 5.0)
    assert chip.read(50 * MS, BUS) == 3000 << 3
    chip.write(50 * MS, CONFIGURATION, configuration(mode=3))
    assert chip.read(50 * MS + CYCLE_NS, BUS) == 1250 << 3 | CNVR


def test_power_down_keeps_the_data_and_wakes_after_40_us() -> None:
    chip = perfect(0.1, 12.0)
    chip.read(CYCLE_NS, SHUNT)
    chip.write(CYCLE_NS, CONFIGURATION, configuration(mode=0))
    chip.feel(CYCLE_NS, 0.2, 5.0)
    assert chip.read(20 * MS, BUS) == 3000 << 3 | CNVR
    chip.write(20 * MS, CONFIGURATION, configuration(mode=5))
    assert chip.read(20 * MS + 40_000 + 531_999, SHUNT) == 10_000
    assert chip.read(20 * MS + 40_000 + 532_000, SHUNT) == 20_000


def test_bus_only_mode_leaves_the_shunt_alone() -> None:
    chip = perfect(0.1, 12.0)
    chip.write(0, CONFIGURATION, configuration(mode=6))
    assert chip.read(532_000, BUS) == 3000 << 3 | CNVR
    assert chip.read(532_000, SHUNT) == 0


def test_conversion_input_changes_halfway_gives_the_mean() -> None:
    chip = perfect(0.0, 12.0)
    chip.write(0, CONFIGURATION, configuration(sadc=0b1111))
    chip.feel(34_050_000, 0.2, 12.0)
    assert chip.read(68_100_000, SHUNT) == 10_000


def test_noise_same_seed_same_words_and_averaging_makes_them_narrower() -> None:
    def words(seed: int, sadc: int, step_ns: int) -> list[int]:
        chip = Ina219Chip(seed=seed)
        chip.feel(0, 0.02, 12.0)
        chip.write(0, CONFIGURATION, configuration(pg=0, sadc=sadc))
        return [chip.read(n * step_ns, SHUNT) for n in range(2, 60)]

    single = words(1, 0b0011, 2 * MS)
    assert single == words(1, 0b0011, 2 * MS)
    assert single != words(2, 0b0011, 2 * MS)
    averaged = words(1, 0b1111, 70 * MS)
    assert max(averaged) - min(averaged) < max(single) - min(single)


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 400 * MS), min_size=1, max_size=12),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(0, 7),
)
def test_chip_however_often_it_is_read_says_the_same_in_the_end(
    steps: list[int], badc: int, sadc: int, mode: int
) -> None:
    """The law of the lazy clock: skipping conversions nobody saw changes nothing."""

    def run(reads: bool) -> list[int]:
        chip = Ina219Chip(seed=5)
        chip.feel(0, 0.05, 11.9)
        chip.write(0, CALIBRATION, 4096)
        chip.write(0, CONFIGURATION, configuration(badc=badc, sadc=sadc, mode=mode))
        now_ns = 0
        for step in steps:
            now_ns += step
            if reads:
                for between in range(max(0, now_ns - 50 * MS), now_ns, 7 * MS):
                    if between >= now_ns - step:
                        chip.read(between, SHUNT)
        return [chip.read(now_ns, register) for register in (SHUNT, BUS, CURRENT, POWER)]

    assert run(reads=True) == run(reads=False)


@pytest.mark.parametrize(("register", "value"), [(6, 0), (-1, 0), (0, 0x10000)])
def test_chip_impossible_access_is_refused(register: int, value: int) -> None:
    with pytest.raises(ValueError, match="INA219"):
        perfect().write(0, register, value)


def test_chip_read_of_a_register_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no register 0x06"):
        perfect().read(0, 6)


def test_chip_write_to_a_data_register_changes_nothing() -> None:
    chip = perfect()
    for register in (SHUNT, BUS, POWER, CURRENT):
        chip.write(0, register, 0x1234)
    assert [chip.read(0, register) for register in range(1, 6)] == [0] * 5


@pytest.mark.parametrize("pace", [0.9, 1.0, 1.1])
def test_chip_of_another_pace_takes_its_own_time(pace: float) -> None:
    chip = Ina219Chip(noise=0.0, pace=pace)
    cycle_ns = round(CYCLE_NS * pace)
    assert not chip.read(cycle_ns - 2, BUS) & CNVR
    assert chip.read(cycle_ns + 2, BUS) & CNVR


def test_chip_counts_its_conversions_whether_anyone_reads_them_or_not() -> None:
    lazy, eager = Ina219Chip(pace=1.1), Ina219Chip(pace=1.1)
    for tick in range(1, 200):
        eager.read(tick * MS // 2, SHUNT)
    lazy.read(199 * MS // 2, SHUNT)
    assert lazy.converted == eager.converted
    assert eager.converted[BUS] == 199 * MS // 2 // (2 * round(532_000 * 1.1))
