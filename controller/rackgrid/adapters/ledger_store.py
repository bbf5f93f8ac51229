"""The ledger's file: rows of settlement in SQLite, in batches that are chained by their hashes.

Rows are written by batches, so that an SD card is written to once a minute and not at every change
of a price. A batch is one transaction: after a power cut it is there whole, or not at all. Its hash
covers its rows and the hash of the batch before it, so nothing can be changed, taken out or slipped
in behind the back of whoever knows the last hash.

Numbers are integers throughout, as in `settlement`. A row's time is CLOCK_MONOTONIC of a kernel
boot; the boot says what Unix time that was, once somebody vouches for the clock, and so dates the
rows that came before.

Sources: sqlite.org/wal.html (readers beside a writer; `synchronous=NORMAL` keeps the file whole
through a power cut, and may lose the last batches); BLAKE2: RFC 7693.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rackgrid.errors import StoreError
from rackgrid.market.settlement import Row, Terms, Totals, objection

VERSION: Final = 1
FIRST_HASH: Final = bytes(32)
"""What the first batch is chained to."""
FINDINGS_MAX: Final = 100

_SCHEMA: Final = """
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
"""
_COLUMNS: Final = (
    "load.name, entry.start_ns, entry.end_ns, is_on, price_uc, reference_uc, term, round,"
    " energy_mj, estimated_mj, cost_nc, reference_nc, counter_mj, meter_mj, cost_left,"
    " reference_left, boot.kernel, boot.wall_ns, entry.batch"
)
_TABLES: Final = "entry JOIN load ON load.id = entry.load JOIN boot ON boot.id = entry.boot"

_log = logging.getLogger("rackgrid.ledger")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as the file has it.

    Attributes:
        kernel: boot id of the kernel whose monotonic clock the row's times are of.
        wall_ns: what Unix time it was when that clock was at zero, ns; None if nobody has said yet.
        batch: that it was written in.
    """

    row: Row
    kernel: str
    wall_ns: int | None
    batch: int

    @property
    def start_wall_ns(self) -> int | None:
        """When the row began, Unix time in ns."""
        return None if self.wall_ns is None else self.wall_ns + self.row.start_ns


class LedgerStore:
    """The file, opened for writing by the daemon or for reading by anybody. One thread uses it.

    Args:
        path: of the file.
        writable: opens it for writing, and makes it if it is not there.

    Raises:
        StoreError: it cannot be opened, or is of a newer version of rackgrid.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        if not writable and not path.is_file():
            raise StoreError(f"there is no ledger at {path}: has the daemon run on this node?")
        mode = "rwc" if writable else "ro"
        try:
            # Handed from the thread that opened it to the one that writes.
            self._file = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", uri=True, check_same_thread=False
            )
            self._prepare(writable=writable)
        except sqlite3.Error as fault:
            raise StoreError(f"cannot open the ledger {path}: {fault}") from fault

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    # --- writing ---------------------------------------------------------------------------------

    def append(self, rows: Sequence[Row], kernel: str, wall_ns: int | None) -> None:
        """Write a batch.

        Args:
            rows: in the order in which they ended.
            kernel: boot id of the kernel whose monotonic clock their times are of.
            wall_ns: what Unix time it was when that clock was at zero, or None.

        Raises:
            StoreError: it could not be written; nothing of it is in the file.
        """
        try:
            with self._file:
                boot = self._boot(kernel, wall_ns)
                if rows:
                    self._write(rows, boot, kernel)
        except sqlite3.Error as fault:
            raise StoreError(f"cannot write to the ledger {self.path}: {fault}") from fault

    def _write(self, rows: Sequence[Row], boot: int, kernel: str) -> None:
        digest = chained(self.last_hash(), ((row, kernel) for row in rows))
        cursor = self._file.execute("INSERT INTO batch (hash) VALUES (?)", (digest,))
        loads = {row.load: self._load(row.load) for row in rows}
        self._file.executemany(
            f"INSERT INTO entry VALUES (NULL{', ?' * 18})",  # noqa: S608  # only marks
            [(cursor.lastrowid, loads[row.load], boot, *_numbers(row)) for row in rows],
        )

    def _boot(self, kernel: str, wall_ns: int | None) -> int:
        self._file.execute("INSERT OR IGNORE INTO boot (kernel) VALUES (?)", (kernel,))
        if wall_ns is not None:
            self._file.execute("UPDATE boot SET wall_ns = ? WHERE kernel = ?", (wall_ns, kernel))
        return int(self._one("SELECT id FROM boot WHERE kernel = ?", kernel)[0])

    def _load(self, name: str) -> int:
        self._file.execute("INSERT OR IGNORE INTO load (name) VALUES (?)", (name,))
        return int(self._one("SELECT id FROM load WHERE name = ?", name)[0])

    # --- reading ---------------------------------------------------------------------------------

    def last_hash(self) -> bytes:
        """Give the hash of the newest batch: who keeps it can tell whether anything was changed."""
        found = self._file.execute("SELECT hash FROM batch ORDER BY id DESC LIMIT 1").fetchone()
        return bytes(found[0]) if found else FIRST_HASH

    def last_rows(self) -> dict[str, Row]:
        """Give each load's newest row."""
        newest = "entry.id IN (SELECT max(id) FROM entry GROUP BY load)"
        return {entry.row.load: entry.row for entry in self._entries(f"WHERE {newest}")}

    def totals(self) -> dict[str, Totals]:
        """Sum up each load's rows."""
        sums = (
            "SELECT load.name, sum(energy_mj), sum(estimated_mj),"
            " sum(CASE WHEN cost_nc IS NULL THEN 0 ELSE energy_mj END), sum(coalesce(cost_nc, 0)),"
            " sum(CASE WHEN cost_nc IS NULL THEN 0 ELSE coalesce(reference_nc, 0) END)"
            " FROM entry JOIN load ON load.id = entry.load GROUP BY load.id"
        )
        return {name: Totals(*numbers) for name, *numbers in self._file.execute(sums)}

    def entries(self, since_ns: int | None = None, until_ns: int | None = None) -> Iterator[Entry]:
        """Go through the rows, the oldest first.

        Args:
            since_ns, until_ns: Unix time, ns: rows that began then or later, and before then. Rows
                that nobody could date yet are left out if either is given.
        """
        wanted, values = list[str](), list[int]()
        for mark, moment in ((">=", since_ns), ("<", until_ns)):
            if moment is not None:
                wanted.append(f"boot.wall_ns + entry.start_ns {mark} ?")
                values.append(moment)
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        return self._entries(f"{where} ORDER BY entry.id", *values)

    def verify(self) -> list[str]:
        """Check the chain of the batches, and the arithmetic of every row after its predecessor.

        Returns:
            What is wrong, at most `FINDINGS_MAX` sentences; empty if all is right.
        """
        findings: list[str] = []
        before: dict[str, Row] = {}
        rows: dict[int, list[tuple[Row, str]]] = {}
        for place, entry in enumerate(self._entries("ORDER BY entry.id"), start=1):
            row = entry.row
            if wrong := objection(row, before.get(row.load)):
                findings.append(f"row {place}, of {row.load}: {wrong}")
            before[row.load] = row
            rows.setdefault(entry.batch, []).append((row, entry.kernel))
            if len(findings) >= FINDINGS_MAX:
                return findings
        return [*findings, *self._broken_links(rows)][:FINDINGS_MAX]

    def damage(self) -> str:
        """Say what SQLite finds wrong with the file; "" if nothing."""
        try:
            found = str(self._file.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as fault:
            return str(fault)
        return "" if found == "ok" else found

    def _broken_links(self, rows: dict[int, list[tuple[Row, str]]]) -> Iterator[str]:
        digest = FIRST_HASH
        for batch, written in self._file.execute("SELECT id, hash FROM batch ORDER BY id"):
            digest = chained(digest, rows.pop(batch, []))
            if digest != written:
                yield f"batch {batch} is not what was written, or a batch before it is missing"
                digest = bytes(written)
        for batch in rows:
            yield f"batch {batch} has rows and no hash"

    def _entries(self, rest: str, *values: int) -> Iterator[Entry]:
        asked = f"SELECT {_COLUMNS} FROM {_TABLES} {rest}"  # noqa: S608  # made of constants
        for found in self._file.execute(asked, values):
            name, start, end, is_on, price, reference, *numbers, kernel, wall_ns, batch = found
            row = Row(name, start, end, Terms(bool(is_on), price, reference), *numbers)
            yield Entry(row, kernel, wall_ns, batch)

    def _one(self, asked: str, *values: str) -> tuple[int, ...]:
        found: tuple[int, ...] = self._file.execute(asked, values).fetchone()
        return found

    # --- opening ---------------------------------------------------------------------------------

    def _prepare(self, *, writable: bool) -> None:
        version = int(self._one("PRAGMA user_version")[0])
        if version > VERSION:
            raise StoreError(
                f"the ledger {self.path} was written by a newer rackgrid (format {version}, and "
                f"this one knows {VERSION}): install that one again"
            )
        if writable:
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            if version == 0:
                with closing(self._file.cursor()) as cursor:
                    cursor.executescript(
                        f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
                    )
        elif version == 0:
            raise StoreError(f"{self.path} is no ledger")


def open_ledger(path: Path) -> LedgerStore:
    """Open the ledger for writing; one that is damaged is set aside, and a new one begun.

    Raises:
        StoreError: neither can be done.
    """
    try:
        store = LedgerStore(path, writable=True)
        damage = store.damage()
    except StoreError as fault:
        if not _is_damage(fault):
            raise
        store, damage = None, str(fault)
    if not damage:
        assert store is not None, "what is not damaged was opened"
        return store
    if store is not None:
        store.close()
    aside = _free_name(path)
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(aside.with_name(aside.name + suffix))
    _log.error("the ledger is damaged (%s): it is kept as %s, and a new one begins", damage, aside)
    return LedgerStore(path, writable=True)


def _is_damage(fault: StoreError) -> bool:
    """Whether SQLite could not make sense of the file; not whether it could not have it."""
    cause = fault.__cause__
    return isinstance(cause, sqlite3.DatabaseError) and not isinstance(
        cause, sqlite3.OperationalError
    )


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.bad{number or ''}") for number in range(1000))
    return next(name for name in names if not name.exists())


def chained(before: bytes, rows: Iterable[tuple[Row, str]]) -> bytes:
    """Hash a batch after the one before it.

    Args:
        before: the hash of the batch before.
        rows: each with the kernel's boot id.
    """
    digest = hashlib.blake2b(before, digest_size=32)
    for row, kernel in rows:
        text = ",".join("" if each is None else str(each) for each in _numbers(row))
        digest.update(f"{row.load}\0{kernel}\0{text}\n".encode())
    return digest.digest()


def _numbers(row: Row) -> tuple[int | None, ...]:
    """List a row's numbers in the order of the file's columns."""
    return (
        row.start_ns,
        row.end_ns,
        int(row.terms.on),
        row.terms.price_uc,
        row.terms.reference_uc,
        row.term,
        row.round,
        row.energy_mj,
        row.estimated_mj,
        row.cost_nc,
        row.reference_nc,
        row.counter_mj,
        row.meter_mj,
        row.cost_left,
        row.reference_left,
    )
