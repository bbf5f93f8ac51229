"""Keeps the ledger beside the loop: rows wait a minute in memory, and a thread writes them.

The minute is the oldest row's (`ledger_pace`), and what is written is synced: so a power cut takes
what was booked in the last 65 s, and nothing that was there before.

Nothing that controls waits for the disk. While the disk takes nothing (it is full, it has gone
read-only) the rows stay in memory, and the node says so once and goes on. When they are too many,
the oldest are coalesced by twos: their energy and money stay what they were, to the last unit, and
only their prices are no longer known each.

What is written is of a batch that stays open until the quarter of the hour: then it is hashed, and
signed by this node (`ledger_store`).

Once a day, rows that are older than is wished are summed up by the day.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from rackgrid.adapters.clock import monotonic_ns
from rackgrid.adapters.ledger_fold import DAY_NS
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_pace import WAIT_S, Pace
from rackgrid.adapters.ledger_store import Sign, unsigned
from rackgrid.errors import StoreError
from rackgrid.market.row import Row, Totals, coalesced

CLOSE_S: Final = 900.0
"""Between two batches that are hashed, signed and offered to those who keep copies."""
OPEN_MAX: Final = 500
"""Rows of a batch that is still open: with so many it is closed at once."""
WAITING_MAX: Final = 20_000
"""Rows in memory: some days of a quiet rack, some 10 MB. Half of them are coalesced at once."""
BATCH_MAX: Final = 1_000
"""Rows that are written at a time."""
KEEP_DAYS: Final = 400
"""So long rows stay as they are: a year, and the time to look back on it."""
JOIN_S: Final = 5.0
"""An SD card may stall; a daemon that ends waits no longer, and what waits is lost then."""

_log = logging.getLogger("rackgrid.ledger")


@dataclass(frozen=True, slots=True)
class Hand:
    """Who signs batches, and is told of them.

    Attributes:
        public_key: of this node; b"" of nobody.
        sign: signs a batch, or says that it cannot; it may take a second.
        closed: is called when a batch has been closed, in the thread that writes.
        close_s: between two batches.
    """

    public_key: bytes = b""
    sign: Sign = unsigned
    closed: Callable[[], None] = lambda: None
    close_s: float = CLOSE_S


NOBODY: Final = Hand()
UNUSABLE: Final = (StoreError, sqlite3.Error)
"""What a look into the file or a writing of it may raise: a card that fails once is asked again."""


class Ledger:
    """The ledger of one node.

    Args:
        path: of its file.
        kernel: boot id of the running kernel.
        wall_offset_ns: Unix time less CLOCK_MONOTONIC, ns; None while the clock is not set.
        wait_s: so long a row waits to be written.
        keep_days: rows that are older are summed up by the day.
        hand: signs what is written.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        kernel: str,
        wall_offset_ns: Callable[[], int | None],
        wait_s: float = WAIT_S,
        keep_days: int = KEEP_DAYS,
        hand: Hand = NOBODY,
    ) -> None:
        self._store = open_ledger(path)
        self._hand = hand
        self._closed_at = -1
        try:
            self._store.sync()
            if hand.public_key:
                self._store.belong(hand.public_key)
        except StoreError:
            self._store.close()
            raise
        self._kernel = kernel
        self._wall_offset_ns = wall_offset_ns
        self._pace = Pace(min(wait_s, hand.close_s))
        self._keep_days = keep_days
        self._folded_until_ns = 0
        self.last_rows: Mapping[str, Row] = self._store.last_rows(kernel)
        """Each load's newest row at the start."""
        self.totals: Mapping[str, Totals] = self._store.totals()
        """Each load's sum at the start."""
        self.coalesced = 0
        """So many rows became part of others because nothing could be written for too long."""
        self._waiting: list[Row] = []
        self._writing = 0
        """So many of the first that wait are being written right now."""
        self._lock = threading.Lock()
        self._complaint = ""
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def add(self, row: Row) -> None:
        """Take a row; never waits."""
        with self._lock:
            self._waiting.append(row)
            self._pace.came(monotonic())
            if len(self._waiting) > WAITING_MAX:
                self._coalesce()

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

    def _coalesce(self) -> None:
        """Make fewer of the oldest rows, but for those that are being written."""
        first = self._writing
        last = first + (len(self._waiting) - first) // 2
        fewer = coalesced(self._waiting[first:last])
        self.coalesced += last - first - len(fewer)
        self._waiting[first:last] = fewer

    def _run(self) -> None:
        while not self._ending:
            with self._lock:
                rest_s = self._pace.rest_s(monotonic())
            is_urgent = self._wake.wait(rest_s)
            self._wake.clear()
            if is_urgent or self._is_due():
                self._write_all()
                self._fold()
        self._write_all()  # what came while the last batch was being written
        self._store.close()

    def _is_due(self) -> bool:
        with self._lock:
            return self._pace.is_due(monotonic())

    def _write_all(self) -> None:
        """Write what waits now; what comes meanwhile waits for the next time."""
        left = self.waiting
        while self._write() and (left := left - BATCH_MAX) > 0:
            pass
        with self._lock:
            self._pace.tried(monotonic(), waits=bool(self._waiting))

    def _write(self) -> bool:
        with self._lock:
            rows = self._waiting[:BATCH_MAX]
            self._writing = len(rows)
        complaint, offset_ns = "", self._wall_offset_ns()
        try:
            closes = self._is_time(offset_ns)
            before = self._store.head().id
            sign = self._hand.sign if closes else None
            self._store.append(rows, self._kernel, offset_ns, sign)
            if self._store.head().id != before:
                self._hand.closed()
        except UNUSABLE as fault:
            complaint, self._closed_at = self._sentence(fault), -1
        with self._lock:
            self._writing = 0
            if not complaint:
                del self._waiting[: len(rows)]
        self._complain(complaint)
        return not complaint

    def _is_time(self, offset_ns: int | None) -> bool:
        """Whether a batch is to be closed: at quarters of the hour, so that all rows of it are in.

        The first after a start closes what the process before left open.
        """
        at = (monotonic_ns() + (offset_ns or 0)) // round(self._hand.close_s * 1e9)
        if at == self._closed_at and self._store.open_rows() < OPEN_MAX:
            return False
        self._closed_at = at
        return True

    def _fold(self) -> None:
        """Sum up what is old, once a day and a transaction at a time."""
        offset_ns = self._wall_offset_ns()
        if offset_ns is None or self._complaint:
            return
        days = (monotonic_ns() + offset_ns) // DAY_NS - self._keep_days
        if days * DAY_NS <= self._folded_until_ns:
            return
        try:
            if self._store.open_rows():
                return
            while not self._ending and self._store.fold(days * DAY_NS, self._hand.sign):
                pass
        except UNUSABLE as fault:
            self._complain(self._sentence(fault))
            return
        self._folded_until_ns = days * DAY_NS

    def _sentence(self, fault: Exception) -> str:
        """Say what is wrong with the file; SQLite itself names none."""
        if isinstance(fault, StoreError):
            return str(fault)
        return f"cannot read the ledger {self._store.path}: {fault}"

    def _complain(self, complaint: str) -> None:
        if complaint == self._complaint:
            return
        self._complaint = complaint
        if complaint:
            _log.error(
                "%s: rows wait in memory; beyond %d the oldest are coalesced, and none is lost "
                "unless this node ends: make room",
                *(complaint, WAITING_MAX),
            )
        else:
            _log.info("the ledger is written again; %d rows were coalesced so far", self.coalesced)
