"""A small file that is written now and then, beside the loop: a disk that stalls stops nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rackgrid.adapters.store import write_whole

PATIENCE_S: Final = 2.0
"""A disk is waited for so long when the node ends."""


class Aside:
    """The file, replaced as a whole by one thread at a time: what was asked for last stays.

    Args:
        path: what to replace.
        complain: is told, in that thread, when it cannot be written.
        durable: whether it is to outlive a power cut.
    """

    def __init__(
        self, path: Path, complain: Callable[[str], None], *, durable: bool = False
    ) -> None:
        self.path = path
        self.written: bytes | None = None
        """The last of what was asked for that is on the disk."""
        self._complain = complain
        self._durable = durable
        self._lock = threading.Lock()
        self._waiting: bytes | None = None
        self._thread: threading.Thread | None = None

    def write(self, data: bytes) -> None:
        """Replace what the file holds; returns at once. What still waits is left out then."""
        with self._lock:
            self._waiting = data
            if self._thread is None:
                name = f"write {self.path.name}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def settle(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until all is written, or for so long, s: the last act before the process ends."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(patience_s)

    def _run(self) -> None:
        while True:
            with self._lock:
                data, self._waiting = self._waiting, None
                if data is None:
                    self._thread = None
                    return
            try:
                write_whole(self.path, data, durable=self._durable)
            except OSError as fault:
                self._complain(f"{self.path} cannot be written: {fault.strerror or fault}")
            else:
                self.written = data
