"""Old rows are summed up by the day; their sums, their chain and what follows them stay."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.controller.adapters.test_ledger_store import KERNEL

from rackgrid.adapters import ledger_fold
from rackgrid.adapters.ledger_fold import DAY_NS
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.errors import StoreError
from rackgrid.market.row import Row, Terms
from rackgrid.market.settlement import Account, Seen, booked, opened

HOUR_NS = DAY_NS // 24
BOOT_NS = 20_000 * DAY_NS
"""When the machine was started: midnight, Unix time."""


class Books:
    """A node that books an hour a row, of two loads, at a price that changes with every one."""

    def __init__(self, path: Path) -> None:
        self.store = open_ledger(path)
        self.accounts: dict[str, Account] = {
            name: opened(name, Terms(True, 1, 2, 3), 0) for name in ("fan", "lamp")
        }
        self.hour = 0

    def book(self, hours: int, kernel: str = KERNEL, boot_ns: int | None = BOOT_NS) -> None:
        """Let hours pass; a batch each."""
        for _ in range(hours):
            self.hour += 1
            rows: list[Row] = []
            for factor, (name, account) in enumerate(self.accounts.items(), start=7):
                terms = Terms(True, 300_000 + self.hour, 400_000, 77 if name == "fan" else None)
                account = replace(account, terms=terms)
                seen = Seen(self.hour * factor * 1_234_567, doubt_mw=5)
                account, row = booked(account, seen, terms, 1, 1, self.hour * HOUR_NS)
                assert row is not None, "an hour is longer than a row may be"
                self.accounts[name] = account
                rows.append(row)
            self.store.append(rows, kernel, boot_ns)

    def fold(self, days: int) -> int:
        """Sum up all that ended before so many days were over."""
        total = 0
        while count := self.store.fold(BOOT_NS + days * DAY_NS):
            total += count
        return total


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_days_become_one_row_a_load_and_newer_rows_stay(path: Path) -> None:
    books = Books(path)
    books.book(24 * 4)
    fine = [entry.row for entry in books.store.entries()]
    totals, last_rows = books.store.totals(), books.store.last_rows()
    assert books.fold(2) == 2 * 2 * 24
    rows = [entry.row for entry in books.store.entries()]
    assert rows[4:] == fine[2 * 2 * 24 :]
    assert [(row.load, row.end_ns // HOUR_NS) for row in rows[:4]] == [
        ("fan", 24),
        ("lamp", 24),
        ("fan", 48),
        ("lamp", 48),
    ]
    assert (books.store.totals(), books.store.last_rows()) == (totals, last_rows)
    assert books.store.verify() == books.store.verify_end(3) == []
    assert books.fold(2) == 0, "what is summed up already stays as it is"


def test_chain_goes_on_over_what_was_summed_up_again_and_again(path: Path) -> None:
    """Fails if verifying, or booking on, needs anything that was thrown away."""
    books = Books(path)
    for day in range(1, 8):
        books.book(24)
        assert books.fold(day - 2) == (48 if day > 2 else 0)
        assert books.store.verify() == []
        assert books.store.verify_end(5) == []
    sums = books.store.totals()
    assert {name: sum_.energy_mj for name, sum_ in sums.items()} == {
        name: account.counter_mj for name, account in books.accounts.items()
    }
    books.store.close()
    again = open_ledger(path)
    assert again.totals() == sums
    assert again.origin() is None
    again.close()


def test_all_of_a_ledger_may_be_old(path: Path) -> None:
    books = Books(path)
    books.book(24 * 3)
    totals, last_rows = books.store.totals(), books.store.last_rows()
    assert books.fold(99) == 2 * 24 * 3
    assert books.store.verify() == []
    assert books.store.totals() == totals
    counters = {name: row.counter_mj for name, row in books.store.last_rows().items()}
    assert counters == {name: row.counter_mj for name, row in last_rows.items()}
    books.book(2)
    assert books.store.verify() == []


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE entry SET cost_nc = cost_nc + 1 WHERE id = 48",
        "DELETE FROM entry WHERE id = 48",
        "UPDATE batch SET seal = x'00' WHERE seal IS NOT NULL",
        "UPDATE batch SET vouched = NULL",
        "UPDATE batch SET seal = NULL",
    ],
)
def test_sum_that_is_changed_is_found(path: Path, harm: str) -> None:
    books = Books(path)
    books.book(24 * 3)
    books.fold(1)
    books.store.close()
    with sqlite3.connect(path) as file:
        assert file.execute(harm).rowcount
    file.close()
    store = LedgerStore(path, writable=False)
    assert store.verify()
    store.close()


def test_boots_are_summed_up_apart_and_undated_ones_with_what_follows(path: Path) -> None:
    books = Books(path)
    books.book(3, "first")
    books.book(3, "undated", None)
    books.book(3, "third")
    books.book(3, "undated, too", None)
    totals = books.store.totals()
    assert books.fold(1) == 2 * 9, "the last three hours may be of today"
    kernels = [entry.kernel for entry in books.store.entries()]
    assert kernels[:6] == ["first"] * 2 + ["undated"] * 2 + ["third"] * 2
    assert len(kernels) == 6 + 6
    assert (books.store.totals(), books.store.verify()) == (totals, [])


def test_many_old_rows_are_summed_up_a_transaction_at_a_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_fold, "ROWS_MAX", 20)
    books = Books(path)
    books.book(24 * 2)
    totals = books.store.totals()
    assert books.store.fold(BOOT_NS + DAY_NS) == 20
    assert books.fold(1) == 2 * 24 - 20
    assert (books.store.totals(), books.store.verify()) == (totals, [])


def test_disk_that_is_full_leaves_everything_as_it_was(path: Path) -> None:
    books = Books(path)
    books.book(24 * 3)
    before, last_hash = list(books.store.entries()), books.store.last_hash()
    books.store._file.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot write"):
        books.fold(2)
    books.store._file.execute("PRAGMA query_only = OFF")
    assert (list(books.store.entries()), books.store.last_hash()) == (before, last_hash)


def test_chain_that_is_broken_is_not_summed_up_over_the_break(path: Path) -> None:
    books = Books(path)
    books.book(24 * 3)
    books.store._file.execute("DELETE FROM batch WHERE id = 24")
    books.store._file.commit()
    assert books.store.fold(BOOT_NS + DAY_NS) == 0
    assert len(list(books.store.entries())) == 2 * 24 * 3


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(-1, 3), st.booleans()), max_size=8))
def test_however_books_are_kept_and_summed_up_sums_and_chain_hold(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    books = Books(tmp_path_factory.mktemp("books") / "ledger.db")
    for number, (hours, days_ago, is_dated) in enumerate(steps):
        books.book(hours, f"boot {number}", BOOT_NS if is_dated else None)
        books.fold(books.hour // 24 - days_ago)
        assert books.store.verify() == []
        assert books.store.verify_end(7) == []
        sums = {name: total.energy_mj for name, total in books.store.totals().items()}
        assert sums == {name: account.counter_mj for name, account in books.accounts.items()}
        lefts = {name: row.cost_left for name, row in books.store.last_rows().items()}
        assert lefts == {name: account.cost_left for name, account in books.accounts.items()}
    books.store.close()
