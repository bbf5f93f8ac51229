"""Batteries: never both, never at a loss, never more than there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.battery import (
    NO_TRADE,
    Battery,
    purchase_uc,
    sale_uc,
    stored_after,
    traded,
)
from rackgrid.market.tariff import Interval

ROUND_NS = 60_000_000_000
KWH = 3_600_000_000


def battery(
    efficiency: int = 900, wear: int = 20_000, prices: tuple[int, int] = (100_000, 400_000)
) -> Battery:
    return Battery(KWH // 10, KWH, 60_000, 80_000, efficiency, wear, prices)


batteries = st.builds(
    battery,
    st.integers(500, 1000),
    st.integers(0, 50_000),
    st.tuples(st.integers(-100_000, 300_000), st.integers(0, 900_000)).map(
        lambda pair: (min(pair), max(pair))
    ),
)
contents = st.integers(0, KWH + KWH // 5)


@given(batteries, contents)
def test_battery_buys_below_what_it_sells_for_after_losses_and_wear(
    each: Battery, stored: int
) -> None:
    trade = traded(each, stored, ROUND_NS)
    if trade == NO_TRADE:
        return
    assert trade.buys_uc < trade.sells_uc
    kept = (trade.sells_uc - each.wear_uc) * each.efficiency_permille
    assert trade.buys_uc * 1000 <= kept


@given(st.integers(-500_000, 500_000), st.integers(500, 1000), st.integers(0, 50_000))
def test_battery_that_sells_what_it_bought_at_its_own_prices_gains(
    price: int, efficiency: int, wear: int
) -> None:
    each = battery(efficiency, wear)
    sold = sale_uc(each, price)
    assert (sold - wear) * efficiency >= price * 1000
    assert purchase_uc(each, sold) >= min(price, sold - 1)


@given(batteries, contents, contents)
def test_battery_sells_dearer_the_less_it_has(each: Battery, one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert traded(each, less, ROUND_NS).sells_uc >= traded(each, more, ROUND_NS).sells_uc


@given(batteries, st.integers(KWH // 10, KWH), st.integers(1, 3_600))
def test_battery_that_keeps_its_word_stays_within_its_bounds(
    each: Battery, stored: int, seconds: int
) -> None:
    trade = traded(each, stored, seconds * 10**9)
    assert 0 <= trade.buys_mw <= each.buys_mw
    assert 0 <= trade.sells_mw <= each.sells_mw
    assert stored_after(each, stored, trade.buys_mw * seconds, 0) <= each.high_mj
    assert stored_after(each, stored, 0, trade.sells_mw * seconds) >= each.low_mj


def test_battery_sells_at_the_top_of_the_range_when_empty_and_near_the_bottom_when_full() -> None:
    each = battery()
    assert traded(each, each.low_mj, ROUND_NS).sells_uc == 400_000
    assert traded(each, each.low_mj, ROUND_NS).sells_mw == 0
    assert traded(each, each.high_mj, ROUND_NS).sells_uc == sale_uc(each, 100_000)
    assert traded(each, each.high_mj, ROUND_NS).buys_mw == 0


def test_battery_takes_the_range_of_what_is_known_ahead() -> None:
    known = (Interval(0, 1, 50_000), Interval(1, 2, 900_000))
    assert traded(battery(), KWH // 10, ROUND_NS, known).sells_uc == 900_000


def test_battery_does_nothing_where_losses_eat_the_range() -> None:
    assert traded(battery(prices=(300_000, 310_000)), KWH // 2, ROUND_NS) == NO_TRADE
