"""Who has a board: the firmware that runs it, or a tool that measures its meters.

A firmware holds a shared lock (flock) on its board profile for as long as it lives; whoever wants
the chips for himself takes an exclusive one. So a tool finds a running firmware whatever its socket
is called; the kernel lets go when either ends, however it ends. Shared among firmwares, because the
nodes of a mock rack read one profile.

It protects from haste, not from malice: whoever may read a profile may lock it, so a firmware does
without the lock rather than without its loads; and a profile that was replaced since the firmware
started is another file. Hence tools look at the firmware's own lock, too (`listener.seize`).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def hold(path: Path) -> int | None:
    """Lock a profile as its firmware.

    Returns:
        The open file that holds the lock; None if a tool has the board.

    Raises:
        OSError: it cannot be opened.
    """
    return _locked(path, fcntl.LOCK_SH)


def seize(path: Path) -> int | None:
    """Lock a profile as the only one.

    Returns:
        The open file that holds the lock; None if a firmware, or another tool, has the board.

    Raises:
        OSError: it cannot be opened.
    """
    return _locked(path, fcntl.LOCK_EX)


def _locked(path: Path, kind: int) -> int | None:
    held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    except BaseException:
        os.close(held)
        raise
    return held
