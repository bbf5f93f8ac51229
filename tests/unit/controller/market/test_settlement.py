"""Bills that add up: whatever happens, rows, counters and money agree to the last unit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.row import (
    MJ_UC_PER_NC,
    NS_UC_PER_NC,
    Row,
    Terms,
    Totals,
    objection,
)
from rackgrid.market.settlement import (
    ROW_NS,
    Account,
    Granted,
    Seen,
    anchor,
    booked,
    closed,
    opened,
)

SECOND_NS = 1_000_000_000
KWH_MJ = 3_600_000_000
ON = Terms(True, 300_000, 400_000)


def looks(account: Account, *counters: int, terms: Terms = ON) -> tuple[Account, list[Row]]:
    """Look once a second; the meter shows these."""
    rows: list[Row] = []
    for counter in counters:
        seen, now_ns = Seen(counter), account.at_ns + SECOND_NS
        account, row = booked(account, seen, terms, 7, 3, now_ns)
        rows += [row] if row else []
    return account, rows


def last(account: Account) -> Row:
    row = closed(account)[1]
    assert row is not None
    return row


def test_kilowatt_hour_costs_its_price() -> None:
    account, rows = looks(opened("fan", ON, 0), 0, KWH_MJ)
    row = last(account)
    assert rows == []
    assert (row.energy_mj, row.cost_nc, row.reference_nc) == (KWH_MJ, 300_000_000, 400_000_000)
    assert (row.start_ns, row.end_ns, row.term, row.round) == (0, 2 * SECOND_NS, 7, 3)


def test_negative_price_is_a_credit_and_zero_is_a_price() -> None:
    paid, _ = looks(opened("fan", Terms(True, -1, 0), 0), 0, KWH_MJ, terms=Terms(True, -1, 0))
    row = last(paid)
    assert (row.cost_nc, row.reference_nc) == (-1000, 0)


def test_price_unknown_is_booked_without_money_and_counts_in_no_sum_of_it() -> None:
    unknown = Terms(True, None, 400_000)
    account, _ = looks(opened("fan", unknown, 0), 0, KWH_MJ, terms=unknown)
    row = last(account)
    assert (row.cost_nc, row.energy_mj) == (None, KWH_MJ)
    assert Totals().plus(row) == Totals(energy_mj=KWH_MJ)


@pytest.mark.parametrize(
    "other", [replace(ON, on=False), replace(ON, price_uc=1), replace(ON, reference_uc=None)]
)
def test_row_ends_when_the_terms_change_and_has_what_was_drawn_on_the_old_ones(
    other: Terms,
) -> None:
    account, _ = looks(opened("fan", ON, 0), 0, 500)
    account, rows = looks(account, 700, terms=other)
    assert [(row.terms, row.energy_mj) for row in rows] == [(ON, 700)]
    account, rows = looks(account, 800, terms=other)
    assert (rows, account.energy_mj, account.terms) == ([], 100, other)


def test_row_is_no_longer_than_a_quarter_of_an_hour() -> None:
    account = opened("fan", ON, 0)
    account, none = booked(account, Seen(0), ON, 1, 1, ROW_NS - 1)
    account, row = booked(account, Seen(5), ON, 1, 1, ROW_NS)
    assert none is None
    assert row is not None
    assert (row.end_ns - row.start_ns, row.energy_mj) == (ROW_NS, 5)


def test_row_that_would_say_nothing_is_none() -> None:
    account = opened("fan", ON, 5)
    assert closed(account) == (account, None)


def test_load_without_a_meter_is_estimated_by_its_nameplate_while_it_is_on() -> None:
    account = opened("lamp", ON, 0)
    account, _ = booked(account, Seen(power_mw=7), ON, 1, 1, SECOND_NS // 3)
    account, _ = booked(account, Seen(power_mw=7), replace(ON, on=False), 1, 1, SECOND_NS)
    account, _ = booked(account, Seen(power_mw=7), replace(ON, on=False), 1, 1, 9 * SECOND_NS)
    assert (account.counter_mj + account.energy_mj, account.energy_mj) == (7, 0)


def test_meter_that_is_silent_is_made_up_for_by_the_nameplate_and_counted_once() -> None:
    """Fails if the jump of its counter, when it answers again, is booked beside the estimate."""
    account, _ = looks(opened("fan", ON, 0), 0, 1000)
    for _ in range(3):
        now_ns = account.at_ns + SECOND_NS
        account, _ = booked(account, Seen(power_mw=5000), ON, 1, 1, now_ns)
    again = Seen(16_000, power_mw=5000)
    account, _ = booked(account, again, ON, 1, 1, account.at_ns + SECOND_NS)
    account, _ = booked(account, Seen(17_000), ON, 1, 1, account.at_ns + SECOND_NS)
    assert (account.energy_mj, account.estimated_mj) == (1000 + 4 * 5000 + 1000, 4 * 5000)


def test_meter_that_begins_anew_loses_nothing_that_it_counted_since() -> None:
    account, _ = looks(opened("fan", ON, 0), 1000, 1500, 40, 90)
    assert account.energy_mj == 500 + 40 + 50


def test_first_look_at_a_meter_books_nothing() -> None:
    account, _ = looks(opened("fan", ON, 0), 1_000_000)
    assert account.energy_mj == 0


def test_restart_books_what_the_meter_counted_meanwhile_without_a_price() -> None:
    row = last(looks(opened("fan", ON, 0), 0, 1000)[0])
    unknown = Terms(True, None, None)
    account = opened("fan", unknown, 0, row)
    account, rows = looks(account, 1250, 1300)
    assert [(each.terms.price_uc, each.energy_mj) for each in rows] == [(None, 250)]
    assert objection(rows[0], row) == ""
    assert account.counter_mj + account.energy_mj == 1300


def test_anchor_lets_the_next_start_go_on_before_anything_was_written() -> None:
    account, _ = looks(opened("fan", ON, 0), 700)
    row = anchor(account)
    assert (row.energy_mj, row.meter_mj, objection(row, None)) == (0, 700, "")
    _, rows = looks(opened("fan", Terms(True, None, None), 0, row), 950)
    assert [each.energy_mj for each in rows] == [250]
    assert objection(rows[0], row) == ""


def test_estimated_part_of_a_meter_is_said() -> None:
    account, _ = booked(opened("fan", ON, 0), Seen(100, 40), ON, 1, 1, 1)
    account, _ = booked(account, Seen(300, 90), ON, 1, 1, 2)
    assert (account.energy_mj, account.estimated_mj) == (200, 50)


def test_task_earns_for_the_time_that_it_is_on() -> None:
    task = replace(ON, revenue_uc=120_000)
    off = replace(task, on=False)
    account, row = booked(opened("job", task, 0), Seen(0), off, 1, 1, 1800 * SECOND_NS)
    assert row is not None
    assert row.revenue_nc == 60_000_000
    account, _ = booked(account, Seen(0), off, 1, 1, 2000 * SECOND_NS)
    assert last(account).revenue_nc == 0
    assert last(looks(opened("fan", ON, 0), 0, 5)[0]).revenue_nc is None


def test_time_that_nobody_saw_earns_nothing() -> None:
    task = replace(ON, revenue_uc=120_000)
    row = last(looks(opened("job", task, 0), 0, 1000, terms=task)[0])
    account = opened("job", replace(task, price_uc=None), 500 * SECOND_NS, row)
    account, row_after = booked(account, Seen(9000), task, 1, 1, 500 * SECOND_NS)
    assert row_after is not None
    assert (row_after.energy_mj, row_after.revenue_nc) == (8000, 0)


def test_uncertainty_of_a_meter_grows_with_the_time_and_is_rounded_up() -> None:
    account = opened("fan", ON, 0)
    account, _ = booked(account, Seen(0, doubt_mw=30), ON, 1, 1, SECOND_NS)
    account, _ = booked(account, Seen(1000, doubt_mw=30), ON, 1, 1, 2 * SECOND_NS + 1)
    assert last(account).doubt_mj == 61
    account, _ = closed(account)
    account, _ = booked(account, Seen(1000, doubt_mw=10), ON, 1, 1, 3 * SECOND_NS + 1)
    assert last(account).doubt_mj == 10


def test_all_that_is_estimated_is_in_doubt_and_so_is_what_was_drawn_while_nobody_looked() -> None:
    blind, _ = booked(opened("lamp", ON, 0), Seen(power_mw=700), ON, 1, 1, SECOND_NS)
    assert last(blind).doubt_mj == 700
    account, _ = booked(opened("fan", ON, 0), Seen(100, 40, doubt_mw=0), ON, 1, 1, 1)
    account, _ = booked(account, Seen(300, 90, doubt_mw=0), ON, 1, 1, 2)
    assert last(account).doubt_mj == 50
    account, _ = booked(account, Seen(350, 90, doubt_mw=5), ON, 1, 1, 2)
    assert last(account).doubt_mj == 50 + 50


def test_meter_that_states_no_accuracy_leaves_the_doubt_unknown_for_its_row() -> None:
    account, _ = looks(opened("fan", ON, 0), 0, 1000)
    account, row = closed(account)
    assert row is not None
    assert row.doubt_mj is None
    account, _ = booked(account, Seen(1500, doubt_mw=20), ON, 1, 1, account.at_ns + SECOND_NS)
    assert last(account).doubt_mj == 20


PRICES = st.none() | st.integers(-2_000_000, 10_000_000)
TERMS = st.builds(Terms, st.booleans(), PRICES, PRICES, PRICES)
LOOKS = st.lists(
    st.tuples(
        st.integers(0, 40) | st.integers(0, 10**9),  # what the meter counts until the next look
        st.integers(0, 3 * SECOND_NS) | st.just(ROW_NS),
        TERMS,
        st.sampled_from(["meter", "meter", "none", "restart", "reset"]),
    ),
    max_size=60,
)


@given(LOOKS)
def test_any_history_adds_up_to_the_last_unit(
    history: list[tuple[int, int, Terms, str]],
) -> None:
    """Rows are the counter, money is energy times price, and every row follows from the last."""
    account, rows, meter_mj, now_ns = opened("fan", ON, 0), list[Row](), 0, 0
    for drawn_mj, span_ns, terms, what in history:
        if what == "restart":
            account, row = closed(account)
            rows += [row] if row else []
            account = opened("fan", account.terms, now_ns, rows[-1] if rows else None)
        meter_mj = drawn_mj if what == "reset" else meter_mj + drawn_mj
        now_ns += span_ns
        seen = Seen(power_mw=9000) if what == "none" else Seen(meter_mj)
        account, row = booked(account, seen, terms, 1, 1, now_ns)
        rows += [row] if row else []
    row = closed(account)[1]
    rows += [row] if row else []
    before: Row | None = None
    for row in rows:
        assert objection(row, before) == ""
        assert before is None or row.counter_mj >= before.counter_mj
        before = row
    totals = Totals()
    for row in rows:
        totals = totals.plus(row)
    assert totals.energy_mj == (rows[-1].counter_mj if rows else 0)
    exact = sum(
        (
            Fraction(row.energy_mj * row.terms.price_uc, MJ_UC_PER_NC)
            for row in rows
            if row.terms.price_uc is not None
        ),
        Fraction(),
    )
    assert 0 <= exact - totals.cost_nc < 1, "rounded down once, however many rows there are"
    earned = sum(
        (
            Fraction((row.end_ns - row.start_ns) * row.terms.revenue_uc, NS_UC_PER_NC)
            for row in rows
            if row.terms.on and row.terms.revenue_uc is not None
        ),
        Fraction(),
    )
    assert 0 <= earned - totals.revenue_nc < 1


def test_price_of_a_load_that_is_off_and_draws_nothing_is_no_row() -> None:
    """Fails if an SD card is written to for what says nothing, or if energy loses its price."""
    off = Terms(on=False, price_uc=100, reference_uc=None)
    account = opened("fan", off, 0)
    dearer = replace(off, price_uc=200)
    account, row = booked(account, Seen(0), dearer, 1, 1, SECOND_NS)
    assert row is None
    account, row = booked(account, Seen(5), dearer, 1, 1, 2 * SECOND_NS)
    assert row is None
    assert account.energy_mj == 5
    account, row = booked(account, Seen(9), replace(off, price_uc=300), 1, 2, 3 * SECOND_NS)
    assert row is not None, "it leaks: what it drew was at a price"
    assert (row.terms.price_uc, row.energy_mj, row.start_ns) == (200, 9, 0)


def test_what_was_granted_counts_until_the_grant_ends_and_loses_nothing() -> None:
    """Fails if a grant that nobody renewed counts on, or a row's end loses what is no mJ yet."""
    account, _ = booked(opened("fan", ON, 0), Seen(0), ON, 1, 1, 0, granted=Granted(333, SECOND_NS))
    found: list[Row] = []
    for at in range(1, 11):
        now_ns = at * SECOND_NS // 4
        granted = Granted(333, min(2 * SECOND_NS, now_ns + SECOND_NS))
        account, row = booked(account, Seen(at), ON, 1, 1, now_ns, ends=True, granted=granted)
        assert row is not None
        found.append(row)
    assert sum(row.granted_mj or 0 for row in found) == 2 * 333
    assert [row.granted_mj for row in found[-2:]] == [0, 0]


def test_what_was_granted_is_unknown_where_nobody_knows_it_of_all_of_the_time() -> None:
    """Fails if the time before a start counts as time without a grant."""
    last = anchor(opened("fan", ON, 0))
    account = opened("fan", ON, SECOND_NS, replace(last, meter_mj=0))
    granted = Granted(1000, 9 * SECOND_NS)
    account, _ = booked(account, Seen(70), ON, 1, 1, SECOND_NS, granted=granted)
    account, row = booked(account, Seen(80), ON, 1, 1, 2 * SECOND_NS, ends=True, granted=granted)
    assert row is not None
    assert (row.energy_mj, row.granted_mj) == (80, None)
    account, row = booked(account, Seen(90), ON, 1, 1, 3 * SECOND_NS, ends=True)
    assert row is not None
    assert (row.energy_mj, row.granted_mj) == (10, 1000)
    account, row = booked(account, Seen(95), ON, 1, 1, 4 * SECOND_NS, ends=True)
    assert row is not None
    assert row.granted_mj is None, "it takes no grant any more"
