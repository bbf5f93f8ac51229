"""Opening the ledger for writing: what is damaged is set aside, and a new one goes on after it.

A power cut can tear a page, a copy can be cut short, a row can be changed by hand. All pages of the
file are looked at, and of the chain as much as a start has time for; `ledger verify` checks all
of it. What is damaged is kept under a name of its own, never deleted; the new ledger says which
one it goes on from and where its chain ended, and its own chain begins with that.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rackgrid.adapters.ledger_access import copy_whole
from rackgrid.adapters.ledger_file import LedgerFile, Origin
from rackgrid.adapters.ledger_schema import free_name
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.errors import StoreError

CHECKED_ROWS: Final = 2_000
"""So many of the newest rows are checked at a start: days of a node, some 0.1 s of a small Pi."""
CUT_OFF: Final = "it is empty: it was cut off"

_log = logging.getLogger("rackgrid.ledger")


def open_ledger(path: Path) -> LedgerStore:
    """Open the ledger for writing; one that is damaged is set aside, and a new one begun.

    Raises:
        StoreError: neither can be done.
    """
    damage = CUT_OFF if _is_empty(path) else ""
    store = None
    if not damage:
        try:
            store = LedgerStore(path, writable=True)
            damage = _damage(store)
        except StoreError as fault:
            if not _is_damage(fault):
                raise
            damage = str(fault)
    if not damage:
        assert store is not None, "what is not damaged was opened"
        return store
    if store is not None:
        store.close()
    return _fresh(path, damage)


def damage_of(path: Path) -> str:
    """Say what the next opening would find wrong with a ledger; "" if nothing. Changes nothing.

    Raises:
        StoreError: it cannot be looked at.
    """
    if _is_empty(path):
        return CUT_OFF
    # Of a copy, always: who opens the file itself, even for reading, leaves a log beside it.
    with TemporaryDirectory(prefix="rackgrid-") as folder:
        copy = Path(folder) / path.name
        try:
            copy_whole(path, copy)
        except OSError as fault:
            raise StoreError(f"cannot copy the ledger {path}: {fault.strerror}") from fault
        try:
            file = LedgerFile(copy, writable=False)
        except StoreError as fault:
            if _is_damage(fault):
                return str(fault.__cause__)
            raise
        with closing(file):
            return _damage(file)


def is_lost(path: Path) -> bool:
    """Open a ledger for writing, and say whether there is nothing in it.

    Raises:
        StoreError: it cannot be opened.
    """
    store = open_ledger(path)
    try:
        return not store.head().id and not store.open_rows()
    finally:
        store.close()


def _fresh(path: Path, damage: str) -> LedgerStore:
    """Set the file aside, and begin a new one that says so."""
    last_hash = _last_hash(path)
    aside = free_name(path, ".bad")
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(aside.with_name(aside.name + suffix))
    _log.error("the ledger is damaged (%s): it is kept as %s, and a new one begins", damage, aside)
    store = LedgerStore(path, writable=True)
    store.begin_after(Origin(aside.name, damage, last_hash))
    return store


def _damage(store: LedgerFile) -> str:
    """Say what is wrong with a file that could be opened; "" if nothing."""
    if damage := store.damage():
        return damage
    try:
        findings = store.verify_end(CHECKED_ROWS)
    except (sqlite3.DatabaseError, TypeError, ValueError) as fault:
        return f"its rows cannot be read: {fault}"
    return findings[0] if findings else ""


def _last_hash(path: Path) -> bytes | None:
    """Read where a damaged chain ended, if that can be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            found = file.execute("SELECT hash FROM batch ORDER BY id DESC LIMIT 1").fetchone()
    except sqlite3.Error:
        return None
    return found[0] if found and isinstance(found[0], bytes) else None


def _is_empty(path: Path) -> bool:
    return path.is_file() and not path.stat().st_size


def _is_damage(fault: StoreError) -> bool:
    """Whether SQLite could not make sense of the file; not whether it could not have it."""
    cause = fault.__cause__
    return isinstance(cause, sqlite3.DatabaseError) and not isinstance(
        cause, sqlite3.OperationalError
    )
