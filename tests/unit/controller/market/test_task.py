"""Tasks: worth by revenue, and whole runs that are only started if they pay."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.tariff import Interval
from rackgrid.market.task import RESTART_NS, Run, rise_uc, run_worth_uc, task_worth_uc

CAP = 10_000_000
MINUTE = 60_000_000_000
prices = st.integers(-1_000_000, 1_000_000)


@st.composite
def forecasts(draw: st.DrawFn) -> tuple[Interval, ...]:
    """Intervals that hold from 0 on without a gap, of whole minutes."""
    edges = [0]
    for minutes in draw(st.lists(st.integers(1, 90), min_size=1, max_size=8)):
        edges.append(edges[-1] + minutes * MINUTE)
    return tuple(Interval(a, b, draw(prices)) for a, b in pairwise(edges))


def test_task_worth_is_the_price_at_which_an_hour_earns_nothing() -> None:
    # 0.003 an hour at 12 W: 0.25 per kWh
    assert task_worth_uc(3_000, 12_000) == 250_000


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_task_at_its_worth_never_loses_and_a_unit_above_would(revenue: int, power: int) -> None:
    worth = task_worth_uc(revenue, power)
    assert worth * power <= revenue * 1_000_000 < (worth + 1) * power


@given(forecasts(), st.integers(1, 300), st.integers(-500_000, 2_000_000))
def test_run_bids_the_price_of_now_only_if_the_whole_run_pays(
    known: tuple[Interval, ...], minutes: int, worth: int
) -> None:
    now_uc = known[0].price_uc
    bid = run_worth_uc(worth, Run(minutes * MINUTE, None), 0, known, CAP)

    def price_at(minute: int) -> int:
        at = minute * MINUTE
        return next((x.price_uc for x in known if x.start_ns <= at < x.end_ns), now_uc)

    whole = sum(price_at(minute) for minute in range(minutes))
    assert (bid >= now_uc) == (whole <= worth * minutes)


@given(forecasts(), st.integers(1, 300), st.integers(0, 299))
def test_run_once_started_bids_the_cap_until_it_is_done(
    known: tuple[Interval, ...], minutes: int, done: int
) -> None:
    run = Run(minutes * MINUTE, 0)
    if done < minutes:
        assert run_worth_uc(0, run, done * MINUTE, known, CAP) == CAP
    after = run_worth_uc(0, run, minutes * MINUTE, (), CAP)
    assert after == 0  # done, and another is not begun at any price
    assert run_worth_uc(0, run, minutes * MINUTE + RESTART_NS, (), CAP) == CAP


def test_rise_without_a_price_of_now_is_none() -> None:
    assert rise_uc((Interval(MINUTE, 2 * MINUTE, 5),), 0, 2 * MINUTE) == 0


def test_rise_is_the_mean_and_rounds_against_starting() -> None:
    known = (Interval(0, MINUTE, 10), Interval(MINUTE, 3 * MINUTE, 11))
    assert rise_uc(known, 0, 3 * MINUTE) == 1
    assert rise_uc((known[0], Interval(MINUTE, 3 * MINUTE, 4)), 0, 3 * MINUTE) == -4
