"""The ledger's file: written in batches, chained, and checked row by row."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid.adapters.ledger_chain import FIRST_HASH
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.errors import StoreError
from rackgrid.market.row import Row, Terms, Totals, coalesced
from rackgrid.market.settlement import Seen, booked, closed, opened

ON = Terms(True, 300_000, 400_000)
SECOND_NS = 1_000_000_000
KERNEL = "11111111-2222-3333-4444-555555555555"


def rows(load: str, count: int, before: Row | None = None) -> list[Row]:
    """Rows of a load that follow each other, 1 s apart; every third without a price."""
    account = opened(load, ON, 0, before)
    found: list[Row] = []
    meter_mj = before.meter_mj or 0 if before else 0
    for at in range(count):
        terms = Terms(True, None if at % 3 == 2 else 300_000 + at, 400_000)
        meter_mj += 1000 + at
        account = replace(account, terms=terms)
        account, _ = booked(account, Seen(meter_mj), terms, 4, at, (at + 1) * SECOND_NS)
        account, row = closed(account)
        assert row is not None
        found.append(row)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_rows_are_read_as_they_were_written(path: Path) -> None:
    store, written = open_ledger(path), rows("fan", 5) + rows("lämp", 3)
    store.append(written, KERNEL, None)
    assert [entry.row for entry in store.entries()] == written
    assert {entry.kernel for entry in store.entries()} == {KERNEL}
    assert store.verify() == []
    store.close()


def test_rows_and_sums_outlive_the_process(path: Path) -> None:
    store, written = open_ledger(path), rows("fan", 7)
    store.append(written, KERNEL, None)
    store.close()
    again = open_ledger(path)
    assert again.last_rows() == {"fan": written[-1]}
    totals = Totals()
    for row in written:
        totals = totals.plus(row)
    assert again.totals() == {"fan": totals}
    again.append(rows("fan", 4, written[-1]), KERNEL, None)
    assert again.verify() == []
    again.close()


def test_reader_sees_what_a_writer_has_written_so_far(path: Path) -> None:
    writer = open_ledger(path)
    writer.append(rows("fan", 2), KERNEL, None)
    reader = LedgerStore(path, writable=False)
    assert len(list(reader.entries())) == 2
    with pytest.raises(StoreError, match="readonly"):
        reader.append(rows("fan", 1), KERNEL, None)
    reader.close()
    writer.close()


def test_rows_are_dated_once_somebody_vouches_for_the_clock(path: Path) -> None:
    store, written = open_ledger(path), rows("fan", 3)
    store.append(written, KERNEL, None)
    assert [entry.start_wall_ns for entry in store.entries()] == [None] * len(written)
    store.append([], KERNEL, 1_000 * SECOND_NS)
    starts = [entry.start_wall_ns for entry in store.entries()]
    assert starts == [1_000 * SECOND_NS + row.start_ns for row in written]
    since = [e.row for e in store.entries(since_ns=1_002 * SECOND_NS)]
    assert since == [row for row in written if row.start_ns >= 2 * SECOND_NS]
    until = [e.row for e in store.entries(until_ns=1_002 * SECOND_NS)]
    assert since + until == written[len(until) :] + written[: len(until)]
    store.close()


def test_row_that_was_changed_behind_its_back_is_found_twice(path: Path) -> None:
    store = open_ledger(path)
    store.append(rows("fan", 4), KERNEL, None)
    store.close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE entry SET cost_nc = cost_nc - 1 WHERE id = 2")
    file.close()
    findings = LedgerStore(path, writable=False).verify()
    assert findings[0] == "row 2, of fan: the cost is not energy times price"
    assert findings[-1].startswith("batch 1 is not what was written")


@pytest.mark.parametrize("table", ["entry", "batch"])
def test_batch_that_was_taken_out_is_missed(path: Path, table: str) -> None:
    store, written = open_ledger(path), rows("fan", 2)
    for _ in range(3):
        store.append(written, KERNEL, None)
        written = rows("fan", 2, written[-1])
    store.close()
    with sqlite3.connect(path) as file:
        key = "batch" if table == "entry" else "id"
        file.execute(f"DELETE FROM {table} WHERE {key} = 2")
    file.close()
    assert any("batch" in finding for finding in LedgerStore(path, writable=False).verify())


def test_last_hash_tells_whether_the_end_was_cut_off(path: Path) -> None:
    store = open_ledger(path)
    assert store.last_hash() == FIRST_HASH
    store.append(rows("fan", 2), KERNEL, None)
    first = store.last_hash()
    store.append(rows("lamp", 2), KERNEL, None)
    assert len({FIRST_HASH, first, store.last_hash()}) == 3
    store.close()


def test_file_of_a_newer_version_is_left_alone_and_said(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(StoreError, match="newer rackgrid"):
        open_ledger(path)
    assert path.exists()


def test_sums_of_the_file_are_those_of_its_rows(path: Path) -> None:
    """Fails if a sum in SQL is not what `Totals` makes of the same rows, mixed ones included."""
    task = opened("task", Terms(True, 300_000, None, 90_000), 0)
    told = rows("fan", 9)
    told = [*coalesced(told[:6]), *told[6:]]
    for at in range(4):
        terms = Terms(at % 2 == 0, 100_000 if at else None, 50_000 if at > 1 else None, 90_000)
        task = replace(task, terms=terms)
        task, _ = booked(task, Seen(at * 70_000), terms, 1, at, (at + 1) * 7 * SECOND_NS)
        task, row = closed(task)
        assert row is not None
        told.append(row)
    assert any(row.mixed for row in told)
    store = open_ledger(path)
    store.append(told, KERNEL, None)
    assert [entry.row for entry in store.entries()] == told
    assert store.verify() == []
    sums: dict[str, Totals] = {}
    for row in told:
        sums[row.load] = sums.get(row.load, Totals()).plus(row)
    assert store.totals() == sums
    assert sums["task"].revenue_nc > 0 > sums["task"].saving_nc
    store.close()


def test_end_of_the_chain_is_checked_alone(path: Path) -> None:
    """Fails if a start checks less than it says, or objects to what an older row explains."""
    store, written = open_ledger(path), rows("lamp", 3)
    store.append(written, KERNEL, None)
    written = rows("fan", 4)
    for _ in range(5):
        store.append(written, KERNEL, None)
        written = rows("fan", 4, written[-1])
    store.append(rows("lamp", 2, rows("lamp", 3)[-1]), KERNEL, None)
    assert [store.verify_end(count) for count in (0, 1, 5, 9, 100)] == [[]] * 5
    store.close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE entry SET term = term + 1 WHERE batch = 4")
    file.close()
    store = LedgerStore(path, writable=False)
    assert store.verify_end(5) == []
    assert "batch 4 is not what was written" in store.verify_end(12)[0]
    store.close()


def test_ledger_that_is_not_there_is_not_made_by_a_reader(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no ledger"):
        LedgerStore(path, writable=False)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="is no ledger"):
        LedgerStore(path, writable=False)
