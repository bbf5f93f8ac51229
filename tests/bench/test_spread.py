"""Fails if the benches state a variance that a current does not have."""

from __future__ import annotations

import pytest
from tests.bench.spread import Spread

MS = 1_000_000


def test_steady_current_has_no_variance() -> None:
    spread = Spread(0, 10 * MS)
    spread.add(1234 * MS, 2.0)
    assert (spread.inside, spread.whole) == (0.0, pytest.approx(0.0, abs=1e-12))


def test_pulsing_current_varies_alike_in_a_cycle_and_in_all() -> None:
    """Mean 0.4 A in pulses of 1 A: 0.4 · 0.6 A² all the time."""
    spread = Spread(5, 10 * MS)
    spread.add(5 + 1003 * MS, 0.4, 0.4)
    assert spread.inside == pytest.approx(0.24, rel=1e-6)
    assert spread.whole == pytest.approx(0.24 * 1.003, rel=1e-6)


def test_change_in_the_middle_of_a_cycle_counts_in_that_cycle_alone() -> None:
    """5 of 10 ms at 1 A, then nothing: 0.25 A² for 10 ms."""
    spread = Spread(0, 10 * MS)
    spread.add(995 * MS, 1.0)
    spread.add(2000 * MS, 0.0)
    assert spread.inside == pytest.approx(0.25 * 0.01)
    assert spread.whole == pytest.approx(0.995 - 0.995**2 / 2)


def test_what_is_looked_at_closely_is_within_no_cycle() -> None:
    spread = Spread(0, 10 * MS)
    spread.add(5 * MS, 0.0)
    spread.add(1000 * MS, 0.4, 0.4, is_close=True)
    spread.add(2000 * MS, 0.0)
    assert spread.inside == 0.0
    assert spread.whole == pytest.approx(0.4 * 0.995 - 0.16 * 0.995**2 / 2)
