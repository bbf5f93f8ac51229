"""Energy that adds up, never falls, and says what nobody measured."""

from __future__ import annotations

from argparse import Namespace
from fractions import Fraction
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench.bench_energy import STIFF_PERCENT, metered

from rackgrid_firmware.energy import GAP_MAX_NS, Energy, EnergyCounter, EnergyFile

MS = 1_000_000
SECOND = 1000 * MS


def test_energy_of_a_constant_load_is_power_times_time() -> None:
    counter = EnergyCounter(SECOND)
    for tick in range(101):
        counter.add(tick * 100 * MS, 6.0)
    assert counter.counted.energy_mj == 60_000


def test_energy_of_the_first_reading_is_nothing() -> None:
    assert EnergyCounter(SECOND).add(5 * SECOND, 100.0) == Energy()


def test_energy_smaller_than_a_unit_is_carried_and_not_lost() -> None:
    """3 µW over 1000 s are 3 mJ, though each second brings 0.003 mJ."""
    counter = EnergyCounter(SECOND)
    for second in range(1001):
        counter.add(second * SECOND, 3e-6)
    assert counter.counted.energy_mj == 3


def test_energy_of_a_gap_is_the_mean_of_its_ends_and_marked() -> None:
    counter = EnergyCounter(SECOND)
    counter.add(0, 5.0)
    # 1 s at the new reading, 10 s between the two.
    assert counter.add(11 * SECOND, 7.0) == Energy(7_000 + 60_000, 60_000)
    assert counter.add(12 * SECOND, 7.0) == Energy(7_000 + 60_000 + 7_000, 60_000)


def test_energy_of_a_gap_so_long_that_its_ends_say_nothing_is_not_counted() -> None:
    counter = EnergyCounter(SECOND)
    counter.add(0, 5.0)
    assert counter.add(GAP_MAX_NS + 2 * SECOND, 5.0) == Energy(5000, 0)


def test_energy_of_a_gap_that_flowed_backwards_is_none() -> None:
    counter = EnergyCounter(SECOND)
    counter.add(0, -5.0)
    assert counter.add(10 * SECOND, -5.0) == Energy()


def test_energy_before_a_chip_began_to_convert_anew_is_that_of_the_reading_before() -> None:
    """Fails if what a load draws once it has started is counted for the time before its start."""
    counter = EnergyCounter(SECOND)
    counter.add(0, 1.0)
    assert counter.add(100 * MS, 30.0, 60 * MS) == Energy(60 + 40 * 30, 0)
    assert counter.add(200 * MS, 10.0, 60 * MS) == Energy(60 + 1200 + 1000, 0), "only once"
    assert counter.add(300 * MS, 10.0, 400 * MS) == Energy(3260, 0), "it has begun again since"


def test_energy_goes_on_from_what_an_earlier_process_had_counted() -> None:
    counter = EnergyCounter(SECOND, Energy(1000, 10))
    counter.add(0, 5.0)
    assert counter.add(SECOND, 5.0) == Energy(6000, 10)


def test_energy_of_noise_about_zero_does_not_creep() -> None:
    counter = EnergyCounter(SECOND)
    for tick in range(20_000):
        counter.add(tick * 70 * MS, 0.012 if tick % 2 else -0.012)
    assert counter.counted.energy_mj <= 1


def test_energy_owed_backwards_is_forgiven_beyond_a_joule() -> None:
    counter = EnergyCounter(SECOND)
    for second in range(3600):
        counter.add(second * SECOND, -0.024)
    counter.add(3600 * SECOND, 2.0)
    assert counter.counted.energy_mj == 1000


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(-5, 300), st.floats(-50, 500)), min_size=1, max_size=60),
)
def test_energy_never_falls_and_is_exact_for_positive_power(
    steps: list[tuple[int, float]],
) -> None:
    """Fails if rounding is lost: the counter stays within one unit of exact arithmetic."""
    signed, positive = EnergyCounter(SECOND), EnergyCounter(SECOND)
    t_ns, last_mj, exact_nj = 0, 0, Fraction(0)
    signed.add(0, 0.0)
    positive.add(0, 0.0)
    for span_ms, watts in steps:
        t_ns += span_ms * MS
        energy = signed.add(t_ns, watts)
        assert energy.energy_mj >= last_mj
        assert 0 <= energy.estimated_mj <= energy.energy_mj
        last_mj = signed.counted.energy_mj
        positive.add(t_ns, abs(watts))
        exact_nj += Fraction(abs(watts)) * max(span_ms, 0) * MS
    assert abs(positive.counted.energy_mj - exact_nj / MS) < 1 + len(steps) * Fraction(1, MS)


# --- from one process to the next ---------------------------------------------------------------


COUNTED = {"feed": Energy(1000, 10), "fan": Energy(7, 0)}


def test_file_carries_counters_to_the_next_process_once(tmp_path: Path) -> None:
    file = EnergyFile(tmp_path / "energy.json", "boot")
    assert file.take() == {}
    file.write(COUNTED)
    assert file.take() == COUNTED
    assert file.take() == {}, "after a crash nobody knows what was counted since"


def test_file_of_another_boot_says_nothing(tmp_path: Path) -> None:
    EnergyFile(tmp_path / "energy.json", "boot").write(COUNTED)
    assert EnergyFile(tmp_path / "energy.json", "another").take() == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"boot_id": "boot"}',
        '{"boot_id": "boot", "meters": {"feed": 3}}',
        '{"boot_id": "boot", "meters": {"feed": [3]}}',
        '{"boot_id": "boot", "meters": {"feed": ["x", 0]}}',
        '{"boot_id": "boot", "meters": {"feed": [3, 5]}}',
        '{"boot_id": "boot", "meters": {"feed": [-3, 0]}}',
    ],
)
def test_file_that_is_no_record_of_ours_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "energy.json").write_text(text)
    assert EnergyFile(tmp_path / "energy.json", "boot").take() == {}


def test_reading_that_stands_for_less_leaves_a_gap_that_is_marked() -> None:
    """A chip that is followed knows of each conversion that nobody read."""
    counter = EnergyCounter(span_max_ns=300_000_000)
    counter.add(0, 10.0)
    assert counter.add(100_000_000, 10.0) == Energy(1000, 0)
    counted = counter.add(200_000_000, 30.0, span_max_ns=4_000_000)
    # 4 ms of 30 W were seen, and for 96 ms the mean of both ends is the best guess
    assert counted == Energy(1000 + 120 + 1920, 1920)


@pytest.mark.parametrize("way", ["energy", "looks", "ina226"])
def test_counters_of_switched_loads_are_within_a_thousandth_of_the_truth(way: str) -> None:
    """Ten minutes of the bench's world: true chips, each with its pace, a bus, a late reader."""
    wanted = Namespace(hours=1 / 6, seed=2, late_us=100, hertz=400_000, hz=50.0, pace=0.0)
    found, *_ = metered(way, 0.0, wanted)
    assert cast("int", found["starts"]) > 10
    errors = cast("dict[str, float]", found["error_percent"])
    assert {name for name, error in errors.items() if abs(error) > STIFF_PERCENT} == set()
