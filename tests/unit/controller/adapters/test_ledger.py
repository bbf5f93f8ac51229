"""The thread that writes the ledger: nothing waits for it, and little is lost with it."""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic, monotonic_ns

import pytest
from tests.unit.controller.adapters.test_ledger_store import KERNEL, SECOND_NS, rows

from rackgrid.adapters import ledger as ledgers
from rackgrid.adapters.ledger import Ledger
from rackgrid.adapters.ledger_fold import DAY_NS
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.errors import StoreError
from rackgrid.market.row import Totals


def made(folder: Path, wait_s: float = 60.0) -> Ledger:
    return Ledger(folder / "ledger.db", KERNEL, lambda: 5, wait_s)


def eventually(is_so: Callable[[], bool]) -> bool:
    """Wait for another thread, as long as a test may last."""
    give_up, pause = monotonic() + 60, threading.Event()
    while not is_so() and monotonic() < give_up:
        pause.wait(0.005)
    return is_so()


def read(folder: Path) -> list[object]:
    store = LedgerStore(folder / "ledger.db", writable=False)
    found: list[object] = [(entry.row, entry.wall_ns) for entry in store.entries()]
    store.close()
    return found


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    ledger, told = made(tmp_path), rows("fan", 4)
    for row in told:
        ledger.add(row)
    assert ledger.waiting == len(told)
    ledger.close()
    assert read(tmp_path) == [(row, 5) for row in told]
    again = made(tmp_path)
    assert again.last_rows == {"fan": told[-1]}
    assert again.totals["fan"].energy_mj == told[-1].counter_mj
    again.close()


def test_what_is_written_is_synced_so_that_no_power_cut_takes_it(tmp_path: Path) -> None:
    """Fails if the kernel may keep for half a minute more what is said to be written: 2 is FULL."""
    ledger = made(tmp_path)
    assert ledger._store._file.execute("PRAGMA synchronous").fetchone() == (2,)
    ledger.close()


def test_row_of_another_kernel_boot_says_zero_to_the_meters_of_this_one(tmp_path: Path) -> None:
    ledger, told = made(tmp_path), rows("fan", 4)
    assert told[-1].meter_mj
    for row in told:
        ledger.add(row)
    ledger.close()
    rebooted = Ledger(tmp_path / "ledger.db", "another kernel", lambda: 5)
    assert rebooted.last_rows == {"fan": replace(told[-1], meter_mj=0)}
    assert rebooted.totals["fan"].energy_mj == told[-1].counter_mj
    rebooted.close()


def test_what_waits_is_written_by_the_clock_and_when_it_is_urgent(tmp_path: Path) -> None:
    often = made(tmp_path, wait_s=0.01)
    often.add(rows("fan", 1)[0])
    assert eventually(lambda: often.waiting == 0)
    often.close()
    seldom = made(tmp_path)
    seldom.add(rows("lamp", 1)[0])
    seldom.hasten()
    assert eventually(lambda: seldom.waiting == 0)
    seldom.close()
    assert len(read(tmp_path)) == 2


def test_disk_that_takes_nothing_is_said_once_and_rows_wait_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    is_full, asked = [True], [0]
    append = LedgerStore.append

    def full(*args: object) -> None:
        asked[0] += 1
        if is_full[0]:
            raise StoreError(errno.ENOSPC, "No space left on device")
        append(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(LedgerStore, "append", full)
    ledger, told = made(tmp_path, wait_s=0.005), rows("fan", 6)
    for row in told[:3]:
        ledger.add(row)
    assert eventually(lambda: asked[0] > 3)
    for row in told[3:]:
        ledger.add(row)
    is_full[0] = False
    assert eventually(lambda: ledger.waiting == 0)
    ledger.close()
    assert [row for row, _ in read(tmp_path)] == told  # type: ignore[misc]
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "No space left" in line]) == 1
    assert any("written again; 0 rows were coalesced" in line for line in said)


@pytest.mark.parametrize("look", ["head", "open_rows"])
def test_card_that_cannot_be_read_once_is_said_and_asked_again(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    look: str,
) -> None:
    """Fails if one look that failed ends the thread: nothing would be written any more, unsaid."""
    ledger, told = made(tmp_path, wait_s=0.005), rows("fan", 6)
    failed = threading.Event()
    asked = getattr(LedgerStore, look)

    def fails(store: LedgerStore) -> object:
        if threading.current_thread().name == "ledger" and not failed.is_set():
            failed.set()
            raise sqlite3.OperationalError("disk I/O error")
        return asked(store)

    monkeypatch.setattr(LedgerStore, look, fails)
    for row in told:
        ledger.add(row)
    assert failed.wait(60)
    assert eventually(lambda: ledger.waiting == 0)
    ledger.close()
    assert [row for row, _ in read(tmp_path)] == told  # type: ignore[misc]
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if f"cannot read the ledger {tmp_path}" in line]


def test_memory_is_bounded_and_what_is_coalesced_keeps_its_energy_and_money(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if anything but the resolution is lost of rows for which there is no room."""
    monkeypatch.setattr(ledgers, "WAITING_MAX", 8)
    ledger, told = made(tmp_path), rows("fan", 60)
    for row in told:
        ledger.add(row)
        assert ledger.waiting <= 8
    assert ledger.coalesced == len(told) - ledger.waiting
    ledger.close()
    sums = Totals()
    for row in told:
        sums = sums.plus(row)
    store = LedgerStore(tmp_path / "ledger.db", writable=False)
    assert store.verify() == []
    assert store.totals() == {"fan": sums}
    assert [entry.row for entry in store.entries()][-4:] == told[-4:], "the newest stay as they are"
    store.close()


def test_file_that_may_not_grow_keeps_rows_waiting_and_none_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself says that it is full: there is no room for another page."""
    monkeypatch.setattr(ledgers, "WAITING_MAX", 400)
    caplog.set_level(logging.INFO)
    ledger, told = made(tmp_path, wait_s=0.005), rows("fan", 3000)
    file = ledger._store._file
    pages = int(file.execute("PRAGMA page_count").fetchone()[0])
    file.execute(f"PRAGMA max_page_count = {pages + 2}")
    for row in told:
        ledger.add(row)
    assert eventually(lambda: "is full" in caplog.text)
    assert 0 < ledger.waiting <= 400
    file.execute("PRAGMA max_page_count = 1000000")
    assert eventually(lambda: ledger.waiting == 0)
    ledger.close()
    assert len([record for record in caplog.records if "is full" in record.getMessage()]) == 1
    assert "is written again" in caplog.text
    store = LedgerStore(tmp_path / "ledger.db", writable=False)
    assert store.verify() == []
    assert store.totals()["fan"].energy_mj == told[-1].counter_mj
    store.close()


def test_rows_that_are_being_written_are_not_coalesced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a row can be written, and then once more as part of another."""
    monkeypatch.setattr(ledgers, "WAITING_MAX", 4)
    told, append = rows("fan", 20), LedgerStore.append

    def meanwhile(store: LedgerStore, batch: list[object], *rest: object) -> None:
        append(store, batch, *rest)  # type: ignore[arg-type]
        if batch and batch[0] is told[0]:
            for row in told[3:]:
                ledger.add(row)

    monkeypatch.setattr(LedgerStore, "append", meanwhile)
    ledger = made(tmp_path)
    for row in told[:3]:
        ledger.add(row)
    ledger.hasten()
    assert eventually(lambda: ledger.coalesced > 0 and not ledger._writing)
    ledger.close()
    store = LedgerStore(tmp_path / "ledger.db", writable=False)
    assert store.verify() == []
    assert [entry.row for entry in store.entries()][:3] == told[:3]
    assert store.totals()["fan"].energy_mj == told[-1].counter_mj
    store.close()


def test_rows_that_are_older_than_is_wished_are_summed_up_by_the_day(tmp_path: Path) -> None:
    day = DAY_NS // SECOND_NS
    told = rows("fan", 12)
    store = open_ledger(tmp_path / "ledger.db")
    store.append(told[:9], "another boot", 0)
    store.close()
    now_days = 5 * day
    offset_ns = now_days * SECOND_NS - monotonic_ns()
    ledger = Ledger(tmp_path / "ledger.db", KERNEL, lambda: offset_ns, 0.005, keep_days=4)
    for row in told[9:]:
        ledger.add(row)
    reader = LedgerStore(tmp_path / "ledger.db", writable=False)
    assert eventually(lambda: len(list(reader.entries())) == 1 + 3)
    ledger.close()
    assert reader.verify() == []
    assert reader.totals()["fan"].energy_mj == told[-1].counter_mj
    reader.close()


def test_rows_that_come_while_it_writes_its_last_batch_are_written_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a daemon that ends while the disk is busy loses what it booked meanwhile."""
    told, append = rows("fan", 4), LedgerStore.append
    is_writing, may_go_on = threading.Event(), threading.Event()

    def slow(store: LedgerStore, batch: list[object], *rest: object) -> None:
        is_writing.set()
        assert may_go_on.wait(60)
        append(store, batch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(LedgerStore, "append", slow)
    ledger = made(tmp_path)
    ledger.add(told[0])
    ledger.hasten()
    assert is_writing.wait(60)
    for row in told[1:]:
        ledger.add(row)
    ending = threading.Thread(target=ledger.close)
    ending.start()
    assert eventually(lambda: ledger._ending)
    may_go_on.set()
    ending.join(60)
    assert [row for row, _ in read(tmp_path)] == told  # type: ignore[misc]


def test_rows_that_come_while_it_writes_are_written_with_the_next_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a row can be taken for written because another like it was."""
    told, append = rows("fan", 5), LedgerStore.append

    def meanwhile(store: LedgerStore, batch: list[object], *rest: object) -> None:
        append(store, batch, *rest)  # type: ignore[arg-type]
        if len(batch) == 2:
            ledger.add(told[2])

    monkeypatch.setattr(LedgerStore, "append", meanwhile)
    ledger = made(tmp_path)
    for row in told[:2]:
        ledger.add(row)
    ledger.hasten()
    assert eventually(lambda: ledger.waiting == 1)
    ledger.close()
    assert [row for row, _ in read(tmp_path)] == told[:3]  # type: ignore[misc]
