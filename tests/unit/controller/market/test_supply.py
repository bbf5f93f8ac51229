"""Supply: merit order, the cut at the capacity, and the floors off the front."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.market.optimum import Book, unit_prices

from rackgrid.market.offer import Offer
from rackgrid.market.supply import supply_above

SOLAR, GRID, DUMP = Offer("solar", 20, 30), Offer("grid", 250, 100), Offer("dump", -40, 10)


@pytest.mark.parametrize(
    ("floors_mw", "capacity_mw", "prices", "ends"),
    [
        # nothing is taken off
        (0, 200, (-40, 20, 250), (10, 40, 140)),
        # the capacity cuts the dearest
        (0, 100, (-40, 20, 250), (10, 40, 100)),
        (0, 40, (-40, 20), (10, 40)),
        # floors take the cheapest first
        (10, 100, (20, 250), (30, 90)),
        (25, 100, (20, 250), (15, 75)),
        (99, 100, (250,), (1,)),
        # nothing is left
        (100, 100, (), ()),
        (101, 100, (), ()),
        (0, 0, (), ()),
        (0, -5, (), ()),
        (500, 1000, (), ()),
    ],
)
def test_supply_above_floors_and_below_capacity_keeps_merit_order(
    floors_mw: int, capacity_mw: int, prices: tuple[int, ...], ends: tuple[int, ...]
) -> None:
    supply = supply_above(floors_mw, (GRID, SOLAR, DUMP), capacity_mw)
    assert (supply.prices_uc, supply.ends_mw) == (prices, ends)
    assert supply.total_mw == (ends[-1] if ends else 0)


def test_supply_of_equal_prices_goes_by_source_name() -> None:
    supply = supply_above(0, (Offer("b", 5, 10), Offer("c", 5, 0), Offer("a", 5, 10)), 100)
    assert supply.sources == ("a", "b")


def test_supply_without_offers_has_no_tier_and_reaches_nothing() -> None:
    supply = supply_above(0, (), 100)
    assert supply.tier(0) is None
    assert supply.reach_mw(10**9) == 0
    assert supply.cost(0) == 0


@pytest.mark.parametrize(
    ("power_mw", "tier"),
    [(0, 0), (1, 0), (10, 0), (11, 1), (40, 1), (41, 2), (140, 2), (141, None)],
)
def test_supply_tier_is_of_the_last_unit_used_or_the_first(power_mw: int, tier: int | None) -> None:
    assert supply_above(0, (DUMP, SOLAR, GRID), 200).tier(power_mw) == tier


def test_supply_beyond_its_end_is_not_priced() -> None:
    with pytest.raises(AssertionError):
        supply_above(0, (SOLAR,), 100).cost(31)


offers = st.lists(
    st.builds(Offer, st.sampled_from("abc"), st.integers(-9, 20), st.integers(0, 12)), max_size=5
).map(tuple)


@settings(max_examples=200)
@given(offers, st.integers(0, 30), st.integers(-2, 50), st.integers(-10, 21))
def test_supply_agrees_with_a_list_of_unit_prices(
    offers: tuple[Offer, ...], floors_mw: int, capacity_mw: int, worth_uc: int
) -> None:
    units = unit_prices(Book((), offers, floors_mw, capacity_mw))
    supply = supply_above(floors_mw, offers, capacity_mw)
    assert supply.total_mw == len(units)
    assert supply.reach_mw(worth_uc) == sum(price <= worth_uc for price in units)
    for power in range(len(units) + 1):
        assert supply.cost(power) == sum(units[:power])
        tier = supply.tier(power)
        assert tier is None or supply.prices_uc[tier] == units[max(power, 1) - 1]
