"""A seat's own clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.simulation.recipe import seat
from rackgrid.simulation.seat import Seat


def clocked(ppm: int, start: int) -> Seat:
    made = seat(1)
    made.clock_ppm, made.clock_start_ns = ppm, start
    return made


@given(st.integers(-10_000, 10_000), st.integers(0, 10**15), st.integers(0, 10**12))
def test_true_is_the_first_instant_at_which_the_clock_shows_it(
    ppm: int, start: int, ahead: int
) -> None:
    """Fails if a timer is woken before its time, by so much as a nanosecond."""
    made = clocked(ppm, start)
    true = made.true_ns(start + ahead)
    assert made.local_ns(true) >= start + ahead
    assert true == 0 or made.local_ns(true - 1) < start + ahead


def test_local_fast_clock_gains_its_error() -> None:
    assert clocked(10_000, 50).local_ns(1_000_000) == 50 + 1_010_000
