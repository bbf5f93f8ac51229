"""Clearing: the laws that hold for every book, checked against slow and obvious answers."""

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
from tests.unit.controller.market.toy import CAP, cleared, served_steps, step

from rackgrid.identity import NodeId
from rackgrid.market import clearing
from rackgrid.market.clearing import SHED_SHARE, Clearing
from rackgrid.market.curve import Bid, Step
from rackgrid.market.offer import Offer


def reserving(worth: int, power: int, more: int | None, running: bool) -> Step:
    """None: a later stage of a load that reserved all with its first one."""
    return step(worth, power, 0 if more is None else power + more, running=running)


def steps_of(*, running: bool) -> st.SearchStrategy[Step]:
    return st.builds(
        reserving,
        st.integers(-6, 20),
        st.integers(0, 20),
        st.sampled_from([0, 0, 0, 1, 5, None]),
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


@pytest.mark.parametrize("worth", [2, CAP])
def test_stage_that_reserves_nothing_does_not_hide_a_better_set(worth: int) -> None:
    """Fails if taking power without room counts as taking nothing: what is left is called best."""
    bids = numbered([((reserving(1, 3, 0, running=False), reserving(worth, 1, None, False)), 0)])
    asked = Book(bids, (Offer("a", 0, 3),), 0, 3, None)
    result = cleared(asked)
    assert (result.welfare, result.exact) == (optimum(asked), True)


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
