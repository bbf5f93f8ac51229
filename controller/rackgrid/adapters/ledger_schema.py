"""The format of the ledger's file, and how an older one becomes it.

Formats only grow: a migration adds columns and tables, and touches no row, so that hashes stay what
they were. Before it a copy of the file is laid beside it, named by its format and the day:
`ledger.db.v1-2026-11-26`. It is one transaction; if it cannot be done, the file is what it was.

Format 2 does without an index: it served at a start only, where a look at all rows takes no longer,
and was near half of what an SD card had to write. Format 3 has signatures of batches, whose ledger
it is, and what of it came back from a copy. Format 4 has what each load was granted.

Source: sqlite.org/lang_altertable.html (ADD COLUMN costs the same however long the table is);
sqlite.org/backup.html.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rackgrid.adapters.ledger_columns import ADDED_COLUMNS, GRANTED_COLUMNS

VERSION: Final = 4

_FIRST: Final = """
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
_SECOND: Final = (
    "".join(f"ALTER TABLE entry ADD COLUMN {name} INTEGER;\n" for name in ADDED_COLUMNS)
    + """
ALTER TABLE batch ADD COLUMN vouched BLOB;
ALTER TABLE batch ADD COLUMN seal BLOB;
DROP INDEX entry_by_load;
CREATE TABLE origin (aside TEXT NOT NULL, damage TEXT NOT NULL, hash BLOB);
"""
)
_THIRD: Final = """
ALTER TABLE batch ADD COLUMN signature BLOB;
CREATE TABLE owner (public_key BLOB NOT NULL);
CREATE TABLE mend (batch INTEGER NOT NULL, keeper TEXT NOT NULL, aside TEXT NOT NULL);
"""
_FOURTH: Final = "".join(
    f"ALTER TABLE entry ADD COLUMN {name} INTEGER;\n" for name in GRANTED_COLUMNS
)
STEPS: Final = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""What makes each format of the one before it; the first of an empty file."""

_log = logging.getLogger("rackgrid.ledger")


def version_of(file: sqlite3.Connection) -> int:
    """Read the format; 0 of an empty file."""
    return int(file.execute("PRAGMA user_version").fetchone()[0])


def migrate(file: sqlite3.Connection, path: Path) -> None:
    """Bring a file to the newest format; a copy of what it was stays beside it.

    Raises:
        sqlite3.Error: it could not be done; the file is what it was.
    """
    version = version_of(file)
    if version >= VERSION:
        return
    copy = _back_up(file, path, version) if version else None
    script = "".join(STEPS[version:])
    try:
        with closing(file.cursor()) as cursor:
            cursor.executescript(f"BEGIN; {script} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.Error:
        if file.in_transaction:
            file.rollback()
        if copy is not None:
            copy.unlink()
        raise
    if copy is not None:
        _log.warning("the ledger is of format %d now; %s is what it was", VERSION, copy)


def _back_up(file: sqlite3.Connection, path: Path, version: int) -> Path:
    today = datetime.now(UTC).date().isoformat()
    copy = free_name(path, f".v{version}-{today}")
    try:
        with closing(sqlite3.connect(copy)) as target:
            file.backup(target)
    except sqlite3.Error:
        with suppress(FileNotFoundError):
            copy.unlink()
        raise
    return copy


def free_name(path: Path, suffix: str) -> Path:
    """Find a name beside a file that nothing has yet: with the suffix, and a number if need be."""
    names = (
        path.with_name(f"{path.name}{suffix}{'' if number == 1 else f'.{number}'}")
        for number in range(1, 10_000)
    )
    return next(name for name in names if not name.exists())
