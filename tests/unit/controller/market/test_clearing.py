"""Clearing: named situations as small tables, and the laws that hold for every book.

Toy numbers: power in mW up to some dozens, prices in uc up to some dozens, price cap 100.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.market.optimum import (
    Book,
    is_lawful,
    optimum,
    plain_merit,
    unit_prices,
    welfare_of,
)

from rackgrid.identity import NodeId
from rackgrid.market import clearing
from rackgrid.market.clearing import SHED_SHARE, Clearing, clear
from rackgrid.market.curve import Bid, Step
from rackgrid.market.offer import Offer

CAP = 100
A, B, C = NodeId(1), NodeId(2), NodeId(3)
SOLAR, GRID = Offer("solar", 2, 10), Offer("grid", 30, 100)


def step(worth: int, power: int, reserve: int | None = None, *, running: bool = False) -> Step:
    return Step(worth, power, power if reserve is None else reserve, running)


def book(
    *bids: tuple[Step, ...],
    offers: tuple[Offer, ...] = (SOLAR, GRID),
    floors: int = 0,
    capacity: int = 50,
    room: int | None = None,
    received: tuple[int, ...] = (0, 0, 0),
) -> Book:
    named = zip((A, B, C), bids, received, strict=False)
    return Book(tuple(Bid(n, s, r) for n, s, r in named), offers, floors, capacity, room)


def cleared(asked: Book) -> Clearing:
    return clear(asked.bids, asked.offers, asked.floors_mw, asked.capacity_mw, asked.room_mw, CAP)


def served_steps(asked: Book, result: Clearing) -> list[Step]:
    return [
        step
        for bid in asked.bids
        for number, step in enumerate(bid.steps)
        if result.served[bid.bidder] >> number & 1
    ]


def masks(result: Clearing) -> list[int]:
    return [result.served[bidder] for bidder in sorted(result.served)]


# Each line: the book; price, marginal source, scarce, masks of the served steps.
SITUATIONS = {
    "nobody bids: the next unit's price": (book(), 2, "solar", False, []),
    "nobody bids, floors took the solar: the next unit's price": (
        book(floors=10),
        30,
        "grid",
        False,
        [],
    ),
    "nobody bids, floors fill the feed: one more watt is not to be had": (
        book(floors=50),
        CAP,
        "",
        True,
        [],
    ),
    "nothing at all": (book(offers=(), capacity=0), CAP, "", True, []),
    "a bidder and no offer": (book((step(9, 5),), offers=()), CAP, "", True, [0]),
    "a bidder and an offer of 0 W": (
        book((step(9, 5),), offers=(Offer("solar", 1, 0),)),
        CAP,
        "",
        True,
        [0],
    ),
    "a bid without steps": (book(()), 2, "solar", False, [0]),
    "surplus: all who want it get it, at the source's price": (
        book((step(9, 4),), (step(5, 4),)),
        2,
        "solar",
        False,
        [1, 1],
    ),
    "not worth the price": (book((step(1, 5),)), 2, "solar", False, [0]),
    "worth just the price": (book((step(2, 5),)), 2, "solar", False, [1]),
    "the dearer source is marginal": (
        book((step(40, 25), step(50, 5))),
        30,
        "grid",
        False,
        [0b11],
    ),
    "the cheap source goes to who is worth it, who is not sets the price": (
        book((step(40, 10),), (step(20, 10),)),
        20,
        "solar",
        True,
        [1, 0],
    ),
    "shortage: the refused make the price": (
        book((step(60, 30),), (step(50, 30),)),
        50,
        "grid",
        True,
        [1, 0],
    ),
    "shortage: the room makes it, though the feed would do": (
        book((step(60, 20),), (step(50, 20),), room=20),
        50,
        "grid",
        True,
        [1, 0],
    ),
    "no room": (book((step(60, 20),), room=0), 60, "solar", True, [0]),
    "less than no room": (book((step(60, 20),), room=-5), 60, "solar", True, [0]),
    "too big for the feed, nobody else": (book((step(60, 51),)), 60, "solar", True, [0]),
    "must-take supply unsold: it pays to be relieved": (
        book((step(-1, 5),), offers=(Offer("solar", -4, 20),)),
        -4,
        "solar",
        False,
        [1],
    ),
    "must-take supply unsold, waste is not worth it": (
        book((step(-9, 5),), offers=(Offer("solar", -4, 20),)),
        -4,
        "solar",
        False,
        [0],
    ),
    "must-take supply sold out": (
        book((step(-1, 20),), (step(-3, 5),), offers=(Offer("solar", -4, 20),)),
        -3,
        "solar",
        True,
        [1, 0],
    ),
    "must-take supply taken by floors": (
        book((step(-1, 5),), offers=(Offer("solar", -4, 20), GRID), floors=20),
        30,
        "grid",
        False,
        [0],
    ),
    "inrush decides the fit": (
        book((step(60, 10, 60),), (step(50, 10, 12),)),
        2,
        "solar",
        True,
        [0, 1],
    ),
    "metered power decides the supply": (
        book((step(9, 4, 40),), (step(9, 6, 10),)),
        2,
        "solar",
        False,
        [1, 1],
    ),
    "a step without power is served if worth the next unit": (
        book((step(2, 0, 10), step(1, 0, 10))),
        2,
        "solar",
        False,
        [1],
    ),
    "a step without power still needs room": (
        book((step(9, 5), step(5, 0, 46))),
        5,
        "solar",
        True,
        [1],
    ),
    "floors above capacity: overcommitted": (
        book((step(60, 1),), (step(CAP, 0),), floors=51),
        CAP,
        "",
        True,
        [0, 0],
    ),
    "a worth above the cap counts as the cap": (
        book((step(500, 50),), (step(200, 50),)),
        CAP,
        "grid",
        True,
        [1, 0],
    ),
    "an offer above the cap is not affordable": (
        book((step(500, 5),), offers=(Offer("diesel", 101, 50),)),
        CAP,
        "diesel",
        False,
        [0],
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_clearing_in_a_named_situation_answers(situation: str) -> None:
    asked, price, marginal, scarce, served = SITUATIONS[situation]
    result = cleared(asked)
    assert (result.price_uc, result.marginal, result.scarce) == (price, marginal, scarce)
    assert masks(result) == served


def test_clearing_with_floors_above_capacity_is_overcommitted_and_only_then() -> None:
    assert cleared(book(floors=51)).overcommitted
    assert not cleared(book(floors=50)).overcommitted
    assert not cleared(book(floors=20, offers=())).overcommitted


def test_clearing_allots_the_reserve_of_the_served_steps() -> None:
    result = cleared(book((step(60, 10, 15), step(1, 5), step(50, 5, 5)), (step(40, 4, 6),)))
    assert masks(result) == [0b101, 0b1]
    assert result.allotted_mw == {A: 20, B: 6}
    assert (result.served_mw, result.reserved_mw) == (19, 26)
    assert result.welfare == 60 * 10 + 50 * 5 + 40 * 4 - 10 * 2 - 9 * 30


def test_clearing_names_refused_steps_worth_the_price_as_unfit() -> None:
    # 45 W is worth more than the served ones; together they are worth more than it.
    result = cleared(book((step(60, 5, 30),), (step(50, 25), step(50, 25), step(1, 9))))
    assert masks(result) == [0, 0b11]
    assert result.price_uc == 30
    assert result.unfit == {A: 1}


def test_clearing_where_skipping_wastes_the_feed_finds_the_better_set() -> None:
    asked = book((step(60, 1),), (step(59, 50),))
    assert plain_merit(asked) == 60 - 2
    assert masks(cleared(asked)) == [0, 1]


def test_clearing_keeps_a_step_at_the_cap_that_the_optimum_would_trade_away() -> None:
    asked = book((step(CAP, 1, running=True),), (step(99, 50),))
    assert masks(cleared(asked)) == [1, 0]


# Ties


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_clearing_of_equals_serves_who_received_least(winner: int) -> None:
    received = tuple(5 if n == winner else 6 for n in range(3))
    equals = ((step(60, 30),),) * 3
    assert masks(cleared(book(*equals, received=received))) == [int(n == winner) for n in range(3)]


def test_clearing_of_equals_over_time_shares_alike() -> None:
    received = [0, 0, 0]
    for _ in range(12):
        equals = ((step(60, 30),),) * 3
        result = cleared(book(*equals, received=(received[0], received[1], received[2])))
        for number, mask in enumerate(masks(result)):
            received[number] += 30 * mask
    assert received == [120, 120, 120]


def test_clearing_of_equals_who_received_the_same_goes_by_bidder_then_step() -> None:
    assert masks(cleared(book((step(60, 20), step(60, 20)), (step(60, 20),)))) == [0b11, 0]
    assert masks(cleared(book((step(60, 30), step(60, 30)), (step(60, 30),)))) == [0b01, 0]


def test_clearing_of_equals_serves_the_running_before_the_starting() -> None:
    equals = ((step(60, 30),), (step(60, 30, running=True),))
    assert masks(cleared(book(*equals, received=(0, 999)))) == [0, 1]


# Stability


def test_clearing_does_not_shed_a_running_step_for_a_small_gain() -> None:
    # It takes 9 of its nominal 12, and would lose to a newcomer's nominal 10; then win, and so on.
    asked = book((step(60, 9, 12, running=True),), (step(60, 10),), offers=(GRID,), capacity=12)
    assert optimum(asked) > plain_merit(asked)
    assert masks(cleared(asked)) == [1, 0]


def test_clearing_sheds_a_running_step_for_a_large_gain() -> None:
    asked = book((step(60, 6, 12, running=True),), (step(60, 12),), offers=(GRID,), capacity=12)
    assert masks(cleared(asked)) == [0, 1]


def test_clearing_still_improves_around_the_running_steps_that_it_keeps() -> None:
    asked = book(
        (step(60, 9, 12, running=True),),
        (step(60, 10), step(50, 1)),
        (step(49, 20),),
        offers=(GRID,),
        capacity=32,
    )
    assert masks(cleared(asked)) == [1, 0b00, 1]


# Laws


def reserving(worth: int, power: int, more: int, running: bool) -> Step:
    return step(worth, power, power + more, running=running)


def steps_of(*, running: bool) -> st.SearchStrategy[Step]:
    return st.builds(
        reserving,
        st.integers(-6, 20),
        st.integers(0, 20),
        st.sampled_from([0, 0, 0, 1, 5]),
        st.booleans() if running else st.just(value=False),
    )


def numbered(bids: list[tuple[tuple[Step, ...], int]]) -> tuple[Bid, ...]:
    return tuple(Bid(NodeId(7 * n), steps, got) for n, (steps, got) in enumerate(bids))


def books(*, running: bool) -> st.SearchStrategy[Book]:
    bid = st.tuples(st.lists(steps_of(running=running), max_size=3).map(tuple), st.integers(0, 2))
    offer = st.builds(Offer, st.sampled_from("abc"), st.integers(-5, 15), st.integers(0, 25))
    return st.builds(
        Book,
        st.lists(bid, max_size=3).map(numbered),
        st.lists(offer, max_size=4).map(tuple),
        st.sampled_from([0, 0, 3, 17]),
        st.integers(-1, 60),
        st.none() | st.integers(-1, 40),
    )


def check_laws(asked: Book, result: Clearing) -> None:
    """What holds of every answer."""
    units = unit_prices(asked)
    served = served_steps(asked, result)
    assert is_lawful(served, units, asked.room)
    assert all(s.worth_uc >= result.price_uc for s in served)
    assert result.welfare == welfare_of(served, units)
    assert result.served_mw == sum(s.power_mw for s in served)
    assert result.reserved_mw == sum(s.reserve_mw for s in served) <= asked.room
    assert sum(result.allotted_mw.values()) == result.reserved_mw
    assert min(units, default=CAP) <= result.price_uc <= CAP
    assert result.price_uc in {CAP, *units, *(s.worth_uc for s in asked.steps)}
    assert result.overcommitted == (asked.floors_mw > asked.capacity_mw)
    for bid in asked.bids:
        for number, refused in enumerate(bid.steps):
            if result.served[bid.bidder] >> number & 1:
                assert not result.unfit.get(bid.bidder, 0) >> number & 1
                continue
            unfit = result.unfit.get(bid.bidder, 0) >> number & 1
            assert unfit == (refused.worth_uc >= result.price_uc)
            # Beside the served ones it would break the room, the supply, or somebody's worth.
            tried = [*served, refused]
            assert (
                not is_lawful(tried, units, asked.room) or not units or refused.worth_uc < units[0]
            )


@settings(max_examples=400, deadline=None)
@given(books(running=False))
def test_clearing_of_any_book_is_lawful_and_the_optimum(asked: Book) -> None:
    result = cleared(asked)
    check_laws(asked, result)
    assert result.exact
    assert result.welfare == optimum(asked)


@settings(max_examples=300, deadline=None)
@given(books(running=True))
def test_clearing_with_running_steps_is_lawful_and_near_the_optimum(asked: Book) -> None:
    result = cleared(asked)
    check_laws(asked, result)
    best = optimum(asked)
    assert plain_merit(asked) <= result.welfare <= best
    stake = sum(abs(s.worth_uc) * s.power_mw for s in asked.steps if s.running)
    assert (best - result.welfare) * SHED_SHARE <= stake


@settings(max_examples=150, deadline=None)
@given(books(running=True), st.randoms(use_true_random=False))
def test_clearing_in_any_order_of_bids_and_offers_is_the_same(asked: Book, random: object) -> None:
    shuffle = getattr(random, "shuffle")  # noqa: B009 - hypothesis types its Random loosely
    bids, offers = list(asked.bids), list(asked.offers)
    shuffle(bids)
    shuffle(offers)
    assert cleared(replace(asked, bids=tuple(bids), offers=tuple(offers))) == cleared(asked)


@settings(max_examples=150, deadline=None)
@given(books(running=True), st.integers(1, 10_000))
def test_clearing_in_other_units_serves_the_same(asked: Book, scale: int) -> None:
    def scaled(s: Step) -> Step:
        return replace(s, power_mw=s.power_mw * scale, reserve_mw=s.reserve_mw * scale)

    larger = Book(
        tuple(replace(bid, steps=tuple(map(scaled, bid.steps))) for bid in asked.bids),
        tuple(replace(offer, power_mw=offer.power_mw * scale) for offer in asked.offers),
        asked.floors_mw * scale,
        asked.capacity_mw * scale,
        None if asked.room_mw is None else asked.room_mw * scale,
    )
    small, large = cleared(asked), cleared(larger)
    assert (large.price_uc, large.served) == (small.price_uc, small.served)
    assert large.welfare == small.welfare * scale


@settings(max_examples=100, deadline=None)
@given(books(running=True))
def test_clearing_within_a_narrow_window_is_lawful_and_no_worse_than_merit(asked: Book) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clearing, "CORE_STEPS_MAX", 3)
        patch.setattr(clearing, "WINDOW_STEPS", 3)
        result = cleared(asked)
    check_laws(asked, result)
    assert plain_merit(asked) <= result.welfare <= optimum(asked)


@settings(max_examples=100, deadline=None)
@given(books(running=False))
def test_clearing_without_work_to_do_is_lawful_and_no_worse_than_merit(asked: Book) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clearing, "WORK_MAX", 1)
        result = cleared(asked)
    check_laws(asked, result)
    assert plain_merit(asked) <= result.welfare <= optimum(asked)
    assert result.welfare == optimum(asked) or not result.exact


# Size


def test_clearing_of_thousands_of_steps_answers_lawfully() -> None:
    bids = tuple(
        Bid(
            NodeId(n),
            tuple(step((n * 37 + k * 101) % 90, 1 + (n * 13 + k * 7) % 40) for k in range(8)),
            n * 31 % 17,
        )
        for n in range(500)
    )
    asked = Book(bids, (Offer("solar", 2, 9_000), Offer("grid", 30, 60_000)), 1_000, 30_000)
    result = cleared(asked)
    served = served_steps(asked, result)
    assert is_lawful(served, unit_prices(asked), asked.room)
    assert all(s.worth_uc >= result.price_uc for s in served)
    assert result.scarce
    assert asked.room - result.reserved_mw < 40
    assert not result.exact


def test_clearing_of_twenty_equal_nodes_is_exact() -> None:
    """Equal loads are what racks are full of, and what defeats branch and bound."""
    bids = [Bid(NodeId(n), (step(60, 7),) * 8, 0) for n in range(20)]
    result = clear(bids, [GRID], 0, 100, None, CAP)
    assert result.exact
    assert result.reserved_mw == 98


def test_clearing_of_two_bids_of_one_bidder_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        clear([Bid(A, (), 0), Bid(A, (), 1)], [], 0, 0)


def test_clearing_with_negative_floors_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        clear([], [], -1, 0)
