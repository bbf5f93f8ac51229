"""A rack balances, in energy and in money, to the last unit."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.balance import (
    EXPORT,
    FEED,
    LOSS,
    RENT,
    UNOFFERED,
    UNPAID,
    Agreement,
    Part,
    Posting,
    balanced,
    is_load,
    is_source,
    objections,
    part_of,
    source_account,
)
from rackgrid.market.row import Mixed, Row, Terms

KWH_MJ = 3_600_000_000
GRID, SUN = source_account("grid"), source_account("sun")
ROOF = source_account("roof", exports=True)


def load(name: str, energy_mj: int, price_uc: int | None = 300_000, doubt_mj: int = 0) -> Part:
    """A load that paid this price."""
    if price_uc is None:
        return Part(name, energy_mj, doubt_mj=doubt_mj)
    return Part(name, energy_mj, 0, energy_mj, energy_mj * price_uc // 3_600_000, doubt_mj)


def offer(name: str, energy_mj: int, price_uc: int, *, metered: bool = False) -> Part:
    """What a source could have given, or what its meter saw."""
    return Part(name, energy_mj, 0 if metered else energy_mj, price_uc=price_uc)


def test_loads_pay_what_sources_earn_and_the_rent() -> None:
    loads = [load("fan", KWH_MJ), load("lamp", KWH_MJ)]
    offers = [offer(GRID, 9 * KWH_MJ, 300_000), offer(SUN, KWH_MJ, 50_000)]
    balance = balanced(loads, offers, [])
    assert balance.money_nc("fan") == -300_000_000
    assert balance.money_nc(SUN) == 50_000_000
    assert balance.money_nc(GRID) == 300_000_000
    assert balance.money_nc(RENT) == 250_000_000
    assert balance.energy_mj(GRID) == balance.energy_mj(SUN) == -KWH_MJ
    assert (balance.loss_mj, balance.agreement) == (None, Agreement.UNKNOWN)
    assert objections(balance) == []


def test_what_cables_warm_is_owed_to_the_sources_and_paid_by_nobody() -> None:
    feed = [Part(FEED, KWH_MJ + KWH_MJ // 10, doubt_mj=0)]
    balance = balanced([load("fan", KWH_MJ)], [offer(GRID, 9 * KWH_MJ, 300_000)], feed)
    assert balance.loss_mj == balance.energy_mj(LOSS) == KWH_MJ // 10
    assert balance.money_nc(LOSS) == -30_000_000
    assert balance.money_nc(GRID) == 330_000_000
    assert balance.money_nc(RENT) == 0
    assert balance.agreement is Agreement.BEYOND


def test_loads_that_show_more_than_the_feed_make_a_loss_below_nought() -> None:
    feed = [Part(FEED, KWH_MJ - 360, doubt_mj=360)]
    balance = balanced([load("fan", KWH_MJ)], [offer(GRID, KWH_MJ, 300_000)], feed)
    assert (balance.loss_mj, balance.money_nc(LOSS)) == (-360, 30)
    assert balance.agreement is Agreement.WITHIN
    assert objections(balance) == []


@pytest.mark.parametrize(("doubts", "expected"), [((3, 4, 0), 5), ((3, 4, 1), 6), ((0, 0, 0), 0)])
def test_doubts_of_different_meters_add_by_their_squares_and_are_rounded_up(
    doubts: tuple[int, int, int], expected: int
) -> None:
    loads = [load("fan", 100, doubt_mj=doubts[0]), load("lamp", 100, doubt_mj=doubts[1])]
    balance = balanced(loads, [], [Part(FEED, 206, doubt_mj=doubts[2])])
    assert balance.doubt_mj == expected
    assert balance.agreement is (Agreement.WITHIN if expected >= 6 else Agreement.BEYOND)


def test_doubts_of_one_meter_add_up() -> None:
    loads = [load("fan", 100, doubt_mj=3), load("fan", 100, doubt_mj=4)]
    assert balanced(loads, [], [Part(FEED, 200, doubt_mj=0)]).doubt_mj == 7


def test_meter_without_a_stated_accuracy_leaves_the_agreement_unknown() -> None:
    loads = [replace(load("fan", 100), doubt_mj=None), load("fan", 5), load("lamp", 5)]
    balance = balanced(loads, [], [Part(FEED, 900, doubt_mj=0)])
    assert (balance.doubt_mj, balance.agreement) == (None, Agreement.UNKNOWN)


def test_metered_source_gave_what_its_meter_saw_however_dear_it_is() -> None:
    offers = [offer(GRID, 900, 100), offer(SUN, 300, 900_000, metered=True)]
    balance = balanced([load("fan", 1000)], offers, [])
    assert (balance.energy_mj(SUN), balance.energy_mj(GRID)) == (-300, -700)


def test_offer_that_changed_its_price_earns_each_for_its_part() -> None:
    offers = [offer(GRID, KWH_MJ, 100_000), offer(GRID, KWH_MJ, 200_000)]
    balance = balanced([load("fan", 2 * KWH_MJ)], offers, [])
    assert balance.money_nc(GRID) == 300_000_000


@pytest.mark.parametrize("price_uc", [80_000, -50_000])
def test_what_nobody_takes_is_sold_at_what_the_source_asks(price_uc: int) -> None:
    """Below nought the grid is paid for taking it, and the source pays."""
    offers = [offer(ROOF, 3 * KWH_MJ, price_uc, metered=True)]
    balance = balanced([load("fan", KWH_MJ, price_uc)], offers, [])
    assert (balance.energy_mj(ROOF), balance.energy_mj(EXPORT)) == (-3 * KWH_MJ, 2 * KWH_MJ)
    assert balance.money_nc(ROOF) == 3 * price_uc * 1000
    assert balance.money_nc(EXPORT) == -2 * price_uc * 1000
    assert balance.money_nc(RENT) == 0
    assert objections(balance) == []


def test_dearest_of_what_is_left_over_is_sold_first() -> None:
    low = source_account("barn", exports=True)
    offers = [offer(ROOF, KWH_MJ, 80_000, metered=True), offer(low, KWH_MJ, 30_000, metered=True)]
    balance = balanced([load("fan", KWH_MJ // 2)], offers, [])
    assert balance.money_nc(EXPORT) == -80_000_000 - 15_000_000


def test_nothing_is_sold_of_what_is_not_exported_and_none_that_was_not_metered() -> None:
    for offers in (
        [offer(SUN, 3 * KWH_MJ, 80_000, metered=True)],
        [offer(ROOF, 3 * KWH_MJ, 80_000)],
    ):
        balance = balanced([load("fan", KWH_MJ)], offers, [])
        assert balance.energy_mj(EXPORT) == balance.money_nc(EXPORT) == 0


def test_energy_that_nobody_offered_is_objected_to() -> None:
    balance = balanced([load("fan", KWH_MJ)], [offer(GRID, KWH_MJ // 4, 300_000)], [])
    assert balance.energy_mj(UNOFFERED) == KWH_MJ // 4 - KWH_MJ
    assert objections(balance) == ["750.000 Wh came from no source that offered"]


def test_energy_without_a_price_owes_the_sources_and_takes_nothing_from_the_rent() -> None:
    loads = [load("fan", KWH_MJ), load("lamp", KWH_MJ, None)]
    balance = balanced(loads, [offer(GRID, 9 * KWH_MJ, 300_000)], [])
    assert balance.money_nc(UNPAID) == -300_000_000
    assert balance.money_nc(RENT) == 0
    assert objections(balance) == []


def test_loads_that_paid_less_than_the_sources_ask_are_objected_to() -> None:
    balance = balanced([load("fan", KWH_MJ)], [offer(GRID, KWH_MJ, 310_000)], [])
    (said,) = objections(balance)
    assert said == "loads paid 0.010000000 less than the sources that served them ask"


def test_entry_out_of_balance_is_objected_to() -> None:
    balance = balanced([load("fan", 1000)], [offer(GRID, 1000, 300_000)], [])
    odd = replace(balance, postings=(*balance.postings, Posting("thief", 5, 7)))
    assert objections(odd) == [
        "its energy is out of balance by +5 mJ",
        "its money is out of balance by +7 nano-currency",
    ]


def test_accounts_are_told_apart_by_their_names() -> None:
    assert [is_load(name) for name in ("fan", "(electronics)", FEED, GRID)] == [
        *(True, True, False, False),
    ]
    assert is_source(GRID)


ROW = Row(
    *("fan", 0, 1000, Terms(True, 300_000, None), 1, 1, 7777, 77, 99_999, None, 7777, None, 0, 0),
    doubt_mj=100,
)


def test_row_inside_an_interval_is_its_part() -> None:
    assert part_of(ROW, "fan", 500, 500, 1500) == Part("fan", 7777, 77, 7777, 99_999, 100, 300_000)
    assert part_of(ROW, "fan", 500, 1500, 2500) is None
    assert part_of(ROW, "fan", 500, 0, 500) is None


def test_row_of_a_moment_is_of_the_interval_that_the_moment_is_in() -> None:
    moment = replace(ROW, end_ns=0)
    assert part_of(moment, "fan", 500, 0, 500) is None
    found = part_of(moment, "fan", 500, 500, 501)
    assert found is not None
    assert found.energy_mj == 7777


def test_cut_puts_as_much_as_the_smaller_part_in_doubt() -> None:
    small, rest = part_of(ROW, "fan", 0, -9, 100), part_of(ROW, "fan", 0, 100, 9999)
    assert small is not None
    assert rest is not None
    assert small.doubt_mj == 10 + small.energy_mj == 10 + 777
    assert rest.doubt_mj == 90 + small.energy_mj


MONEY = st.integers(-(10**12), 10**12)


@given(
    st.integers(0, 5000),
    st.integers(0, 10**12),
    st.none() | MONEY,
    st.lists(st.integers(-100, 5100), max_size=6),
    st.booleans(),
)
def test_parts_of_a_row_sum_to_the_row(
    span_ns: int, energy_mj: int, cost_nc: int | None, cuts: list[int], is_mixed: bool
) -> None:
    row = replace(
        ROW,
        end_ns=span_ns,
        energy_mj=energy_mj,
        estimated_mj=energy_mj // 3,
        cost_nc=cost_nc,
        mixed=Mixed(energy_mj // 2) if is_mixed and cost_nc is not None else None,
    )
    bounds = sorted({-200, *cuts, 6000})
    found = [
        part
        for from_ns, until_ns in pairwise(bounds)
        if (part := part_of(row, "fan", 0, from_ns, until_ns)) is not None
    ]
    assert sum(part.energy_mj for part in found) == energy_mj
    assert sum(part.estimated_mj for part in found) == row.estimated_mj
    assert sum(part.priced_mj for part in found) == row.parts.priced_mj
    assert sum(part.cost_nc for part in found) == (cost_nc or 0)
    assert all(0 <= part.priced_mj <= part.energy_mj for part in found)


ENERGY = st.integers(0, 10**11)
PRICE = st.integers(-2_000_000, 10_000_000)
LOADS = st.lists(
    st.builds(load, st.sampled_from("abcd"), ENERGY, st.none() | PRICE, st.integers(0, 10**6)),
    max_size=8,
)
OFFERS = st.lists(
    st.builds(offer, st.sampled_from([GRID, SUN, ROOF]), ENERGY, PRICE, metered=st.booleans()),
    max_size=6,
)
FEEDS = st.lists(st.builds(Part, st.just(FEED), ENERGY, doubt_mj=st.integers(0, 99)), max_size=2)


@given(LOADS, OFFERS, FEEDS)
def test_whatever_was_drawn_and_offered_every_interval_balances(
    loads: list[Part], offers: list[Part], feed: list[Part]
) -> None:
    balance = balanced(loads, offers, feed)
    assert sum(each.energy_mj for each in balance.postings) == 0
    assert sum(each.money_nc for each in balance.postings) == 0
    given_mj = -sum(each.energy_mj for each in balance.postings if is_source(each.account))
    assert given_mj <= sum(part.energy_mj for part in offers)
    pays_nc = -sum(balance.money_nc(name) for name in "abcd")
    assert pays_nc == sum(part.cost_nc for part in loads)


@given(
    st.lists(ENERGY, min_size=1, max_size=6),
    st.lists(st.tuples(ENERGY, PRICE), min_size=1, max_size=5),
)
def test_uniform_price_at_the_margin_or_above_leaves_no_rent_below_nought(
    draws: list[int], given: list[tuple[int, int]]
) -> None:
    """Fails if merit order here and in the clearing could disagree on who is paid what."""
    drawn_mj, left_mj, price_uc = sum(draws), sum(draws), min(price for _, price in given)
    for energy_mj, offered_uc in sorted(given, key=lambda each: each[1]):
        if left_mj > 0:
            price_uc = offered_uc
        left_mj -= energy_mj
    offers = [offer(source_account(str(n)), *each) for n, each in enumerate(given)]
    if left_mj > 0:
        offers.append(offer(source_account("rest"), drawn_mj, price_uc))
    loads = [load(f"load {number}", energy_mj, price_uc) for number, energy_mj in enumerate(draws)]
    balance = balanced(loads, offers, [])
    assert balance.money_nc(RENT) >= -len(balance.postings)
    assert objections(balance) == []
