"""Keeps the ledger beside the loop: rows wait in memory, and a thread writes them by the minute.

Nothing that controls waits for the disk. While the disk takes nothing (it is full, it has gone
read-only) the rows stay in memory, up to a bound, and the node says so and goes on; the oldest are
given up then, and counted, for a load must not be switched later because a bill is being kept.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rackgrid.adapters.ledger_store import open_ledger
from rackgrid.errors import StoreError
from rackgrid.market.settlement import Row, Totals

WRITE_S: Final = 60.0
WAITING_MAX: Final = 20_000
"""Rows in memory: some days of a quiet rack, some 10 MB."""
JOIN_S: Final = 5.0
"""An SD card may stall; a daemon that ends waits no longer, and what waits is lost then."""

_log = logging.getLogger("rackgrid.ledger")


class Ledger:
    """The ledger of one node.

    Args:
        path: of its file.
        kernel: boot id of the running kernel.
        wall_offset_ns: Unix time less CLOCK_MONOTONIC, ns; None while the clock is not set.
        write_s: between two batches.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        kernel: str,
        wall_offset_ns: Callable[[], int | None],
        write_s: float = WRITE_S,
    ) -> None:
        self._store = open_ledger(path)
        self._kernel = kernel
        self._wall_offset_ns = wall_offset_ns
        self._write_s = write_s
        self.last_rows: Mapping[str, Row] = self._store.last_rows()
        """Each load's newest row at the start."""
        self.totals: Mapping[str, Totals] = self._store.totals()
        """Each load's sum at the start."""
        self.lost = 0
        """Rows that were given up because nothing could be written for too long."""
        self._waiting: deque[Row] = deque()
        self._lock = threading.Lock()
        self._complaint = ""
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def add(self, row: Row) -> None:
        """Take a row; never waits."""
        with self._lock:
            if len(self._waiting) >= WAITING_MAX:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(row)

    def hasten(self) -> None:
        """Write now what waits: something happened that should not be lost with the power."""
        self._wake.set()

    def close(self) -> None:
        """Write what waits, and let go of the file; waits for the disk, but not for ever."""
        self._ending = True
        self._wake.set()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            _log.error("the disk stalls: %d rows of the ledger are not written", self.waiting)

    @property
    def waiting(self) -> int:
        """How many rows wait to be written."""
        return len(self._waiting)

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(self._write_s)
            self._wake.clear()
            self._write()
        self._write()  # what came while the last batch was being written
        self._store.close()

    def _write(self) -> None:
        with self._lock:
            rows = list(self._waiting)
        try:
            self._store.append(rows, self._kernel, self._wall_offset_ns())
        except StoreError as fault:
            self._complain(str(fault))
            return
        with self._lock:
            written = set(map(id, rows))
            while self._waiting and id(self._waiting[0]) in written:
                self._waiting.popleft()
        self._complain("")

    def _complain(self, complaint: str) -> None:
        if complaint == self._complaint:
            return
        self._complaint = complaint
        if complaint:
            _log.error("%s: rows wait in memory, and the oldest are lost in time", complaint)
        else:
            _log.info("the ledger is written again; %d rows were lost so far", self.lost)
