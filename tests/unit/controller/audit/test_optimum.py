"""The auditor's search for a better set: against trying every set, and within its bounds."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.audit import optimum
from rackgrid.audit.book import Book, Step
from rackgrid.audit.optimum import Best, search

CAP = 100


def step(number: int, worth: int, power: int, more: int = 0, *, running: bool = False) -> Step:
    order = (-worth, not running, 0, number, 0)
    return Step(f"{number:x}", 0, worth, power, power + more, running, order)


def book(steps: list[Step], room: int, *tiers: tuple[int, int]) -> Book:
    priced = tuple((price, "grid", power) for price, power in sorted(tiers))
    return Book(tuple(sorted(steps, key=lambda s: s.order)), priced, room, CAP, False)


def most(of: Book) -> int:
    """The welfare of the best lawful set, by trying all."""
    sets = (s for n in range(len(of.steps) + 1) for s in combinations(of.steps, n))
    return max(of.welfare(each) for each in sets if of.is_lawful(each))


STEPS = st.tuples(st.integers(-20, CAP - 1), st.integers(0, 30), st.integers(0, 10))
TIERS = st.tuples(st.integers(-20, CAP), st.integers(1, 60))


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=7), st.lists(TIERS, max_size=3), st.integers(0, 80))
def test_search_finds_what_trying_every_set_finds(
    drawn: list[tuple[int, int, int]], tiers: list[tuple[int, int]], room: int
) -> None:
    asked = book([step(n, *each) for n, each in enumerate(drawn)], room, *tiers)
    best = most(asked)
    assert search(asked, (), -1) == Best(max(best, -1), False, True)
    assert search(asked, (), best) == Best(best, False, True), "nothing is better than the best"


def test_search_keeps_what_bids_the_cap() -> None:
    capped, other = step(1, CAP, 1, 19), step(2, 90, 20)
    asked = book([capped, other], 20, (10, 100))
    assert search(asked, (capped,), asked.welfare([capped])).welfare == asked.welfare([capped])


@pytest.mark.parametrize(("worth", "is_excused"), [(56, True), (57, False)])
def test_search_excuses_what_sheds_running_steps_for_an_eighth_of_their_worth(
    worth: int, is_excused: bool
) -> None:
    """Fails if the tolerance is wider than the rule: (56 - 50) · 8 ≤ 50, and (57 - 50) · 8 > 50."""
    held = step(1, 50, 10, running=True)
    asked = book([held, step(2, worth, 10)], 10, (0, 100))
    best = search(asked, (held,), 500)
    assert (best.welfare, best.is_excused) == (worth * 10, is_excused)


def test_search_excuses_nothing_that_sheds_nothing() -> None:
    asked = book([step(1, 50, 10), step(2, 51, 10)], 10, (0, 100))
    assert search(asked, asked.steps[1:], 500) == Best(510, False, True)


def test_search_of_a_book_without_supply_ends() -> None:
    assert search(book([step(1, 50, 10)], 10), (), 0) == Best(0, False, True)


def test_search_gives_up_in_time_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimum, "BRANCHES_MAX", 10)
    asked = book([step(n, 50 + n, 10 + n) for n in range(12)], 60, (0, 1000))
    assert not search(asked, (), 0).is_whole
