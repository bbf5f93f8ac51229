"""The ledger's file, for reading: rows of settlement in SQLite, in batches chained by their hashes.

Numbers are integers throughout, as in `settlement`. A row's time is CLOCK_MONOTONIC of a kernel
boot; the boot says what Unix time that was, once somebody vouches for the clock, and so dates the
rows that came before.

The newest rows may be of a batch that is still **open**: they lie on the disk, and have no hash
yet. `ledger_store` writes, `ledger_chain` says how batches are hashed, `ledger_schema` how the file
came to its format, `ledger_opening` what becomes of one that is damaged.

Sources: sqlite.org/wal.html (readers beside a writer; `synchronous=NORMAL` keeps the file whole
through a power cut, and may lose the last batches: so who writes asks for more, by `sync`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from rackgrid.adapters.ledger_access import read, written
from rackgrid.adapters.ledger_chain import FIRST_HASH, Batch, audit, chained
from rackgrid.adapters.ledger_columns import BATCH_COLUMNS, COLUMNS, JOINED, Entry, entry_of, table
from rackgrid.adapters.ledger_schema import VERSION, migrate, version_of
from rackgrid.errors import StoreError
from rackgrid.market.row import Row, Totals

LEDGER: Final = "ledger.db"
"""The file below the node's `state_dir`."""
FINDINGS_MAX: Final = 100
PAGE: Final = 512
"""Bytes of a new file's pages: a minute is some rows, and writes two or three pages whole."""
_MENDED: Final = 2
_SIGNED: Final = 3
"""Formats of the file, by what they brought."""
LOG_PAGES: Final = 2000
"""The log is moved into the file at so many pages, 1 MB, and written anew from its beginning. While
a log grows the file system notes each block of it in a journal of its own, which is more than the
log; a busy day is so long that it soon does not."""


def _summed(name: str, otherwise: str) -> str:
    """Sum up what rows of mixed terms have a column for, and others a formula."""
    return f"sum(CASE WHEN mixed_priced_mj IS NULL THEN {otherwise} ELSE {name} END)"


_SUMS: Final = (
    "sum(energy_mj)",
    "sum(estimated_mj)",
    _summed("mixed_priced_mj", "iif(cost_nc IS NULL, 0, energy_mj)"),
    "sum(coalesce(cost_nc, 0))",
    _summed("mixed_reference_nc", "iif(cost_nc IS NULL, 0, coalesce(reference_nc, 0))"),
    "sum(coalesce(revenue_nc, 0))",
    _summed("mixed_saving_nc", "coalesce(reference_nc - cost_nc, 0)"),
    _summed("mixed_profit_nc", "coalesce(revenue_nc - cost_nc, 0)"),
    "sum(coalesce(granted_mj, 0))",
    "sum(iif(granted_mj IS NULL, 0, energy_mj))",
)
"""A load's sums, as `Totals` has them."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a ledger goes on from that was begun because the one before it was damaged.

    Attributes:
        aside: the name under which the damaged file is kept.
        damage: what was wrong with it.
        hash: of the last batch that could be read of it; None if none could.
    """

    aside: str
    damage: str
    hash: bytes | None


@dataclass(frozen=True, slots=True)
class Mend:
    """What came back from a copy, because the node had lost its ledger.

    Attributes:
        batch: the last one that came back.
        keeper: the node that had the copy, in hex.
        aside: the name under which the damaged ledger is kept; "" if there was none.
    """

    batch: int
    keeper: str
    aside: str


class LedgerFile:
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
        try:
            self._file, self._copied = (written(path), None) if writable else read(path)
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as fault:
            raise StoreError(f"cannot open the ledger {path}: {fault}") from fault
        try:
            self._prepare(writable=writable)
        except StoreError:
            self.close()
            raise
        except sqlite3.Error as fault:
            self.close()
            raise StoreError(f"cannot open the ledger {path}: {fault}") from fault

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        if self._copied is not None:
            self._copied.cleanup()

    # --- reading ---------------------------------------------------------------------------------

    def origin(self) -> Origin | None:
        """Say which damaged ledger this one goes on from, if it does."""
        if self._version < _MENDED:
            return None
        found = self._file.execute("SELECT aside, damage, hash FROM origin").fetchone()
        return None if found is None else Origin(*found)

    def first_hash(self) -> bytes:
        """Give what the first batch is chained to."""
        origin = self.origin()
        if origin is None:
            return FIRST_HASH
        said = f"{origin.aside}\0{origin.damage}".encode()
        return chained(origin.hash or FIRST_HASH, [], said)

    def last_hash(self) -> bytes:
        """Give the hash of the newest batch: who keeps it can tell whether anything was changed."""
        return self.head().hash

    def head(self) -> Batch:
        """Give the newest batch; before the first one, number 0 and what that is chained to."""
        return next(self._batches("ORDER BY id DESC LIMIT 1"), Batch(0, self.first_hash()))

    def batch(self, number: int) -> Batch | None:
        """Find a batch."""
        return next(self._batches("WHERE id = ?", number), None)

    def signed(self) -> Batch | None:
        """Find the newest batch that is signed: what came before it is vouched for, too."""
        return next(self._batches("WHERE signature IS NOT NULL ORDER BY id DESC LIMIT 1"), None)

    def count_after(self, number: int) -> int:
        """Count the batches that are newer than one."""
        (count,) = self._file.execute(
            "SELECT count(*) FROM batch WHERE id > ?", (number,)
        ).fetchone()
        return int(count)

    def public_key(self) -> bytes | None:
        """Give the key of the node whose ledger it is; None if nobody has said."""
        if self._version < _SIGNED:
            return None
        found = self._file.execute("SELECT public_key FROM owner").fetchone()
        return None if found is None else bytes(found[0])

    def mends(self) -> list[Mend]:
        """Say what of it came back from copies that others kept."""
        if self._version < _SIGNED:
            return []
        asked = "SELECT batch, keeper, aside FROM mend ORDER BY rowid"
        return [Mend(*found) for found in self._file.execute(asked)]

    def open_rows(self) -> int:
        """Count the rows that are of no batch yet."""
        return len(self._open_entries())

    def _open_entries(self) -> list[Entry]:
        last = self.head().id
        first = self._first_entry(last)
        return list(self._entries("WHERE entry.id >= ? ORDER BY entry.id", first))

    def after(self, number: int) -> Iterator[tuple[Batch, list[Entry]]]:
        """Go through the batches that follow one, each with its rows.

        Args:
            number: of the batch before; 0 for all.
        """
        rows = self._entries("WHERE entry.id >= ? ORDER BY entry.id", self._first_entry(number))
        entry = next(rows, None)
        for batch in self._batches("WHERE id > ? ORDER BY id", number):
            found: list[Entry] = []
            while entry is not None and entry.batch <= batch.id:
                found.append(entry)
                entry = next(rows, None)
            yield batch, found

    def _first_entry(self, number: int) -> int:
        """Find the key of the first row after a batch: rows lie in the order of their batches.

        An index would cost an SD card as much as the rows do; halving takes twenty looks.
        """
        low, high = 0, 1 + (self._one("SELECT coalesce(max(id), 0) FROM entry")[0])
        while low < high:
            middle = (low + high) // 2
            asked = "SELECT batch FROM entry WHERE id >= ? ORDER BY id LIMIT 1"
            found = self._file.execute(asked, (middle,)).fetchone()
            is_before = found is not None and found[0] <= number
            low, high = (middle + 1, high) if is_before else (low, middle)
        return low

    def last_rows(self, kernel: str | None = None) -> dict[str, Row]:
        """Give each load's newest row.

        Args:
            kernel: boot id of the running kernel. Meters count from zero with the machine: to what
                they show now, a row of another boot says zero, even if they have passed it.
        """
        newest = "entry.id IN (SELECT max(id) FROM entry GROUP BY load)"
        found: dict[str, Row] = {}
        for entry in self._entries(f"WHERE {newest}"):
            row = entry.row
            if kernel not in (None, entry.kernel) and row.meter_mj is not None:
                row = replace(row, meter_mj=0)
            found[row.load] = row
        return found

    def totals(self, until: int | None = None) -> dict[str, Totals]:
        """Sum up each load's rows.

        Args:
            until: the last batch of which rows count; None for all, also those of no batch yet.
        """
        asked = (
            f"SELECT load.name, {', '.join(_SUMS)} FROM {self._entry}"  # noqa: S608  # constants
            " JOIN load ON load.id = entry.load WHERE ?1 IS NULL OR entry.batch <= ?1"
            " GROUP BY load.id"
        )
        return {name: Totals(*numbers) for name, *numbers in self._file.execute(asked, (until,))}

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

    def verify(self, watch: Callable[[Entry], None] | None = None) -> list[str]:
        """Check the chain of the batches, and the arithmetic of every row after its predecessor.

        Args:
            watch: is shown every row on the way.

        Returns:
            What is wrong, at most `FINDINGS_MAX` sentences; empty if all is right.
        """
        entries = self._entries("ORDER BY entry.id")
        if watch is not None:
            entries = _watched(entries, watch)
        found: list[str] = []
        for finding in audit(entries, self._batches(), self.first_hash()):
            if len(found) < FINDINGS_MAX:
                found.append(finding)
        return found

    def verify_end(self, rows: int) -> list[str]:
        """Check the newest batches as `verify` does all of them, to be done in bounded time.

        Args:
            rows: about how many to look at.
        """
        newest = "SELECT batch FROM entry ORDER BY id DESC LIMIT 1 OFFSET ?"
        found = self._file.execute(newest, (rows,)).fetchone()
        folded = self._newest_seal()
        start = max(0 if found is None else int(found[0]), 0 if folded is None else folded.id + 1)
        where = "WHERE id < ? ORDER BY id DESC LIMIT 1"
        anchor = next(self._batches(where, start), None)
        if anchor is None:
            return self.verify()
        known = "WHERE entry.id IN (SELECT max(id) FROM entry WHERE batch <= ? GROUP BY load)"
        findings = audit(
            self._entries("WHERE entry.batch > ? ORDER BY entry.id", anchor.id),
            self._batches("WHERE id > ? ORDER BY id", anchor.id),
            anchor.hash,
            {entry.row.load: entry.row for entry in self._entries(known, anchor.id)},
            FIRST_HASH if folded is None or folded.seal is None else folded.seal,
        )
        return list(islice(findings, FINDINGS_MAX))

    def damage(self) -> str:
        """Say what SQLite finds wrong with the file; "" if nothing."""
        try:
            found = str(self._file.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as fault:
            return str(fault)
        return "" if found == "ok" else found

    def _newest_seal(self) -> Batch | None:
        return next(self._batches("WHERE seal IS NOT NULL ORDER BY id DESC LIMIT 1"), None)

    def _entries(self, rest: str, *values: int) -> Iterator[Entry]:
        asked = f"SELECT {COLUMNS} FROM {self._entry} {JOINED} {rest}"  # noqa: S608  # constants
        for found in self._file.execute(asked, values):
            yield entry_of(*found)

    def _batches(self, rest: str = "ORDER BY id", *values: int) -> Iterator[Batch]:
        batch = table("batch", self._version)
        asked = f"SELECT {BATCH_COLUMNS} FROM {batch} {rest}"  # noqa: S608  # constants
        for found in self._file.execute(asked, values):
            yield Batch(*found)

    @property
    def _entry(self) -> str:
        """The table of rows, with what its format does not have."""
        return table("entry", self._version)

    def _one(self, asked: str, *values: str) -> tuple[int, ...]:
        found: tuple[int, ...] = self._file.execute(asked, values).fetchone()
        return found

    # --- opening ---------------------------------------------------------------------------------

    def _prepare(self, *, writable: bool) -> None:
        version = version_of(self._file)
        if version > VERSION:
            raise StoreError(
                f"the ledger {self.path} was written by a newer rackgrid (format {version}, and "
                f"this one knows {VERSION}): install that one again"
            )
        if writable:
            self._file.execute(f"PRAGMA page_size = {PAGE}")
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
            self._file.execute("PRAGMA synchronous = NORMAL")
            migrate(self._file, self.path)
        elif version == 0:
            raise StoreError(f"{self.path} is no ledger")
        self._version = version_of(self._file)


def _watched(entries: Iterable[Entry], watch: Callable[[Entry], None]) -> Iterator[Entry]:
    for entry in entries:
        watch(entry)
        yield entry
