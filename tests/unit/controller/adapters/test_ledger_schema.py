"""A ledger of the first format becomes one of the second, and loses nothing."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters import ledger_schema
from rackgrid.adapters.ledger_chain import FIRST_HASH
from rackgrid.adapters.ledger_columns import numbers_of
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_schema import VERSION, free_name
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.errors import StoreError
from rackgrid.market.row import Row

FIRST_FORMAT = """
CREATE TABLE load (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE boot (id INTEGER PRIMARY KEY, kernel TEXT NOT NULL UNIQUE, wall_ns INTEGER);
CREATE TABLE batch (id INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, batch INTEGER NOT NULL, load INTEGER NOT NULL, boot INTEGER NOT NULL,
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, is_on INTEGER NOT NULL,
    price_uc INTEGER, reference_uc INTEGER, term INTEGER NOT NULL, round INTEGER NOT NULL,
    energy_mj INTEGER NOT NULL, estimated_mj INTEGER NOT NULL, cost_nc INTEGER,
    reference_nc INTEGER, counter_mj INTEGER NOT NULL, meter_mj INTEGER,
    cost_left INTEGER NOT NULL, reference_left INTEGER NOT NULL
);
CREATE INDEX entry_by_load ON entry (load, id);
PRAGMA journal_mode = WAL;
PRAGMA user_version = 1;
"""
"""What the first release wrote, word for word: never to be changed with the code."""


def first_format(path: Path, batches: list[list[Row]]) -> bytes:
    """Write a file as the first release did; the hash of its last batch."""
    digest = FIRST_HASH
    with closing(sqlite3.connect(path)) as file:
        file.executescript(FIRST_FORMAT)
        file.execute("INSERT INTO boot VALUES (1, ?, 5)", (KERNEL,))
        file.execute("INSERT INTO load VALUES (1, 'fan')")
        for batch, told in enumerate(batches, start=1):
            hashed = hashlib.blake2b(digest, digest_size=32)
            for row in told:
                numbers = numbers_of(row)[:15]
                text = ",".join("" if each is None else str(each) for each in numbers)
                hashed.update(f"fan\0{KERNEL}\0{text}\n".encode())
                marks = ", ?" * len(numbers)
                file.execute(f"INSERT INTO entry VALUES (NULL, ?, 1, 1{marks})", (batch, *numbers))
            digest = hashed.digest()
            file.execute("INSERT INTO batch VALUES (?, ?)", (batch, digest))
        file.commit()
    return digest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def told() -> list[Row]:
    return rows("fan", 9)


def test_file_of_the_first_format_is_migrated_and_goes_on(path: Path, told: list[Row]) -> None:
    last_hash = first_format(path, [told[:4], told[4:]])
    store = open_ledger(path)
    assert store.last_hash() == last_hash
    assert [entry.row for entry in store.entries()] == told
    assert store.last_rows() == {"fan": told[-1]}
    store.append(rows("fan", 3, told[-1]), KERNEL, None)
    assert store.verify() == []
    store.close()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (VERSION,)


SECOND_FORMAT = """
ALTER TABLE entry ADD COLUMN revenue_uc INTEGER;
ALTER TABLE entry ADD COLUMN revenue_nc INTEGER;
ALTER TABLE entry ADD COLUMN revenue_left INTEGER;
ALTER TABLE entry ADD COLUMN doubt_mj INTEGER;
ALTER TABLE entry ADD COLUMN mixed_priced_mj INTEGER;
ALTER TABLE entry ADD COLUMN mixed_reference_nc INTEGER;
ALTER TABLE entry ADD COLUMN mixed_saving_nc INTEGER;
ALTER TABLE entry ADD COLUMN mixed_profit_nc INTEGER;
ALTER TABLE batch ADD COLUMN vouched BLOB;
ALTER TABLE batch ADD COLUMN seal BLOB;
DROP INDEX entry_by_load;
CREATE TABLE origin (aside TEXT NOT NULL, damage TEXT NOT NULL, hash BLOB);
PRAGMA user_version = 2;
"""
"""What made the second format of the first, word for word: never to be changed with the code."""


def test_file_of_the_second_format_is_migrated_and_its_batches_stay_unsigned(
    path: Path, told: list[Row]
) -> None:
    last_hash = first_format(path, [told[:4], told[4:]])
    with closing(sqlite3.connect(path)) as file:
        file.executescript(SECOND_FORMAT)
    before = path.read_bytes()
    reader = LedgerStore(path, writable=False)
    assert (reader.verify(), reader.origin(), reader.signed()) == ([], None, None)
    assert [entry.row for entry in reader.entries()] == told
    reader.close()
    assert path.read_bytes() == before
    store = open_ledger(path)
    assert (store.last_hash(), store.signed()) == (last_hash, None)
    store.append(rows("fan", 3, told[-1]), KERNEL, None, lambda _: b"signature")
    signed = store.signed()
    assert signed is not None
    assert (signed.id, signed.signature) == (3, b"signature")
    assert store.verify() == []
    store.close()
    assert len(list(path.parent.glob("ledger.db.v2-*"))) == 1


THIRD_FORMAT = """
ALTER TABLE batch ADD COLUMN signature BLOB;
CREATE TABLE owner (public_key BLOB NOT NULL);
CREATE TABLE mend (batch INTEGER NOT NULL, keeper TEXT NOT NULL, aside TEXT NOT NULL);
PRAGMA user_version = 3;
"""
"""What made the third format of the second, word for word: never to be changed with the code."""


def third_format(path: Path, before: list[Row], told: list[Row]) -> bytes:
    """Write a file of the third format, whose second batch has all that the second one added."""
    digest = first_format(path, [before])
    numbers = [(*numbers_of(row)[:18], 5, None, None, None, None) for row in told]
    hashed = hashlib.blake2b(digest, digest_size=32)
    with closing(sqlite3.connect(path)) as file:
        file.executescript(SECOND_FORMAT + THIRD_FORMAT)
        for line in numbers:
            text = ",".join("" if each is None else str(each) for each in line)
            hashed.update(f"fan\0{KERNEL}\0{text}\n".encode())
            marks = ", ?" * len(line)
            file.execute(f"INSERT INTO entry VALUES (NULL, 2, 1, 1{marks})", line)
        values = (hashed.digest(), b"signature")
        file.execute("INSERT INTO batch (id, hash, signature) VALUES (2, ?, ?)", values)
        file.execute("INSERT INTO owner VALUES (?)", (b"k" * 32,))
        file.commit()
    return hashed.digest()


def test_file_of_the_third_format_verifies_as_before_and_goes_on(
    path: Path, told: list[Row]
) -> None:
    """Fails if what is new in a row changes the hash of one that was written without it."""
    last_hash = third_format(path, told[:4], told[4:])
    before = path.read_bytes()
    reader = LedgerStore(path, writable=False)
    assert (reader.verify(), reader.last_hash()) == ([], last_hash)
    assert {entry.row.granted_mj for entry in reader.entries()} == {None}
    assert reader.totals()["fan"].granted_mj == reader.totals()["fan"].taken_mj == 0
    reader.close()
    assert path.read_bytes() == before
    store = open_ledger(path)
    assert (store.verify(), store.last_hash()) == ([], last_hash)
    signed = store.signed()
    assert signed is not None
    assert (signed.id, signed.signature, store.public_key()) == (2, b"signature", b"k" * 32)
    granted = [replace(row, granted_mj=row.energy_mj + 9) for row in rows("fan", 3, told[-1])]
    store.append(granted, KERNEL, None, lambda _: b"new")
    assert store.verify() == []
    total = store.totals()["fan"]
    taken_mj = sum(row.energy_mj for row in granted)
    assert (total.granted_mj, total.taken_mj) == (taken_mj + 27, taken_mj)
    store.close()
    assert len(list(path.parent.glob("ledger.db.v3-*"))) == 1
    with sqlite3.connect(path) as file:
        file.execute("UPDATE entry SET granted_mj = granted_mj + 1 WHERE id = 10")
    file.close()
    reader = LedgerStore(path, writable=False)
    assert reader.verify() == ["batch 3 is not what was written, or a batch before it is missing"]
    reader.close()


def test_copy_of_what_it_was_is_laid_beside_it_once(
    path: Path, told: list[Row], caplog: pytest.LogCaptureFixture
) -> None:
    last_hash = first_format(path, [told])
    days = {datetime.now(UTC).date().isoformat()}
    open_ledger(path).close()
    days.add(datetime.now(UTC).date().isoformat())
    open_ledger(path).close()
    (copy,) = path.parent.glob("ledger.db.v1*")
    assert copy.name in {f"ledger.db.v1-{day}" for day in days}
    assert str(copy) in caplog.text
    with closing(sqlite3.connect(copy)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (1,)
        assert file.execute("SELECT hash FROM batch").fetchall() == [(last_hash,)]


def test_reader_reads_the_first_format_as_it_is(path: Path, told: list[Row]) -> None:
    last_hash = first_format(path, [told])
    before = path.read_bytes()
    reader = LedgerStore(path, writable=False)
    assert [entry.row for entry in reader.entries()] == told
    assert (reader.verify(), reader.verify_end(3), reader.origin()) == ([], [], None)
    assert reader.last_hash() == last_hash
    assert reader.totals()["fan"].energy_mj == told[-1].counter_mj
    reader.close()
    assert path.read_bytes() == before


def test_migration_that_fails_leaves_the_file_and_no_copy(
    path: Path, told: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if half of a migration can stay, or copies pile up start after start."""
    first_format(path, [told])
    steps = (*ledger_schema.STEPS[:-1], ledger_schema.STEPS[-1] + "CREATE TABLE load (id INTEGER);")
    monkeypatch.setattr(ledger_schema, "STEPS", steps)
    with pytest.raises(StoreError, match="already exists"):
        open_ledger(path)
    assert list(path.parent.glob("ledger.db.v1*")) == []
    monkeypatch.undo()
    store = open_ledger(path)
    assert [entry.row for entry in store.entries()] == told
    store.close()


def test_name_that_is_taken_gets_a_number(path: Path) -> None:
    assert free_name(path, ".bad").name == "ledger.db.bad"
    path.with_name("ledger.db.bad").touch()
    assert free_name(path, ".bad").name == "ledger.db.bad.2"
