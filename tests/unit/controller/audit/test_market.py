"""The auditor's own market: it agrees with every clearing, and with no lie about one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.adapters.story import PAIR
from tests.unit.controller.audit.lines import LAMP, NODE, PUMP, Line, changed, fields, line, round_

from rackgrid.adapters.event_json import event
from rackgrid.audit import market
from rackgrid.core.action import RoundCleared
from rackgrid.identity import NodeId
from rackgrid.market.clearing import Clearing, clear
from rackgrid.market.curve import Bid, Step
from rackgrid.market.offer import Offer

CAP = 100


def findings(of: Line) -> list[str]:
    return list(market.findings(fields(of)))


def is_proven(of: Line) -> bool:
    """Whether no better set is possible; of a round without findings."""
    with pytest.raises(StopIteration) as end:
        next(market.findings(fields(of)))
    return bool(end.value.value)


def test_round_that_was_cleared_by_the_rules_has_no_finding() -> None:
    assert findings(round_()) == []
    assert findings(round_(PUMP)) == []
    assert findings(round_(replace(PUMP, reserve_mw=50_000))) == [], "it does not fit, and says so"


def test_round_of_a_load_that_is_dimmed_has_no_finding() -> None:
    """Fails if a stage that rests on the first one's reserve is no step of a record."""
    assert findings(round_(LAMP, Step(300_000, 2000, 0, running=True))) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("price_uc", 300_001, "price_uc: 300001, and by the book it is 300000"),
        ("price_uc", 450_000, "pays 450000, and is worth 400000"),
        (f"served.{NODE}", 3, "there is room for 45000 mW"),
        (f"served.{NODE}", 0, "fits, and was refused"),
        (f"served.{NODE}", 5, "has no such steps"),
        ("served.0b", 1, "has no such steps"),
        (f"unfit.{NODE}", 1, "unfit: step 0 of 00000000000000aa is served"),
        ("unfit", {}, "marked: False"),
        (f"allotted_mw.{NODE}", 8999, "allotted_mw"),
        ("allotted_mw.0b", 5, "has bid nothing"),
        ("served_mw", 6001, "served_mw: 6001"),
        ("reserved_mw", 9001, "reserved_mw: 9001"),
        ("marginal", "sun", "the last unit is 'grid'"),
        ("overcommitted", True, "overcommitted"),
        ("scarce", False, "scarce"),
        ("welfare", 1, "welfare: 1"),
        ("granting", False, "grants without authority"),
        ("grants.0.served", 2, "is granted 0b10"),
        ("grants.0.mw", 9001, "has 9001 mW"),
        ("bids.0.steps.0.0", 240_000, "pays 300000, and is worth 240000"),
        ("bids.0.steps.0.1", 5000, "served_mw"),
        ("bids.0.steps.0.2", 9001, "reserved_mw"),
        ("bids.0.steps.1.0", 200_000, "unfit: step 1"),
        ("bids.0.steps.1.2", 36_000, "fits, and was refused"),
        ("offers.0.1", 260_000, "welfare"),
        ("offers.0.1", 310_000, "price_uc"),
        ("offers.0.2", 15_001, "and the sources give 1 mW"),
        ("capacity_mw", 20_000, "there is room for 5000 mW"),
        ("floors_mw", 55_000, "there is room for 5000 mW"),
        ("room_mw", 8000, "there is room for 8000 mW"),
        ("bids.0.node", "x y", "is no id"),
    ],
)
def test_round_with_a_lie_is_objected_to(path: str, value: object, said: str) -> None:
    sound = round_(LAMP, replace(PUMP, power_mw=10_000, reserve_mw=37_000))
    try:
        found = findings(changed(sound, path, value))
    except market.Malformed as fault:
        found = [str(fault)]
    assert any(said in each for each in found), found


def told(
    bids: tuple[Bid, ...],
    offers: tuple[Offer, ...],
    floors: int,
    capacity: int,
    room: int,
    result: Clearing,
) -> Line:
    limits = (floors, capacity, room, CAP)
    named = event(RoundCleared(PAIR, 3, bids, offers, *limits, result, True, ()))
    assert named is not None
    return line(*named)


def step(worth: int, power: int, more: int, running: bool) -> Step:
    return Step(worth, power, power + more, running)


STEPS = st.builds(
    step, st.integers(-20, 120), st.integers(0, 30), st.integers(0, 10), st.booleans()
)
BOOKS = st.tuples(
    st.lists(st.lists(STEPS, max_size=3), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(-20, 110), st.integers(0, 60)), max_size=3),
    st.integers(0, 40),
    st.integers(0, 100),
    st.integers(-10, 100),
)
Drawn = tuple[list[list[Step]], list[tuple[int, int]], int, int, int]


def book_of(drawn: Drawn) -> tuple[tuple[Bid, ...], tuple[Offer, ...], int, int, int]:
    steps, offers, floors, capacity, room = drawn
    bids = tuple(Bid(NodeId(n + 1), tuple(each), n % 2) for n, each in enumerate(steps))
    sources = tuple(Offer(f"s{n}", p, mw) for n, (p, mw) in enumerate(offers))
    return bids, sources, floors, capacity, room


@settings(max_examples=300, deadline=None)
@given(BOOKS)
def test_every_clearing_passes(drawn: Drawn) -> None:
    """Fails if the two markets, which share no line, disagree on any rule."""
    asked = book_of(drawn)
    line = told(*asked, clear(*asked, price_cap_uc=CAP))
    assert findings(line) == []
    assert is_proven(line)


@settings(max_examples=150, deadline=None)
@given(BOOKS, st.integers(0, 2), st.integers(0, 2))
def test_every_other_set_that_is_called_served_fails(drawn: Drawn, who: int, bit: int) -> None:
    asked = book_of(drawn)
    bids = asked[0]
    bid = bids[who % len(bids)]
    if not bid.steps:
        return
    result = clear(*asked, price_cap_uc=CAP)
    mask = result.served[bid.bidder] ^ 1 << bit % len(bid.steps)
    lie = replace(result, served={**result.served, bid.bidder: mask})
    step = bid.steps[bit % len(bid.steps)]
    if step.power_mw or step.reserve_mw:
        assert findings(told(*asked, lie)) != []


def test_better_set_is_found_though_all_sums_of_the_worse_one_are_right() -> None:
    """Fails if a clearing that fills by merit alone would pass for the best there is."""
    bids = (Bid(NodeId(1), (Step(60, 10, 10, False), Step(50, 20, 20, False)), 0),)
    offers = (Offer("grid", 10, 100),)
    good = clear(bids, offers, 0, 100, 20, CAP)
    assert good.served == {NodeId(1): 2}
    worse = replace(
        good,
        served={NodeId(1): 1},
        unfit={NodeId(1): 2},
        allotted_mw={NodeId(1): 10},
        served_mw=10,
        reserved_mw=10,
        welfare=500,
        price_uc=50,
    )
    said = findings(told(bids, offers, 0, 100, 20, worse))
    assert said == ["welfare 500 is called the best there is, and another set has 800"]


def test_better_set_that_sheds_a_running_step_for_little_is_no_finding() -> None:
    bids = (Bid(NodeId(1), (Step(60, 10, 20, True), Step(59, 11, 20, False)), 0),)
    offers = (Offer("grid", 10, 100),)
    kept = clear(bids, offers, 0, 100, 20, CAP)
    assert kept.served == {NodeId(1): 1}, "the other one has more, by less than an eighth"
    assert findings(told(bids, offers, 0, 100, 20, kept)) == []


def test_set_below_merit_order_is_a_finding_in_a_large_book_too() -> None:
    steps = tuple(Step(60 - n, 10, 10, False) for n in range(20))
    bids, offers = (Bid(NodeId(1), steps, 0),), (Offer("grid", 10, 1000),)
    good = clear(bids, offers, 0, 1000, 100, CAP)
    assert findings(told(bids, offers, 0, 1000, 100, good)) == []
    worse = replace(
        good,
        served={NodeId(1): 0b11111_11110 << 1 | 1},
        unfit={NodeId(1): 2},
        welfare=good.welfare - 90,
    )
    assert any("merit" in each for each in findings(told(bids, offers, 0, 1000, 100, worse)))
    assert is_proven(told(bids, offers, 0, 1000, 100, good))
    given_up = replace(good, exact=False)
    assert not is_proven(told(bids, offers, 0, 1000, 100, given_up))
