"""Timers, and what other clocks make of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import report

from rackgrid.core.grant import issued, opened
from rackgrid.core.settings import HANG_NS, MS_NS, SECOND_NS, WATCHDOG_NS, LoadSettings, Timing
from rackgrid.identity import BootId, NodeId
from rackgrid.simulation.plot import HANG_MS
from rackgrid_firmware.output import SHED_NS

ROOT = Path(__file__).parents[4]


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


# --- a firmware that hangs ---------------------------------------------------------------------


def test_watchdog_of_the_shipped_unit_is_what_is_counted_with() -> None:
    """Fails if the unit lets a firmware hang for longer than brokers count with (P3)."""
    unit = (ROOT / "systemd" / "rackgrid-firmware.service").read_text().splitlines()
    assert f"WatchdogSec={WATCHDOG_NS // SECOND_NS}" in unit
    assert "WatchdogSignal=SIGKILL" in unit


def test_margin_covers_the_shed_and_a_hang_on_any_clock() -> None:
    timing = Timing()
    assert timing.shed_ns_max >= SHED_NS
    assert timing.margin_ns >= timing.stretched(HANG_NS) + SHED_NS


def test_simulated_hangs_reach_the_bound_and_stay_within_the_margin() -> None:
    """Fails if the swarm plays hangs that are shorter than real ones, or that nobody promised."""
    longest_ns = HANG_MS[1] * MS_NS
    assert longest_ns >= HANG_NS
    assert Timing().stretched(longest_ns) <= Timing().margin_ns


@given(grant_ns=st.integers(1, 60 * SECOND_NS), early_ns=st.integers(0, HANG_NS))
def test_count_of_a_grant_outlasts_a_firmware_that_hangs_before_its_deadline(
    grant_ns: int, early_ns: int
) -> None:
    """However short the grant, and however late the hang: what is counted ends after the load.

    The node's clock is as slow and the broker's as fast as both may be; the bid took no time.
    """
    timing = Timing(grant_ns=grant_ns)
    account = opened(NodeId(1), BootId(1), report(1), 0, 0, timing)
    account = issued(account, 1, 6000, timing)
    off_ns = max(grant_ns + SHED_NS, grant_ns - early_ns + HANG_NS)  # on the node's clock
    assert account.counted_mw(off_ns * 101 // 99 - 1) == 6000


def test_required_load_has_no_worth() -> None:
    assert LoadSettings("fan", "fan", None).required
    assert not LoadSettings("lamp", "lamp", 0).required
