"""Deadlines: the cheapest time that is enough, and in time whatever it costs."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from rackgrid.market.deadline import Goal, deadline_worth_uc, slack_ns
from rackgrid.market.tariff import Interval

CAP = 10_000_000
MINUTE = 60_000_000_000
POWER = 10_000
PER_MINUTE = 600_000
"""mJ that 10 W take in a minute."""


def goal(left_minutes: int, ends: int, begins: int = 0, worth: int = 0) -> Goal:
    return Goal(left_minutes * PER_MINUTE, POWER, begins * MINUTE, ends * MINUTE, worth)


def hourly(*prices: int) -> tuple[Interval, ...]:
    return tuple(Interval(60 * i * MINUTE, 60 * (i + 1) * MINUTE, p) for i, p in enumerate(prices))


def test_goal_that_is_reached_bids_nothing() -> None:
    assert deadline_worth_uc(goal(0, 60), 0, (), CAP) is None
    assert deadline_worth_uc(goal(-5, 60), 0, (), CAP) is None


def test_goal_bids_the_dearest_of_the_cheapest_slots_that_are_enough() -> None:
    known = hourly(30, 10, 20, 40, 50, 60)
    assert deadline_worth_uc(goal(60, 360), 0, known, CAP) == 10
    assert deadline_worth_uc(goal(61, 360), 0, known, CAP) == 20
    assert deadline_worth_uc(goal(180, 360), 0, known, CAP) == 30


def test_goal_without_enough_known_time_climbs_instead() -> None:
    known = hourly(10)
    assert deadline_worth_uc(goal(120, 600), 0, known, CAP) == 0
    later = deadline_worth_uc(goal(120, 600), 240 * MINUTE, known, CAP)
    assert later is not None
    assert 0 < later < CAP


def test_goal_is_never_worth_less_than_its_user_says() -> None:
    assert deadline_worth_uc(goal(60, 360, worth=25), 0, hourly(*[10] * 6), CAP) == 25


@given(st.integers(1, 300), st.integers(1, 600), st.integers(-60, 600))
def test_goal_without_slack_bids_the_cap_and_says_that_it_comes_too_late(
    left: int, ends: int, now: int
) -> None:
    at = goal(left, ends)
    slack = slack_ns(at, now * MINUTE)
    assert slack == (ends - now - left) * MINUTE
    assume(slack <= 0)
    assert deadline_worth_uc(at, now * MINUTE, (), CAP) == CAP


@given(st.integers(1, 200), st.integers(0, 400), st.integers(0, 1000), st.booleans())
def test_goal_that_waits_climbs_without_a_step_down_to_the_cap(
    left: int, slack: int, worth: int, is_known: bool
) -> None:
    ends = left + slack
    known = (Interval(0, (ends + 1) * MINUTE, 300_000),) if is_known else ()
    at = goal(left, ends, worth=worth)
    bids = [deadline_worth_uc(at, now * MINUTE, known, CAP) for now in range(slack + 1)]
    said = [bid for bid in bids if bid is not None]
    assert len(said) == len(bids)
    assert all(before <= after for before, after in pairwise(said))
    assert said[-1] == CAP
    assert all(worth <= bid <= CAP for bid in said)


@given(
    st.lists(st.integers(-200_000, 500_000), min_size=4, max_size=24),
    st.integers(1, 24 * 60),
)
def test_goal_served_at_the_known_prices_is_done_in_time_and_as_cheaply_as_can_be(
    hours: list[int], left: int
) -> None:
    ends = 60 * len(hours)
    assume(left <= ends)
    known, remaining, paid, late = hourly(*hours), left, 0, False
    for now in range(ends):
        bid = deadline_worth_uc(goal(remaining, ends), now * MINUTE, known, CAP)
        price = hours[now // 60]
        if bid is not None and bid >= price:
            late = late or bid > max(0, *hours)
            paid, remaining = paid + price, remaining - 1
    assert remaining == 0
    # Below zero its worth stands at nothing, so it takes what is given away, too, and no dearer.
    if not late and min(hours) >= 0:
        minutes = sorted(price for price in hours for _ in range(60))
        assert paid == sum(minutes[:left])


# --- forecasts ---------------------------------------------------------------------------------


def test_goal_goes_by_what_is_likely_and_bids_an_eighth_more_than_a_guess() -> None:
    known = hourly(10, 10, 30, 30, 30, 30)
    taken = hourly(800, 800, 30, 30, 30, 30)
    assert deadline_worth_uc(goal(60, 360), 0, known, CAP) == 10
    assert deadline_worth_uc(goal(60, 360), 0, known, CAP, taken) == 33
    sunny = hourly(10, 10, 30, 8, 30, 30)
    assert deadline_worth_uc(goal(60, 360), 0, known, CAP, sunny) == 9
    assert deadline_worth_uc(goal(61, 360), 0, known, CAP, sunny) == 10
    assert deadline_worth_uc(goal(60, 360), 0, (), CAP, sunny) == 9
    assert deadline_worth_uc(goal(60, 360), 0, (), CAP, hourly(-80, 10, 10, 10, 10, 10)) == 0


def test_goal_for_which_too_little_is_likely_climbs_from_what_the_tariff_has_it_bid() -> None:
    known = hourly(*[40] * 10)
    assert deadline_worth_uc(goal(120, 600), 0, known, CAP, hourly(10)) == 40
    alone = deadline_worth_uc(goal(120, 600), 240 * MINUTE, (), CAP)
    later = deadline_worth_uc(goal(120, 600), 240 * MINUTE, known, CAP, ())
    assert alone == later
    assert later is not None
    assert later > 40


@given(
    st.integers(1, 300),
    st.integers(-10, 75),
    st.lists(st.integers(-1000, CAP), max_size=6),
    st.lists(st.integers(-1000, 2 * CAP), max_size=6),
)
def test_goal_in_its_rush_bids_no_less_than_without_a_forecast(
    left: int, slack: int, prices: list[int], likely: list[int]
) -> None:
    at = goal(left, left + slack)
    assume(slack_ns(at, 0) < max(at.need_ns // 4, 5 * MINUTE))
    alone = deadline_worth_uc(at, 0, hourly(*prices), CAP)
    guessed = deadline_worth_uc(at, 0, hourly(*prices), CAP, hourly(*likely))
    assert alone is not None
    assert guessed is not None
    assert alone <= guessed <= CAP
    if slack <= 0:
        assert guessed == CAP
