"""Fails if the auditor prices, reaches or sums supply otherwise than DESIGN section 7 says."""

from __future__ import annotations

import pytest

from rackgrid.audit.book import Book, Step

TIERS = ((10, "sun", 5), (20, "grid", 10))


def step(worth: int, power: int, reserve: int) -> Step:
    return Step("a", 0, worth, power, reserve, False, (-worth, True, 0, 0, 0))


def book(room: int = 100) -> Book:
    return Book((), TIERS, room, 100, False)


@pytest.mark.parametrize(
    ("power", "unit"),
    [(0, (10, "sun")), (5, (10, "sun")), (6, (20, "grid")), (15, (20, "grid")), (16, None)],
)
def test_marginal_unit_is_the_last_used_or_the_first(
    power: int, unit: tuple[int, str] | None
) -> None:
    assert book().marginal(power) == unit
    assert book().supply_mw == 15


def test_welfare_is_worth_less_the_cheapest_energy() -> None:
    assert book().welfare([]) == 0
    assert book().welfare([step(30, 6, 9), step(20, 1, 1)]) == 30 * 6 + 20 - 5 * 10 - 2 * 20


@pytest.mark.parametrize(
    ("steps", "room", "is_lawful"),
    [
        ([], 0, True),
        ([step(20, 6, 9)], 9, True),
        ([step(20, 6, 9)], 8, False),
        ([step(19, 6, 9)], 9, False),
        ([step(20, 16, 16)], 99, False),
        ([step(99, 5, 5), step(10, 0, 0)], 99, True),
        ([step(99, 6, 6), step(10, 0, 0)], 99, False),
    ],
)
def test_set_is_lawful_if_it_fits_and_its_least_worth_pays_its_dearest_unit(
    steps: list[Step], room: int, is_lawful: bool
) -> None:
    assert book(room).is_lawful(steps) is is_lawful
