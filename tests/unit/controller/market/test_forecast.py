"""Fails if a full or a sunny yesterday means nothing today, or a wrong guess costs the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.identity import NodeId
from rackgrid.market.clearing import clear
from rackgrid.market.curve import Bid, Step
from rackgrid.market.deadline import Goal, deadline_worth_uc
from rackgrid.market.forecast import (
    DAY_NS,
    SLOT_NS,
    Glance,
    Slot,
    Taker,
    cost_uc,
    enough_uc,
    expected,
)
from rackgrid.market.offer import Offer
from rackgrid.market.tariff import Interval

CAP = 10_000_000
MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
DAWN = 20_000 * DAY_NS
"""A midnight, Unix time."""
GLANCE = Glance(price_uc=100, drawn_mw=60, taken_mw=70, capacity_mw=100)


# --- what it would have cost -----------------------------------------------------------------


def test_cost_where_there_is_room_is_the_rack_s_price() -> None:
    assert GLANCE.room_mw == 30
    assert cost_uc(GLANCE, 30, CAP, running=False) == 100


def test_cost_where_the_feed_is_full_is_what_has_to_give_way() -> None:
    full = replace(GLANCE, takers=(Taker(900, 50), Taker(300, 5), Taker(200, 5)))
    assert cost_uc(full, 35, CAP, running=False) == 200
    assert cost_uc(full, 40, CAP, running=False) == 300
    assert cost_uc(full, 41, CAP, running=False) == 900
    assert cost_uc(full, 90, CAP, running=False) == 900
    assert cost_uc(replace(full, price_uc=250), 35, CAP, running=False) == 250


def test_cost_where_not_enough_would_give_way_is_not_to_be_had() -> None:
    assert cost_uc(GLANCE, 31, CAP, running=False) is None
    assert cost_uc(replace(GLANCE, takers=(Taker(5, 5),)), 36, CAP, running=False) is None


def test_cost_of_a_load_that_was_on_does_not_count_what_it_took_itself() -> None:
    full = replace(GLANCE, taken_mw=100)
    assert cost_uc(full, 40, CAP, running=True) == 100
    assert cost_uc(full, 40, CAP, running=False) is None


def test_cost_is_that_of_the_dearer_source_where_others_took_the_cheap_one() -> None:
    both = replace(GLANCE, offers=(Offer("grid", 300, 100), Offer("sun", 20, 70)), price_uc=20)
    assert cost_uc(both, 10, CAP, running=False) == 20
    assert cost_uc(both, 11, CAP, running=False) == 300
    sun_alone_known = replace(both, offers=both.offers[1:])
    assert cost_uc(sun_alone_known, 11, CAP, running=False) == 20


def test_cost_at_the_price_cap_is_not_to_be_had() -> None:
    assert cost_uc(replace(GLANCE, price_uc=CAP), 1, CAP, running=True) is None
    assert cost_uc(replace(GLANCE, price_uc=CAP), 1, CAP, running=False) is None


@pytest.mark.parametrize(
    ("costs", "enough"),
    [
        ([7], 7),
        ([1, 2, 3, 4], 3),
        ([20, 300, 20, 300], 300),
        ([20, 20, 20, 300], 20),
        ([1, None, None, 1], None),
        ([1, None, 1, 1], 1),
        ([-5, 0, -3, -4], -3),
    ],
)
def test_slot_costs_what_was_enough_for_three_quarters_of_it(
    costs: list[int | None], enough: int | None
) -> None:
    assert enough_uc(costs) == enough


# --- what it will cost -----------------------------------------------------------------------


def slot(hour: float, cost: int | None, tariff_uc: int | None = None) -> Slot:
    """A slot of the day before, by the hour."""
    return Slot(DAWN - DAY_NS + int(hour * HOUR), tariff_uc, 0, {"lamp": cost})


def then(*slots: Slot) -> dict[int, Slot]:
    return {each.start_ns: each for each in slots}


def hour_at(price_uc: int, hour: int = 0) -> tuple[Interval, ...]:
    return (Interval(DAWN + hour * HOUR, DAWN + (hour + 1) * HOUR, price_uc),)


def quarter(number: int, price_uc: int) -> Interval:
    return Interval(DAWN + number * SLOT_NS, DAWN + (number + 1) * SLOT_NS, price_uc)


def test_forecast_of_whom_nobody_remembers_is_none() -> None:
    assert expected(hour_at(10), {}, "lamp", DAWN, DAWN + HOUR) is None
    other = then(replace(slot(0, 5), costs_uc={"pump": 5}))
    assert expected(hour_at(10), other, "lamp", DAWN, DAWN + HOUR) is None
    later = then(slot(1, 5))
    assert expected(hour_at(10), later, "lamp", DAWN, DAWN + HOUR) is None


def test_forecast_adds_what_yesterday_was_dearer_than_its_tariff() -> None:
    seen = then(slot(0, 50, 20), slot(0.25, 20, 20), slot(0.5, None, 20))
    assert expected(hour_at(10), seen, "lamp", DAWN, DAWN + HOUR) == (
        quarter(0, 40),
        quarter(1, 10),
        quarter(3, 10),
    )


def test_forecast_is_as_cheap_as_yesterday_s_sun_and_no_dearer_than_today_s_tariff() -> None:
    seen = then(slot(0, 20, 300))
    assert expected(hour_at(250), seen, "lamp", DAWN, DAWN + SLOT_NS) == (quarter(0, 20),)
    assert expected(hour_at(10), seen, "lamp", DAWN, DAWN + SLOT_NS) == (quarter(0, 10),)


def test_forecast_without_a_tariff_is_what_it_cost_yesterday() -> None:
    seen = then(slot(0, 40))
    assert expected((), seen, "lamp", DAWN, DAWN + HOUR) == (quarter(0, 40),)
    assert expected(hour_at(10), seen, "lamp", DAWN, DAWN + SLOT_NS) == (quarter(0, 10),)


def test_forecast_cuts_slots_where_the_tariff_changes_or_says_nothing() -> None:
    known = (Interval(DAWN + 5 * MINUTE, DAWN + 10 * MINUTE, 10),)
    assert expected(known, then(slot(0, 30)), "lamp", DAWN + MINUTE, DAWN + SLOT_NS) == (
        Interval(DAWN + MINUTE, DAWN + 5 * MINUTE, 30),
        Interval(DAWN + 5 * MINUTE, DAWN + 10 * MINUTE, 10),
        Interval(DAWN + 10 * MINUTE, DAWN + SLOT_NS, 30),
    )


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-50, 50)), max_size=8), st.data())
def test_forecast_of_a_day_that_cost_what_the_tariff_said_is_the_tariff(
    spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    """And so is every bid on it: who learned nothing from yesterday decides as without it."""
    known, at_ns = list[Interval](), DAWN
    for minutes, price_uc in spans:
        if minutes:
            known.append(Interval(at_ns, at_ns + minutes * MINUTE, price_uc))
        at_ns += (minutes + data.draw(st.integers(0, 20))) * MINUTE
    seen = {
        at - DAY_NS: Slot(at - DAY_NS, 7, 0, {"lamp": 7})
        for at in range(DAWN, at_ns, SLOT_NS)
        if all(each.start_ns <= at and at + SLOT_NS <= each.end_ns for each in _over(known, at))
        and _over(known, at)
    }
    found = expected(known, seen, "lamp", DAWN, at_ns)
    if found is None:
        return
    minutes = range(DAWN, at_ns, MINUTE)
    assert [_price(found, each) for each in minutes] == [_price(known, each) for each in minutes]
    goal = Goal(data.draw(st.integers(1, 300_000)), 10_000, DAWN, at_ns, 0)
    alone = deadline_worth_uc(goal, DAWN, known, CAP)
    assert deadline_worth_uc(goal, DAWN, known, CAP, found) == alone


def _over(known: Sequence[Interval], at_ns: int) -> list[Interval]:
    return [each for each in known if each.start_ns < at_ns + SLOT_NS and at_ns < each.end_ns]


def _price(known: Sequence[Interval], at_ns: int) -> int | None:
    return next((each.price_uc for each in known if each.start_ns <= at_ns < each.end_ns), None)


# --- days of a rack --------------------------------------------------------------------------

WATT = 1000
FEED_MW = 100 * WATT
LAMP_MW = 40 * WATT


@dataclass
class Days:
    """A lamp of 40 W with a deadline on a feed of 100 W, beside others, day after day.

    Attributes:
        offers, others: sources, and what others bid (worth, mW), by the minute of the day.
        known: the tariff, by the minute of the day; empty: none is known.
        remembers: whether yesterday is.
        paid: what each day cost, uc·mW·minutes; late: minutes that were not there in time.
        refused: minutes in which one of the others went without, by the day.
    """

    offers: Callable[[int, int], list[Offer]]
    others: Callable[[int], list[tuple[int, int]]]
    tariff: Callable[[int], int | None]
    begins: int
    hours: int
    remembers: bool
    paid: list[int] = field(default_factory=list[int])
    late: list[int] = field(default_factory=list[int])
    refused: list[int] = field(default_factory=list[int])
    left: int = 0
    running: bool = False
    slots: dict[int, Slot] = field(default_factory=dict[int, Slot])
    costs: list[int | None] = field(default_factory=list[int | None])
    known: Sequence[Interval] = ()
    likely: Sequence[Interval] | None = None

    def play(self, days: int) -> Days:
        for minute in range(self.begins, days * 1440 + self.begins):
            if (minute - self.begins) % 1440 == 0:
                self.left = self.hours * 60
                self.paid.append(0)
                self.refused.append(0)
            self._minute(minute)
            if (minute + 1 - self.begins) % 1440 == 0:
                self.late.append(self.left)
        return self

    def _minute(self, minute: int) -> None:
        now_ns, since = DAWN + minute * MINUTE, (minute - self.begins) % 1440
        begins_ns = now_ns - since * MINUTE
        ends_ns = begins_ns + DAY_NS
        goal = Goal(self.left * 60 * LAMP_MW, LAMP_MW, begins_ns, ends_ns, 0)
        if minute % 15 == 0:
            self.known = self._known(now_ns)
            if self.remembers:
                self.likely = expected(self.known, self.slots, "lamp", now_ns, ends_ns)
        worth = deadline_worth_uc(goal, now_ns, self.known, CAP, self.likely)
        steps = [] if worth is None else [Step(worth, LAMP_MW, LAMP_MW, running=self.running)]
        others = self.others(minute % 1440)
        bids = [Bid(NodeId(1), tuple(steps), 0)]
        bids += [
            Bid(NodeId(2 + at), (Step(worth_uc, power_mw, power_mw, running=True),), 0)
            for at, (worth_uc, power_mw) in enumerate(others)
        ]
        offers = self.offers(minute // 1440, minute % 1440)
        clearing = clear(bids, offers, 0, FEED_MW, price_cap_uc=CAP)
        self.running = bool(steps) and bool(clearing.served[NodeId(1)])
        served = [each for at, each in enumerate(others) if clearing.served[NodeId(2 + at)]]
        self.refused[-1] += len(served) < len(others)
        if self.running:
            self.left -= 1
            self.paid[-1] += clearing.price_uc * LAMP_MW
        drawn_mw = clearing.served_mw
        takers = tuple(Taker(*each) for each in served)
        glance = Glance(clearing.price_uc, drawn_mw, drawn_mw, FEED_MW, takers, tuple(offers))
        self.costs.append(cost_uc(glance, LAMP_MW, CAP, running=self.running))
        if (minute + 1) % 15 == 0:
            start_ns = now_ns // SLOT_NS * SLOT_NS
            costs = {"lamp": enough_uc(self.costs)}
            self.slots[start_ns] = Slot(start_ns, self.tariff(minute % 1440), 0, costs)
            self.costs = []

    def _known(self, now_ns: int) -> list[Interval]:
        start_ns = now_ns // SLOT_NS * SLOT_NS
        slots = range(start_ns, start_ns + DAY_NS, SLOT_NS)
        prices = [(at, self.tariff(at // MINUTE % 1440)) for at in slots]
        return [Interval(at, at + SLOT_NS, price) for at, price in prices if price is not None]


def night_rate(minute: int) -> int:
    return 100_000 if minute < 6 * 60 else 300_000


def backups(minute: int) -> list[tuple[int, int]]:
    """Two tasks that bring in 1.00 per kWh, and leave 10 W of the feed from midnight to five."""
    return [(1_000_000, 45 * WATT)] * 2 if minute < 5 * 60 else []


def test_night_that_others_filled_yesterday_is_left_to_them_today() -> None:
    """The tariff alone waits for a night that is full, and in its rush pays what tasks bring."""

    def days(*, remembers: bool) -> Days:
        def grid(_day: int, minute: int) -> list[Offer]:
            return [Offer("grid", night_rate(minute), FEED_MW)]

        return Days(grid, backups, night_rate, 6 * 60, 3, remembers).play(4)

    alone, forecast = days(remembers=False), days(remembers=True)
    assert alone.late == forecast.late == [0] * 4
    assert alone.paid[0] == forecast.paid[0], "the first day has no yesterday"
    for day in (1, 2, 3):
        assert forecast.paid[day] * 2 < alone.paid[day]
        assert forecast.refused[day] * 4 < alone.refused[day]


def sun(day: int, minute: int, *, cloudy: frozenset[int] = frozenset()) -> list[Offer]:
    """A panel of 60 W from ten to four beside the grid."""
    shines = 10 * 60 <= minute < 16 * 60 and day not in cloudy
    return [Offer("grid", 300_000, FEED_MW), Offer("sun", 20_000, 60 * WATT if shines else 0)]


def base(_minute: int) -> list[tuple[int, int]]:
    return [(1_000_000, 20 * WATT)]


def test_sun_of_yesterday_is_waited_for_today_and_a_cloudy_day_is_in_time_all_the_same() -> None:
    def days(*, remembers: bool) -> Days:
        def sky(day: int, minute: int) -> list[Offer]:
            return sun(day, minute, cloudy=frozenset({2}))

        return Days(sky, base, lambda _: 300_000, 0, 4, remembers).play(4)

    alone, forecast = days(remembers=False), days(remembers=True)
    assert alone.late == forecast.late == [0] * 4
    assert forecast.paid[1] * 10 < alone.paid[1]
    assert forecast.paid[2] <= alone.paid[2], "no sun: the grid's price, and no more than that"


def test_sun_that_others_take_is_not_waited_for() -> None:
    """30 W of 60 are taken: the 40 W would be the grid's."""

    def greedy(_minute: int) -> list[tuple[int, int]]:
        return [(1_000_000, 30 * WATT)]

    forecast = Days(sun, greedy, lambda _: 300_000, 0, 4, True).play(2)
    alone = Days(sun, greedy, lambda _: 300_000, 0, 4, False).play(2)
    assert forecast.paid == alone.paid


@given(
    st.lists(st.one_of(st.none(), st.integers(-100_000, 5_000_000)), min_size=96, max_size=96),
    st.lists(st.integers(0, 2_000_000), min_size=24, max_size=24),
    st.booleans(),
    st.integers(1, 20),
)
def test_deadline_is_kept_whatever_yesterday_says(
    seen: list[int | None], hourly: list[int], has_tariff: bool, hours: int
) -> None:
    """The cap is served always, and any other bid if it is worth the price of the hour."""
    begins_ns, ends_ns = DAWN, DAWN + DAY_NS
    tariff = [Interval(DAWN + at * HOUR, DAWN + (at + 1) * HOUR, p) for at, p in enumerate(hourly)]
    known = tariff if has_tariff else []
    slots = then(*(slot(at / 4, cost, 300_000) for at, cost in enumerate(seen)))
    likely = expected(known, slots, "lamp", begins_ns, ends_ns)
    left = hours * 60
    for minute in range(0, 1440, 5):
        goal = Goal(left * 60 * LAMP_MW, LAMP_MW, begins_ns, ends_ns, 0)
        now_ns = begins_ns + minute * MINUTE
        bid = deadline_worth_uc(goal, now_ns, known, CAP, likely)
        if bid is not None and bid >= hourly[minute // 60]:
            left -= min(5, left)
    assert left == 0
