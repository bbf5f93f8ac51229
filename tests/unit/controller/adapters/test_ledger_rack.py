"""The ledgers of a rack against each other, its sources, and the feed's meter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rackgrid.adapters.ledger_columns import Entry
from rackgrid.adapters.ledger_rack import HOUR_NS, RackReport, examine
from rackgrid.market.balance import ELECTRONICS, FEED, source_account
from rackgrid.market.row import Row, Terms, merged
from rackgrid.market.settlement import ROW_NS, Account, Seen, booked, opened

START_NS = 1_772_366_400 * 1_000_000_000
"""A full hour, Unix time."""
ON = Terms(True, 300_000, None)


def account(
    load: str, watts: int, terms: Terms = ON, *, hours: int = 2, doubt_mw: int | None = 0
) -> Iterator[Row]:
    """Rows of a quarter of an hour each, of what draws steadily."""
    books: Account = opened(load, terms, 0)
    books, _ = booked(books, Seen(0, doubt_mw=doubt_mw), terms, 1, 1, 0)
    for quarter in range(1, hours * 4 + 1):
        counter_mj = watts * quarter * 900_000
        seen = Seen(counter_mj, doubt_mw=doubt_mw)
        books, row = booked(books, seen, terms, 1, 1, quarter * ROW_NS)
        assert row is not None
        yield row


def node(*accounts: Iterator[Row], boot_ns: int | None = START_NS) -> list[Entry]:
    return [Entry(row, "kernel", boot_ns, 1) for rows in accounts for row in rows]


def grid(price_uc: int = 300_000, watts: int = 50) -> Iterator[Row]:
    """A source without a meter, that offers so much."""
    terms = Terms(True, price_uc, None)
    for row in account(source_account("grid"), watts, terms):
        yield replace(row, estimated_mj=row.energy_mj)


def rack(feed_watts: int = 30, doubt_mw: int | None = 0, *, price_uc: int = 300_000) -> RackReport:
    """Two nodes: 10 W and 18 W, 1 W each of electronics; the first has the feed's meter."""
    first = node(
        account(ELECTRONICS, 1),
        account("fan", 10),
        account(FEED, feed_watts, doubt_mw=doubt_mw),
        grid(price_uc),
    )
    return examine({"a": first, "b": node(account(ELECTRONICS, 1), account("lamp", 18))})


def test_rack_that_adds_up_is_balanced_hour_by_hour() -> None:
    report = rack()
    assert (report.findings, report.unchecked, report.hours) == ((), (), 2)
    assert (report.drawn_mj, report.loss_mj) == (30 * 2 * 3_600_000, 0)
    assert report.paid_nc == report.earned_nc == 60 * 300_000
    assert report.rent_nc == 0


def test_energy_that_no_load_of_the_rack_has_drawn_is_found() -> None:
    """Fails if a load that nobody meters, or a meter that was bridged, can go unnoticed."""
    report = rack(feed_watts=33)
    assert len(report.findings) == 2
    assert report.findings[0] == (
        "hour 2026-03-01T12:00Z: the feed's meter and the loads' differ by +3.000 Wh, "
        "and their stated error is 0.000 Wh"
    )
    assert report.loss_mj == 3 * 2 * 3_600_000


def test_difference_within_the_stated_error_is_none() -> None:
    assert rack(feed_watts=33, doubt_mw=3000).findings == ()
    assert len(rack(feed_watts=33, doubt_mw=2999).findings) == 2


def test_meter_that_states_no_error_is_not_compared_and_that_is_said() -> None:
    report = rack(feed_watts=50, doubt_mw=None)
    assert report.findings == ()
    assert "not all meters state an accuracy" in report.unchecked[0]
    assert report.unchecked[0].startswith("in 2 of 2 hours")


def test_loads_that_paid_less_than_the_source_asks_are_found() -> None:
    report = rack(price_uc=400_000)
    assert "less than the sources that served them ask" in report.findings[0]


def test_hour_that_a_node_has_not_booked_from_end_to_end_is_left_out() -> None:
    """Fails if a node that was down looks as if energy had gone astray."""
    first = node(account(ELECTRONICS, 1, hours=3), account(FEED, 2, hours=3))
    late = node(account(ELECTRONICS, 1, hours=2), boot_ns=START_NS + HOUR_NS // 2)
    report = examine({"a": first, "b": late})
    assert (report.findings, report.hours) == ((), 1)
    assert "2 of 3 hours are not booked by all nodes" in report.unchecked[0]


def test_what_cannot_be_placed_in_an_hour_is_said() -> None:
    rows = list(account(ELECTRONICS, 1))
    mixed = merged(rows[0], replace(rows[1], terms=Terms(True, 5, None)))
    report = examine(
        {
            "a": node(iter([*rows[:4], mixed])),
            "b": node(account(ELECTRONICS, 1), boot_ns=None),
        }
    )
    assert report.hours == 0
    assert report.unchecked[:2] == (
        "8 rows are not dated: no clock was set",
        "1 rows sum up others: which hour they are of is not known",
    )


@pytest.mark.parametrize("said", ["nobody metered the feed", "nobody booked what sources offered"])
def test_rack_of_which_only_loads_are_known_is_not_taken_for_checked(said: str) -> None:
    report = examine({"a": node(account(ELECTRONICS, 1), account("fan", 9))})
    assert (report.findings, report.hours, report.loss_mj) == ((), 2, None)
    assert any(said in each for each in report.unchecked)


def test_two_nodes_that_meter_the_feed_are_one_too_many() -> None:
    one = node(account(ELECTRONICS, 1), account(FEED, 1))
    report = examine({"a": one, "b": one})
    assert "2 nodes say they meter the feed" in report.findings[0]


@pytest.mark.parametrize("price_uc", [80_000, -20_000])
def test_what_nobody_here_takes_of_an_exporting_source_is_sold(price_uc: int) -> None:
    """Fails if loads, sources, export and rent do not add up, below nought too."""
    terms = Terms(True, price_uc, None)
    roof = account(source_account("roof", exports=True), 50, terms)
    loads = (account(ELECTRONICS, 1, terms), account("fan", 29, terms), account(FEED, 30, terms))
    report = examine({"a": node(*loads, roof)})
    assert (report.findings, report.hours) == ((), 2)
    assert report.sold_mj == 2 * 20 * 3_600_000
    assert (report.paid_nc, report.sold_nc) == (60 * price_uc, 40 * price_uc)
    assert report.earned_nc == report.paid_nc + report.sold_nc
    assert report.rent_nc == 0
