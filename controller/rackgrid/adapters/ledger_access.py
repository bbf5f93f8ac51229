"""Opening the ledger's file: the daemon has it to itself, and others read what it was just now.

SQLite's log has an index (`-shm`) in memory that is shared, and so a file: the kernel writes its
pages back between two writes of a ledger, which comes to twice what the rows are. If one process
has the file to itself, the index lies on its heap (`unix-excl`), for all connections of that
process. Another that wants to read finds the file locked. It takes a copy then, and reads that: a
file of the day's size, without a moment in which the daemon would have to wait.

The copy is whole if the log was not begun again meanwhile: what a checkpoint moved into the file
while it was being copied is in the log, too, and the log is what counts.

A file that somebody reads just when the daemon opens it is shared as ever, until the next start.

Sources: sqlite.org/vfs.html (`unix-excl`); sqlite.org/walformat.html (salts, recovery).
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rackgrid.errors import StoreError

BUSY_MS: Final = 5000
"""So long one that shares the file waits for another."""
TRIES_MAX: Final = 5
"""A log is begun again once in a day or two."""
_LOG_HEAD: Final = 32


def written(path: Path) -> sqlite3.Connection:
    """Open a file for writing, or make it; to itself, if nobody reads it.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    # Handed from the thread that opened it to the one that writes.
    uri = f"{path.absolute().as_uri()}?mode=rwc"
    file = sqlite3.connect(f"{uri}&vfs=unix-excl", 0, uri=True, check_same_thread=False)
    if _is_locked(file):
        file.close()
        file = sqlite3.connect(uri, uri=True, check_same_thread=False)
    file.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return file


def read(path: Path) -> tuple[sqlite3.Connection, TemporaryDirectory[str] | None]:
    """Open a file for reading; what a daemon of another process has is copied before.

    Returns:
        The file, and the folder of the copy, to be removed after it was closed.

    Raises:
        sqlite3.Error: it cannot be opened.
        OSError: it cannot be copied.
        StoreError: it is written so fast that no copy of it is whole.
    """
    file = _connected(path)
    if not _is_locked(file):
        file.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        return file, None
    file.close()
    folder = TemporaryDirectory(prefix="rackgrid-")
    try:
        copy = Path(folder.name) / path.name
        copy_whole(path, copy)
        return _connected(copy), folder
    except BaseException:
        folder.cleanup()
        raise


def _connected(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, 0, uri=True, check_same_thread=False)


def _is_locked(file: sqlite3.Connection) -> bool:
    """Whether another process has the file; what else is wrong, its first use will say."""
    try:
        file.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as fault:
        return fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    except sqlite3.DatabaseError:
        return False
    return False


def copy_whole(path: Path, copy: Path) -> None:
    """Copy a file that may be being written, with its log; nothing is left beside it.

    Raises:
        OSError: it cannot be copied.
        StoreError: it is written so fast that no copy of it is whole.
    """
    for _ in range(TRIES_MAX):
        began = _log_head(path)
        shutil.copyfile(path, copy)
        log = _beside(copy)
        log.unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # It is there if the daemon has not just ended.
            shutil.copyfile(_beside(path), log)
        if _log_head(path) == began:
            return
    raise StoreError(f"the ledger {path} is being written all the time: try again")


def _log_head(path: Path) -> bytes:
    """Read what changes whenever the log is begun again: its salts; b"" without a log."""
    try:
        with _beside(path).open("rb") as file:
            return file.read(_LOG_HEAD)
    except FileNotFoundError:
        return b""


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
