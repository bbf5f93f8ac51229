"""Writing a secret: as a whole, durably, for its owner alone, one who changes it at a time.

`secret` reads them.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rackgrid.adapters.store import sync_folder


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet: whole or not at all, durably, and for its owner alone.

    Raises:
        FileExistsError: if there is a file already; it is left alone.
        OSError: if it cannot be written.
    """
    beside = _write_beside(path, text)
    try:
        # A link, not a rename: it fails if another process was first.
        os.link(beside, path)
    finally:
        beside.unlink()
    sync_folder(path.parent)


def replace_whole(path: Path, text: str) -> None:
    """Replace a file durably; a reader, and a crash, see the old or the new.

    The new one belongs to whom the old one belonged to: root changes it, and a service reads it.

    Raises:
        OSError: if it cannot be written; the old one is still there then.
    """
    real = path.resolve()
    beside = _write_beside(real, text, real.stat())
    try:
        beside.replace(real)
    except OSError:
        beside.unlink()
        raise
    sync_folder(real.parent)


@contextmanager
def one_at_a_time(path: Path) -> Generator[None]:
    """Hold a file's folder, so that two who change the file do not undo each other.

    Raises:
        OSError: if the folder cannot be opened.
    """
    descriptor = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_beside(path: Path, text: str, owner: os.stat_result | None = None) -> Path:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            if owner is not None and owner.st_uid != os.geteuid():
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        beside.unlink()
        raise
    return beside
