"""Small files that are written now and then, beside the loop: a disk that stalls stops nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rackgrid.adapters.store import write_whole

_lock = threading.Lock()


def write_aside(path: Path, data: bytes, complain: Callable[[str], None]) -> threading.Thread:
    """Replace a file by a whole new one, in a thread; whoever asked later has the last word.

    Args:
        path: what to replace.
        data: what it holds then.
        complain: is told, in that thread, if it cannot be written.

    Returns:
        The thread, for whoever wants to wait for it.
    """

    def write() -> None:
        with _lock:
            try:
                write_whole(path, data, durable=False)
            except OSError as fault:
                complain(f"{path} cannot be written: {fault.strerror or fault}")

    thread = threading.Thread(target=write, name=f"write {path.name}", daemon=True)
    thread.start()
    return thread
