"""Prices by time: half-open, with gaps, and by a clock that is changed twice a year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.tariff import (
    DAY_S,
    SECOND_NS,
    Flat,
    Interval,
    Prices,
    Slots,
    TimeOfUse,
    Zone,
    ahead,
    day_span_ns,
    next_change_ns,
    slots,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ALL_DAYS = frozenset(range(7))
HOUR_NS = 3600 * SECOND_NS


def ns(moment: str, zone: ZoneInfo = AMSTERDAM) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=zone).timestamp()) * SECOND_NS


def test_slot_holds_from_its_start_to_just_before_its_end() -> None:
    prices = Slots((Interval(10, 20, 5), Interval(20, 30, 0), Interval(40, 50, -7)))
    asked = (9, 10, 19, 20, 29, 30, 39, 40, 49, 50)
    expected = [None, 5, 5, 0, 0, None, None, -7, -7, None]
    assert [prices.price_at(at) for at in asked] == expected


def test_clock_not_set_leaves_a_flat_price_and_nothing_else() -> None:
    zone = Zone(ALL_DAYS, 0, DAY_S, 1)
    assert Flat(3).price_at(None) == 3
    assert Slots((Interval(0, 10, 1),)).price_at(None) is None
    assert TimeOfUse((zone,), 2, AMSTERDAM).price_at(None) is None


def test_slots_in_any_order_and_never_two_at_once() -> None:
    assert slots([Interval(5, 9, 2), Interval(0, 5, 1)]).intervals[0].price_uc == 1
    with pytest.raises(ValueError, match="two prices hold at 1970-01-01T00:00:05"):
        slots([Interval(5 * SECOND_NS, 9 * SECOND_NS, 2), Interval(0, 6 * SECOND_NS, 1)])


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 3, 2), 24), ((2026, 3, 29), 23), ((2026, 10, 25), 25)]
)
def test_day_is_as_long_as_the_clocks_make_it(day: tuple[int, int, int], hours: int) -> None:
    start_ns, end_ns = day_span_ns(*day, AMSTERDAM)
    assert end_ns - start_ns == hours * HOUR_NS


def test_hour_that_a_night_has_twice_costs_the_same_twice() -> None:
    night = TimeOfUse((Zone(ALL_DAYS, 2 * 3600, 3 * 3600, 9),), 1, AMSTERDAM)
    found = ahead(night, ns("2026-10-25 00:00"), ns("2026-10-25 06:00"))
    assert [(each.end_ns - each.start_ns) // HOUR_NS for each in found] == [2, 2, 3]
    assert [each.price_uc for each in found] == [1, 9, 1]


def test_hour_that_a_night_has_not_costs_nothing() -> None:
    night = TimeOfUse((Zone(ALL_DAYS, 2 * 3600, 3 * 3600, 9),), 1, AMSTERDAM)
    found = ahead(night, ns("2026-03-29 00:00"), ns("2026-03-29 06:00"))
    assert [(each.end_ns - each.start_ns) // HOUR_NS for each in found] == [5]
    assert [each.price_uc for each in found] == [1]


def test_first_zone_that_holds_is_the_one_that_counts() -> None:
    both = TimeOfUse((Zone(ALL_DAYS, 0, DAY_S, 1), Zone(ALL_DAYS, 0, DAY_S, 2)), None, AMSTERDAM)
    assert both.price_at(0) == 1


def test_ahead_leaves_gaps_out_and_ends_where_it_was_asked_to() -> None:
    prices = Slots((Interval(10, 20, 5), Interval(20, 30, 5), Interval(40, 50, 7)))
    assert ahead(prices, 0, 45) == (Interval(10, 30, 5), Interval(40, 45, 7))
    assert ahead(Flat(3), 0, 45) == (Interval(0, 45, 3),)
    assert ahead(Slots(()), 0, 45) == ()


ZONES = st.builds(
    Zone,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 95).map(lambda quarter: quarter * 900),
    st.integers(1, 96).map(lambda quarter: quarter * 900),
    st.integers(-3, 3),
).filter(lambda zone: zone.from_s != zone.to_s)
TARIFFS = st.builds(
    TimeOfUse,
    st.lists(ZONES, min_size=1, max_size=4).map(tuple),
    st.none() | st.integers(-3, 3),
    st.sampled_from([AMSTERDAM, ZoneInfo("America/St_Johns"), ZoneInfo("UTC")]),
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(
    lambda moment: int(moment.replace(tzinfo=UTC).timestamp()) * SECOND_NS
)


@given(TARIFFS, MOMENTS, st.integers(0, 200))
def test_between_two_changes_the_price_is_one(prices: Prices, at_ns: int, quarters: int) -> None:
    """Fails if a plan that is made by what is known ahead meets another price."""
    end_ns = at_ns + int(timedelta(minutes=15 * quarters).total_seconds()) * SECOND_NS
    known = ahead(prices, at_ns, end_ns)
    for moment_ns in range(at_ns, end_ns, 450 * SECOND_NS):
        within = [x for x in known if x.start_ns <= moment_ns < x.end_ns]
        assert [x.price_uc for x in within] == (
            [] if prices.price_at(moment_ns) is None else [prices.price_at(moment_ns)]
        )


@given(TARIFFS, MOMENTS)
def test_next_change_is_later_and_is_one(prices: Prices, at_ns: int) -> None:
    change_ns = next_change_ns(prices, at_ns)
    if change_ns is not None:
        assert change_ns > at_ns
        assert prices.price_at(change_ns) != prices.price_at(at_ns)
