"""The bill: merit order of the sources, the ledger's rows, and the flat schedule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.offer import Offer
from rackgrid.market.row import Terms
from rackgrid.simulation.scenario.bill import UNOFFERED, Books, Flat, cost_of
from rackgrid.simulation.scenario.bill import given as shared
from rackgrid.simulation.scenario.work import MINUTE_S

SUN, GRID = Offer("sun", 20, 100), Offer("grid", 300, 1_000)
offers = st.lists(
    st.builds(Offer, st.sampled_from("abc"), st.integers(-50, 500), st.integers(0, 2_000)),
    max_size=5,
)


@given(offers, st.integers(0, 300_000))
def test_given_shares_all_of_it_and_nobody_gives_more_than_it_has(
    said: list[Offer], energy: int
) -> None:
    shares = shared(said, energy)
    assert sum(shares.values()) == energy
    for source, share in shares.items():
        if source != UNOFFERED:
            assert 0 < share <= sum(o.power_mw for o in said if o.source == source) * MINUTE_S
    if UNOFFERED in shares:
        assert energy - shares[UNOFFERED] == sum(o.power_mw for o in said) * MINUTE_S


def test_cost_takes_the_cheapest_first_and_prices_the_unoffered_at_the_dearest() -> None:
    assert cost_of([GRID, SUN], 100 * MINUTE_S) == 20 * 100 * MINUTE_S
    assert cost_of([GRID, SUN], 150 * MINUTE_S) == (20 * 100 + 300 * 50) * MINUTE_S
    assert cost_of([SUN], 150 * MINUTE_S) == 20 * 150 * MINUTE_S
    assert cost_of([], 7) == 0


def test_books_book_a_minute_at_the_price_that_held_in_it() -> None:
    books, hour = Books(), 3_600_000_000_000
    books.book("lamp", 0, Terms(True, 300_000, 400_000, 1_000), 1, 0)
    books.book("lamp", 3_600_000, Terms(False, 100_000, 400_000, 1_000), 2, hour)
    books.close({"lamp": 7_200_000}, 3, 2 * hour)
    assert books.energy_mj == 7_200_000
    assert books.cost_nc == 300_000 + 100_000
    assert books.reference_nc == 800_000
    assert books.revenue_nc == 1_000_000
    assert books.rows == 2


def test_flat_spreads_a_days_energy_over_the_minutes_with_a_feed() -> None:
    flat = Flat()
    flat.minute([GRID], 500 * MINUTE_S)
    flat.minute([], 0)
    flat.minute([SUN, GRID], 100 * MINUTE_S)
    flat.end_day()
    assert flat.cost == (300 * 300 + 20 * 100 + 300 * 200) * MINUTE_S
    assert (flat.offers, flat.energy_mj) == ([], 0)
