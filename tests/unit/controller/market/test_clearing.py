"""Clearing: named situations as small tables."""

from __future__ import annotations

import pytest
from tests.unit.controller.market.optimum import Book, optimum, plain_merit
from tests.unit.controller.market.toy import CAP, cleared, step

from rackgrid.identity import NodeId
from rackgrid.market.clearing import Clearing, clear
from rackgrid.market.curve import Bid, Step
from rackgrid.market.offer import Offer

A, B, C = NodeId(1), NodeId(2), NodeId(3)
SOLAR, GRID = Offer("solar", 2, 10), Offer("grid", 30, 100)


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


# Size


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
