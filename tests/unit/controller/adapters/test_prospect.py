"""Fails if what a load has ahead of it is told wrongly, at length, or without its grounds."""

from __future__ import annotations

from rackgrid.adapters.prospect import AHEAD_MAX, Prospect, prospect_json
from rackgrid.market.deadline import Goal
from rackgrid.market.tariff import Interval

SECOND = 10**9
NOON = 1_772_366_400 * SECOND
HOUR = 3600 * SECOND


def goal(hours: int, left_wh: int = 10) -> Goal:
    return Goal(left_wh * 3_600_000, 10_000, NOON - HOUR, NOON + hours * HOUR, 0)


def hours(*prices: int) -> tuple[Interval, ...]:
    return tuple(
        Interval(NOON + (at - 1) * HOUR, NOON + at * HOUR, price) for at, price in enumerate(prices)
    )


def test_prospect_without_any_price_says_that_only_time_is_known() -> None:
    said = prospect_json(Prospect(goal(4), NOON, (), None))
    assert said == {
        "by": "2026-03-01T16:00:00.000Z",
        "left_wh": 10.0,
        "slack_s": 3 * 3600,
        "tariff": False,
        "yesterday": False,
        "taken_s": 0,
        "ahead": [],
    }


def test_prospect_joins_equal_prices_from_now_until_it_is_due() -> None:
    said = prospect_json(Prospect(goal(3), NOON, hours(5, 5, 5, 7, 9), None))
    assert said["tariff"] is True
    assert said["ahead"] == [
        {
            "start": "2026-03-01T12:00:00.000Z",
            "end": "2026-03-01T14:00:00.000Z",
            "price_uc": 5,
        },
        {
            "start": "2026-03-01T14:00:00.000Z",
            "end": "2026-03-01T15:00:00.000Z",
            "price_uc": 7,
        },
    ]


def test_prospect_says_what_others_took_yesterday() -> None:
    known = hours(5, 5, 5, 7)
    said = prospect_json(Prospect(goal(3), NOON, known, (known[1], known[3])))
    assert (said["tariff"], said["yesterday"], said["taken_s"]) == (True, True, 3600)
    alone = prospect_json(Prospect(goal(3, left_wh=-1), NOON, (), known))
    assert (alone["tariff"], alone["yesterday"], alone["taken_s"]) == (False, True, 0)
    assert alone["left_wh"] == 0


def test_prospect_says_what_others_took_though_yesterday_reaches_beyond_the_tariff() -> None:
    """Fails if what yesterday alone speaks of makes up for what was full."""
    known, likely = hours(5, 5, 5), (*hours(5)[:1], *hours(0, 0, 0, 7, 7, 7)[3:])
    said = prospect_json(Prospect(goal(5), NOON, known, likely))
    assert said["taken_s"] == 2 * 3600


def test_prospect_is_not_longer_than_its_limit() -> None:
    long = tuple(
        Interval(NOON + at * SECOND, NOON + (at + 1) * SECOND, at) for at in range(AHEAD_MAX + 9)
    )
    ahead = prospect_json(Prospect(goal(3), NOON, long, None))["ahead"]
    assert isinstance(ahead, list)
    assert len(ahead) == AHEAD_MAX
