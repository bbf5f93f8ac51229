"""A copy of a ledger grows by batches that follow what it has, and by nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_fold import BOOT_NS, DAY_NS, Books
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.adapters.ledger_file import Mend, Origin
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.errors import StoreError


@pytest.fixture
def original(tmp_path: Path) -> Iterator[LedgerStore]:
    store = open_ledger(tmp_path / "ledger.db")
    written = rows("fan", 3)
    for at in range(4):
        store.append(written, f"{KERNEL} {at // 2}", 5 if at else None)
        written = rows("fan", 3, written[-1])
    yield store
    store.close()


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[LedgerCopy]:
    made = LedgerCopy(tmp_path / "copy.db")
    yield made
    made.close()


def test_copy_proves_what_the_original_does(original: LedgerStore, copy: LedgerCopy) -> None:
    assert copy.take(list(original.after(0))[:2]) == ""
    assert copy.take(list(original.after(copy.head().id))) == ""
    assert copy.last_hash() == original.last_hash()
    assert list(copy.entries()) == list(original.entries())
    assert copy.verify() == []
    assert copy.totals() == original.totals()


def test_batch_that_does_not_follow_is_refused_and_nothing_with_it(
    original: LedgerStore, copy: LedgerCopy
) -> None:
    """Fails if a copy can be given a gap, a batch twice, or a row that was changed on the way."""
    told = list(original.after(0))
    assert "does not hash" in copy.take([told[0], told[2]])
    assert copy.head().id == 0, "all or none"
    assert copy.take(told[:2]) == ""
    assert "does not follow" in copy.take(told[1:])
    batch, entries = told[2]
    entry = replace(entries[0], row=replace(entries[0].row, energy_mj=7))
    assert "does not hash" in copy.take([(batch, [entry, *entries[1:]])])
    assert "does not hash" in copy.take([(batch, entries[1:])])
    assert copy.take(told[2:]) == ""
    assert copy.verify() == []


def test_sums_of_old_rows_are_copied_with_what_vouches_for_them(
    tmp_path: Path, copy: LedgerCopy
) -> None:
    books = Books(tmp_path / "ledger.db")
    books.book(24 * 4)
    books.fold(2)
    told = list(books.store.after(0))
    assert told[0][0].seal is not None
    entry = told[0][1][0]
    odd = replace(entry, row=replace(entry.row, energy_mj=entry.row.energy_mj + 1))
    assert "does not hash" in copy.take([(told[0][0], [odd, *told[0][1][1:]]), *told[1:]])
    assert copy.take(told) == ""
    assert (copy.verify(), copy.totals()) == ([], books.store.totals())


def test_copy_of_what_was_summed_up_since_goes_on(tmp_path: Path, copy: LedgerCopy) -> None:
    """Fails if a copy whose rows are still all there takes the original's sums for a fault."""
    books = Books(tmp_path / "ledger.db")
    books.book(24 * 4)
    assert copy.take(list(books.store.after(0))) == ""
    assert books.store.fold(BOOT_NS + 2 * DAY_NS)
    books.book(3)
    assert copy.take(list(books.store.after(copy.head().id))) == ""
    assert copy.last_hash() == books.store.last_hash()
    assert (copy.verify(), copy.totals()) == ([], books.store.totals())
    assert "are here already" in copy.take(
        [(replace(b, id=b.id + 999), e) for b, e in books.store.after(0)]
    )


def test_copy_knows_what_its_original_goes_on_from(tmp_path: Path, copy: LedgerCopy) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no ledger" * 100)
    store = open_ledger(path)
    store.append(rows("fan", 3), KERNEL, None)
    told = list(store.after(0))
    assert "does not hash" in copy.take(told, Origin("another", "damage", None))
    assert copy.origin() is None
    assert copy.take(told, store.origin()) == ""
    assert copy.verify() == []
    store.close()


def test_batch_that_is_open_is_not_copied(original: LedgerStore) -> None:
    more = rows("fan", 2, original.last_rows()["fan"])
    original.append(more, KERNEL, None, None)
    assert original.open_rows() == 2
    assert [batch.id for batch, _ in original.after(2)] == [3, 4]
    assert original.verify() == []
    original.append([], KERNEL, None)
    assert original.open_rows() == 0
    assert [[e.row for e in entries] for _, entries in original.after(4)] == [more]
    assert original.verify() == []


def test_numbers_that_are_none_are_an_error_and_no_harm(
    original: LedgerStore, copy: LedgerCopy
) -> None:
    batch, _ = next(original.after(0))
    copy._file.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot write"):
        copy.take(list(original.after(0)))
    with pytest.raises(StoreError, match="cannot write"):
        copy.mend(Mend(batch.id, "00", ""))
    copy._file.execute("PRAGMA query_only = OFF")
    assert copy.take(list(original.after(0))) == ""


def test_where_it_came_back_from_is_kept(copy: LedgerCopy) -> None:
    copy.mend(Mend(7, "00ff", "ledger.db.bad"))
    assert copy.mends() == [Mend(7, "00ff", "ledger.db.bad")]


def test_copy_is_written_through_to_the_disk(copy: LedgerCopy) -> None:
    """Fails if `Kept` could be said of what a power cut may still take: 2 is FULL."""
    assert copy._file.execute("PRAGMA synchronous").fetchone() == (2,)
    assert isinstance(copy._file, sqlite3.Connection)
