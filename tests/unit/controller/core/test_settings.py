"""Timers, and what other clocks make of them."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.core.settings import LoadSettings, Timing


@given(span=st.integers(0, 10**11), rho=st.integers(0, 100_000), bend=st.integers(-100, 100))
def test_stretched_any_two_clocks_within_rho_is_never_too_short(
    span: int, rho: int, bend: int
) -> None:
    """A span that a slow clock measures, measured by a fast one: both at the bound or inside."""
    timing = Timing(rho_ppm=rho)
    theirs = 1 - Fraction(rho * abs(bend), 100 * 1_000_000)
    ours = 1 + Fraction(rho * abs(bend), 100 * 1_000_000)
    assert timing.stretched(span) >= Fraction(span) / theirs * ours


def test_stretched_exact_clocks_change_nothing() -> None:
    assert Timing(rho_ppm=0).stretched(12345) == 12345


def test_quiet_default_covers_two_authorities_on_a_fast_clock() -> None:
    timing = Timing()
    assert timing.quiet_ns >= 2 * timing.authority_ns * 101 / 99
    assert timing.quiet_ns <= 2 * timing.authority_ns * 101 / 99 + 2


def test_grant_default_outlives_a_failover() -> None:
    """Fails if a default lets a grant lapse while the next broker is elected."""
    timing = Timing()
    failover_ns = timing.suspect * timing.heartbeat_ns + timing.skew_max_ns + timing.authority_ns
    spent_ns = timing.heartbeat_ns + timing.round_ns + failover_ns
    assert timing.grant_ns >= spent_ns + timing.stretched(timing.authority_ns) + timing.heartbeat_ns


def test_required_load_has_no_worth() -> None:
    assert LoadSettings("fan", "fan", None).required
    assert not LoadSettings("lamp", "lamp", 0).required
