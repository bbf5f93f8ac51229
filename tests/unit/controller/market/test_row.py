"""Rows of the ledger: what is objected to, and how two become one without losing a unit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.row import (
    MJ_UC_PER_NC,
    NS_UC_PER_NC,
    Mixed,
    Row,
    Terms,
    Totals,
    coalesced,
    follows,
    merged,
    objection,
)
from rackgrid.market.settlement import Account, Seen, booked, closed, opened

SECOND_NS = 1_000_000_000
ON = Terms(True, 300_000, 400_000)


def looks(account: Account, *counters: int, terms: Terms = ON) -> tuple[Account, list[Row]]:
    """Look once a second; the meter shows these."""
    rows: list[Row] = []
    for counter in counters:
        seen, now_ns = Seen(counter, doubt_mw=3), account.at_ns + SECOND_NS
        account, row = booked(account, seen, terms, 7, 3, now_ns)
        rows += [row] if row else []
    return account, rows


def last(account: Account) -> Row:
    row = closed(account)[1]
    assert row is not None
    return row


def history(*steps: tuple[int, Terms], load: str = "fan") -> list[Row]:
    """Rows of a load that draws so much on these terms, a second each."""
    account, rows, meter_mj = opened(load, steps[0][1], 0), list[Row](), 0
    for drawn_mj, terms in steps:
        meter_mj += drawn_mj
        account = replace(account, terms=terms)
        account, _ = booked(
            account, Seen(meter_mj, doubt_mw=3), terms, 1, 1, account.at_ns + SECOND_NS
        )
        account, row = closed(account)
        assert row is not None
        rows.append(row)
    return rows


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"energy_mj": 999}, "in no row"),
        ({"counter_mj": 1001}, "in no row"),
        ({"cost_nc": 84}, "the cost is not energy times price"),
        ({"cost_left": 1}, "the cost is not energy times price"),
        ({"cost_left": MJ_UC_PER_NC}, "the cost is not energy times price"),
        ({"reference_nc": 0}, "the reference is not energy times price"),
        ({"revenue_nc": 1}, "the revenue stands without a price"),
        ({"revenue_left": 1}, "the revenue is not time on times revenue per hour"),
        ({"revenue_left": NS_UC_PER_NC}, "the revenue is not time on"),
        ({"cost_nc": None}, "stands without a price"),
        ({"end_ns": -1}, "ends before it begins"),
        ({"estimated_mj": 1001}, "are estimated"),
    ],
)
def test_row_that_was_changed_is_objected_to(damage: dict[str, int | None], said: str) -> None:
    row = last(looks(opened("fan", ON, 0), 0, 1000)[0])
    assert objection(row, None) == ""
    assert said in objection(replace(row, **damage), None)


def test_row_that_is_missing_is_noticed_at_the_next() -> None:
    account, _ = looks(opened("fan", ON, 0), 0, 1000)
    account, first = closed(account)
    account, second = closed(looks(account, 1500)[0])
    _, third = closed(looks(account, 1700)[0])
    assert first is not None
    assert second is not None
    assert third is not None
    assert objection(third, second) == ""
    assert "+500 mJ that are in no row" in objection(third, first)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"energy_mj": 999}, "in no row"),
        ({"mixed": Mixed(2001)}, "2001 mJ of 2000 mJ had a price"),
        ({"mixed": Mixed(-1)}, "had a price"),
        ({"cost_nc": None}, "money without a cost"),
        ({"cost_left": MJ_UC_PER_NC}, "more than they can leave"),
        ({"revenue_left": -1}, "more than they can leave"),
    ],
)
def test_row_of_mixed_terms_that_was_changed_is_objected_to(
    damage: dict[str, int | Mixed | None], said: str
) -> None:
    first, second, third = history((0, ON), (1000, ON), (1000, replace(ON, price_uc=7)))
    row = merged(second, third)
    assert row.mixed is not None
    assert objection(row, first) == ""
    assert said in objection(replace(row, **damage), first)  # type: ignore[arg-type]


def test_rows_on_the_same_terms_make_one_that_is_still_energy_times_price() -> None:
    first, second = history((0, ON), (1001, ON))
    row = merged(first, second)
    assert (row.mixed, row.terms, row.start_ns, row.end_ns) == (None, ON, 0, 2 * SECOND_NS)
    assert objection(row, None) == ""
    assert row.doubt_mj == 6


def test_rows_with_a_gap_between_them_make_a_mixed_one() -> None:
    """A time in which nobody looked is no time on: the revenue would not be time times rate."""
    first, second = history((0, ON), (1001, ON))
    later = replace(second, start_ns=second.start_ns + 1, end_ns=second.end_ns + 1)
    assert merged(first, later).mixed is not None


def test_what_is_not_known_of_one_part_is_known_of_the_whole_as_far_as_it_goes() -> None:
    open_terms = Terms(False, None, None)
    first, second = history((10, open_terms), (3_600_000, ON))
    row = merged(first, replace(second, doubt_mj=None))
    assert (row.cost_nc, row.revenue_nc, row.doubt_mj) == (300_000, None, None)
    assert row.mixed == Mixed(3_600_000, 400_000, 100_000, 0)
    assert row.terms == Terms(True, None, None)


def test_only_rows_that_follow_each_other_make_one() -> None:
    first, second, third = history((0, ON), (5, ON), (7, ON))
    assert follows(second, first)
    assert not follows(third, first)
    assert not follows(replace(second, load="lamp"), first)
    with pytest.raises(AssertionError, match="follow each other"):
        merged(first, third)


def test_saving_and_profit_are_of_rows_that_have_both_sides() -> None:
    task = Terms(True, 300_000, 400_000, 3_600_000)
    (row,) = history((0, task))
    row = replace(row, energy_mj=3_600_000, cost_nc=300_000, reference_nc=400_000)
    assert row.parts == Mixed(3_600_000, 400_000, 100_000, 1_000_000 - 300_000)
    assert replace(row, reference_nc=None).parts.saving_nc == 0
    assert replace(row, revenue_nc=None).parts.profit_nc == 0
    assert replace(row, cost_nc=None).parts == Mixed()


def test_rows_of_several_loads_are_coalesced_by_twos_and_in_order() -> None:
    fan, lamp = history((0, ON), (1, ON), (2, ON)), history((0, ON), (9, ON), load="lamp")
    rows = coalesced([fan[0], lamp[0], fan[1], lamp[1], fan[2]])
    assert rows == [merged(*fan[:2]), merged(*lamp), fan[2]]
    assert coalesced([fan[0], fan[2]]) == [fan[0], fan[2]]


PRICES = st.none() | st.integers(-2_000_000, 10_000_000)
TERMS = st.builds(Terms, st.booleans(), PRICES, PRICES, PRICES)


@given(
    st.lists(st.tuples(st.integers(0, 10**9), TERMS), min_size=1, max_size=40),
    st.integers(1, 6),
)
def test_however_often_rows_are_coalesced_their_sums_and_their_successors_stay(
    steps: list[tuple[int, Terms]], times: int
) -> None:
    rows = history(*steps, (5, ON))
    *fewer, successor = rows
    for _ in range(times):
        fewer = coalesced(fewer)
    before: Row | None = None
    for row in [*fewer, successor]:
        assert objection(row, before) == ""
        before = row
    sums, fine = Totals(), Totals()
    for row in fewer:
        sums = sums.plus(row)
    for row in rows[:-1]:
        fine = fine.plus(row)
    assert sums == fine
    assert len(fewer) <= max(1, -(-len(steps) // 2))


def test_merged_row_says_what_was_granted_only_if_both_say_it() -> None:
    """Fails if energy of which nobody knows the grant is held against what was granted."""
    first, second = (
        replace(row, granted_mj=at) for at, row in enumerate(history((5, ON), (9, ON)))
    )
    assert merged(first, second).granted_mj == 1
    assert merged(replace(first, granted_mj=None), second).granted_mj is None
    assert merged(first, replace(second, granted_mj=None)).granted_mj is None
    assert Totals().plus(first).plus(second).taken_mj == second.counter_mj
    assert Totals().plus(replace(first, granted_mj=None)).taken_mj == 0


def test_grant_of_less_than_nothing_is_objected_to() -> None:
    (row,) = history((5, ON))
    assert objection(replace(row, granted_mj=0), None) == ""
    assert objection(replace(row, granted_mj=-1), None) == "-1 mJ were granted"
