"""Fails if a number depends on anything but its seed and its place, or leaves its bounds."""

from __future__ import annotations

import statistics

from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.mock.chance import bits, normal, seeded, uniform

SEEDS = st.integers(0, 2**64 - 1)
INDICES = st.integers(0, 2**40)


@settings(max_examples=50)
@given(SEEDS, INDICES)
def test_chance_any_place_stays_in_bounds(seed: int, index: int) -> None:
    assert 0 <= bits(seed, index) < 2**64
    assert -1.0 <= uniform(seed, index) < 1.0
    assert abs(normal(seed, index)) < 3.47
    assert bits(seed, index) == bits(seed, index)


def test_normal_many_numbers_has_the_moments_of_a_normal() -> None:
    numbers = [normal(7, index) for index in range(4000)]
    assert abs(statistics.fmean(numbers)) < 0.06
    assert abs(statistics.pstdev(numbers) - 1.0) < 0.04


def test_seeded_other_name_gives_another_seed() -> None:
    seeds = {seeded(1, "a"), seeded(1, "b"), seeded(2, "a"), seeded(1, "a", "b"), seeded(1, 0)}
    assert len(seeds) == 5
