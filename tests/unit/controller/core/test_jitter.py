"""Chance that replays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.core.jitter import Jitter


def test_next64_known_seed_gives_the_published_numbers() -> None:
    # The first outputs of splitmix64 for seed 1234567, as its reference implementation prints them.
    jitter = Jitter(1234567)
    assert [jitter.next64() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@given(st.integers(0, 2**64 - 1))
def test_next64_same_seed_gives_the_same_numbers(seed: int) -> None:
    one, other = Jitter(seed), Jitter(seed)
    assert [one.next64() for _ in range(4)] == [other.next64() for _ in range(4)]


@given(st.integers(0, 2**64 - 1), st.integers(-1000, 1000), st.integers(0, 50))
def test_between_any_interval_stays_inside_it(seed: int, low: int, width: int) -> None:
    assert low <= Jitter(seed).between(low, low + width) <= low + width


def test_between_both_ends_are_drawn() -> None:
    jitter = Jitter(1)
    assert {jitter.between(3, 5) for _ in range(100)} == {3, 4, 5}


def test_between_inside_out_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        Jitter(1).between(2, 1)
