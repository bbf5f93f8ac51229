"""The search for the best set of steps: exact where it says so, lawful always."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.market.optimum import is_lawful, subsets, welfare_of

from rackgrid.market import knapsack
from rackgrid.market.curve import Step
from rackgrid.market.knapsack import Choice, Settled, best_set
from rackgrid.market.offer import Offer
from rackgrid.market.supply import supply_above

NOTHING = Settled(0, 0, 0, None)
PLENTY = 100_000


def step(worth: int, power: int, reserve: int | None = None) -> Step:
    return Step(worth, power, power if reserve is None else reserve, running=False)


def settled_of(steps: list[Step]) -> Settled:
    return Settled(
        sum(s.power_mw for s in steps),
        sum(s.reserve_mw for s in steps),
        sum(s.worth_uc * s.power_mw for s in steps),
        min((s.worth_uc for s in steps), default=None),
    )


@pytest.mark.parametrize(
    ("steps", "offers", "room", "chosen"),
    [
        # the densest first would leave a hole
        ([step(10, 6), step(9, 5), step(9, 5)], [Offer("a", 0, 99)], 10, (1, 2)),
        # of two equally good sets the one earlier in merit
        ([step(9, 5), step(9, 5), step(9, 5)], [Offer("a", 0, 99)], 10, (0, 1)),
        # what it reserves decides, not what it takes
        ([step(10, 5, 10), step(9, 5, 6), step(9, 4, 4)], [Offer("a", 0, 99)], 10, (1, 2)),
        # supply decides where it is short
        ([step(10, 6), step(9, 5), step(9, 5)], [Offer("a", 0, 10)], 99, (1, 2)),
        # one alone on the cheap source beats two that need the dear one
        ([step(9, 1), step(4, 10)], [Offer("a", 1, 10), Offer("b", 5, 10)], 99, (1,)),
        # and two on the dear one beat one alone
        ([step(9, 9), step(8, 10)], [Offer("a", 1, 10), Offer("b", 5, 10)], 99, (0, 1)),
        # below zero
        ([step(-1, 6), step(-2, 5), step(-2, 5)], [Offer("a", -9, 10)], 99, (1, 2)),
        # what takes no power adds nothing, what is worth too little never runs
        ([step(10, 6), step(10, 0), step(-1, 1)], [Offer("a", 0, 99)], 10, (0,)),
    ],
)
def test_best_set_of_a_small_case_is_found(
    steps: list[Step], offers: list[Offer], room: int, chosen: tuple[int, ...]
) -> None:
    choice = best_set(steps, NOTHING, supply_above(0, offers, 99), room, 0, PLENTY)
    assert choice.chosen == chosen
    assert choice.exact


def test_best_set_that_only_equals_the_known_one_is_not_chosen() -> None:
    supply = supply_above(0, [Offer("a", 0, 99)], 99)
    assert best_set([step(9, 5)], NOTHING, supply, 10, 45, PLENTY) == Choice(None, 45, exact=True)


@pytest.mark.parametrize("offers", [[], [Offer("a", 20, 99)]])
def test_best_set_without_affordable_supply_is_none(offers: list[Offer]) -> None:
    supply = supply_above(0, offers, 99)
    assert best_set([step(9, 5)], NOTHING, supply, 10, 0, PLENTY) == Choice(None, 0, exact=True)


def test_best_set_beside_settled_steps_keeps_to_the_price_that_they_bear() -> None:
    supply = supply_above(0, [Offer("a", 1, 10), Offer("b", 5, 90)], 100)
    settled = settled_of([step(4, 8)])
    choice = best_set([step(9, 20), step(3, 2)], settled, supply, 100, 24, PLENTY)
    assert choice == Choice((1,), 4 * 8 + 3 * 2 - 10, exact=True)


small = st.builds(
    lambda worth, power, more: step(worth, power, power + more),  # pyright: ignore[reportUnknownLambdaType]
    st.integers(-4, 20),
    st.integers(0, 15),
    st.sampled_from([0, 0, 2, 9]),
)
supplies = st.lists(
    st.builds(Offer, st.just("a"), st.integers(-6, 15), st.integers(0, 20)), max_size=4
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(small, max_size=8),
    st.lists(small, max_size=2),
    supplies,
    st.integers(0, 50),
    st.sampled_from([1, 50, PLENTY]),
)
def test_best_set_is_the_best_of_all_subsets_where_it_says_so(
    steps: list[Step], fixed: list[Step], offers: list[Offer], room: int, work: int
) -> None:
    steps = sorted(steps, key=lambda s: -s.worth_uc)
    supply = supply_above(0, offers, 60)
    units = [
        o.price_uc for o in sorted(offers, key=lambda o: o.price_uc) for _ in range(o.power_mw)
    ]
    units = units[:60]
    if not is_lawful(fixed, units, room):
        fixed = []
    known = welfare_of(fixed, units)
    choice = best_set(steps, settled_of(fixed), supply, room, known, work)
    best = max(
        welfare_of(fixed + chosen, units)
        for chosen in subsets(steps)
        if is_lawful(fixed + chosen, units, room)
    )
    assert known <= choice.welfare <= best
    assert choice.welfare == best or not choice.exact
    assert choice.exact or work < PLENTY
    if choice.chosen is not None:
        chosen = fixed + [steps[number] for number in choice.chosen]
        assert is_lawful(chosen, units, room)
        assert welfare_of(chosen, units) == choice.welfare


def hard_case(seed: int) -> list[Step]:
    """Steps whose value hardly tells them apart: many states, few of them droppable."""
    chance = random.Random(seed)
    return sorted(
        (step(100_000 + chance.randrange(500), chance.randrange(9_000, 11_000)) for _ in range(60)),
        key=lambda s: -s.worth_uc,
    )


def test_best_set_beyond_its_work_is_lawful_and_says_that_it_is_not_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(knapsack, "BEAM_MIN", 2)
    steps = hard_case(1)
    supply = supply_above(0, [Offer("a", 1_000, 10**6), Offer("b", 5_000, 10**6)], 250_123)
    choice = best_set(steps, NOTHING, supply, 250_123, 0, 200)
    assert not choice.exact
    assert choice.chosen is not None
    assert sum(steps[number].reserve_mw for number in choice.chosen) <= 250_123


def test_best_set_with_more_work_is_no_worse() -> None:
    steps = hard_case(2)
    supply = supply_above(0, [Offer("a", 1_000, 90_000), Offer("b", 5_000, 10**6)], 250_123)
    found = [
        best_set(steps, NOTHING, supply, 250_123, 0, work).welfare for work in (100, 3_000, 30_000)
    ]
    assert found == sorted(found)


def test_best_set_of_equal_steps_needs_little_work() -> None:
    """One state per number of steps, whatever the size of the feed."""
    supply = supply_above(0, [Offer("a", 10, 10**9)], 10**9)
    choice = best_set([step(50, 7_001)] * 200, NOTHING, supply, 500_000, 0, 100_000)
    assert choice == Choice(tuple(range(71)), 71 * 7_001 * 40, exact=True)
