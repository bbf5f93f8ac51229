"""The ledger's file, for writing: rows as they come, and batches that are hashed and signed.

Rows are written together (`ledger_pace`), so that an SD card is written to once a minute at most
and not at every change of a price. They are of an **open** batch until that is closed, at the
quarter of the hour: only then is it hashed, after the one before it, and signed. (A hash a minute
doubled what was written, and a signature a minute would keep a small Pi busy.) What is written at a
time is one transaction: after a power cut it is there whole, or not at all.

A copy of another node's ledger is a file like this one, and is given whole batches.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from rackgrid.adapters.ledger_chain import Batch, chained, told
from rackgrid.adapters.ledger_columns import INSERT, numbers_of
from rackgrid.adapters.ledger_file import LedgerFile, Origin
from rackgrid.adapters.ledger_fold import fold
from rackgrid.errors import StoreError
from rackgrid.market.row import Row

DATE_NS: Final = 1_000_000_000
"""By so much the clock must have moved for a boot to be dated anew, ns."""
Sign = Callable[[bytes], bytes | None]
"""Signs what a batch is (`ledger_chain.told`), or says that it cannot."""


def unsigned(_: bytes) -> None:
    """Sign nothing."""


class LedgerStore(LedgerFile):
    """The file, opened for writing by the daemon or for reading by anybody. One thread uses it.

    Raises:
        StoreError: it cannot be opened, or is of a newer version of rackgrid.
    """

    def append(
        self, rows: Sequence[Row], kernel: str, wall_ns: int | None, sign: Sign | None = unsigned
    ) -> None:
        """Write rows, and close the batch that they are of.

        Args:
            rows: in the order in which they ended.
            kernel: boot id of the kernel whose monotonic clock their times are of.
            wall_ns: what Unix time it was when that clock was at zero, or None.
            sign: signs the batch; None leaves it open for more.

        Raises:
            StoreError: it could not be written; nothing of it is in the file.
        """
        try:
            with self._file:
                boot = self._boot(kernel, wall_ns)
                last = self.head()
                self._insert(last.id + 1, [(row, boot) for row in rows])
                if sign is not None:
                    self._close_batch(last, sign)
        except sqlite3.Error as fault:
            raise StoreError(f"cannot write to the ledger {self.path}: {fault}") from fault

    def sync(self) -> None:
        """Have what is written synced to the disk from now on, before it is said to be there."""
        self._file.execute("PRAGMA synchronous = FULL")

    def belong(self, public_key: bytes) -> None:
        """Say whose ledger it is, once.

        Raises:
            StoreError: it could not be written.
        """
        if self.public_key() == public_key:
            return
        try:
            with self._file:
                self._file.execute("DELETE FROM owner")
                self._file.execute("INSERT INTO owner VALUES (?)", (public_key,))
        except sqlite3.Error as fault:
            raise StoreError(f"cannot write to the ledger {self.path}: {fault}") from fault

    def begin_after(self, origin: Origin) -> None:
        """Say in a new ledger which damaged one it goes on from, before anything is written.

        Raises:
            StoreError: it could not be written.
        """
        try:
            with self._file:
                self._begin(origin)
        except sqlite3.Error as fault:
            raise StoreError(f"cannot write to the ledger {self.path}: {fault}") from fault

    def fold(self, until_ns: int, sign: Sign = unsigned) -> int:
        """Sum up by the day what is old (`ledger_fold`).

        Args:
            until_ns: rows that ended before then, Unix time, ns.
            sign: signs the batch that vouches for the sums.

        Returns:
            So many rows were summed up; there may be more. None are while a batch is open.

        Raises:
            StoreError: it could not be written; nothing has changed.
        """
        try:
            with self._file:
                if self.open_rows():
                    return 0
                count = fold(self._file, self.last_hash(), until_ns)
                if count and (signature := sign(self.head().told)):
                    values = (signature, self.head().id)
                    self._file.execute("UPDATE batch SET signature = ? WHERE id = ?", values)
                return count
        except sqlite3.Error as fault:
            raise StoreError(f"cannot write to the ledger {self.path}: {fault}") from fault

    def _begin(self, origin: Origin) -> None:
        values = (origin.aside, origin.damage, origin.hash)
        self._file.execute("INSERT INTO origin VALUES (?, ?, ?)", values)

    def _insert(self, batch: int, rows: Sequence[tuple[Row, int]]) -> None:
        """Write rows, each with the key of its boot."""
        loads = {row.load: self._load(row.load) for row, _ in rows}
        self._file.executemany(
            INSERT,
            [(None, batch, loads[row.load], boot, *numbers_of(row)) for row, boot in rows],
        )

    def _close_batch(self, last: Batch, sign: Sign) -> None:
        """Hash what is open after the last batch, if anything is."""
        rows = [(entry.row, entry.kernel) for entry in self._open_entries()]
        if not rows:
            return
        digest = chained(last.hash, rows)
        signature = sign(told(last.id + 1, digest))
        values = (last.id + 1, digest, signature)
        self._file.execute("INSERT INTO batch (id, hash, signature) VALUES (?, ?, ?)", values)

    def _boot(self, kernel: str, wall_ns: int | None) -> int:
        """Find a boot, and date it; a date that hardly moves is not worth an SD card's write."""
        asked = "SELECT id, wall_ns FROM boot WHERE kernel = ?"
        found = self._file.execute(asked, (kernel,)).fetchone()
        if found is None:
            values = (kernel, wall_ns)
            cursor = self._file.execute("INSERT INTO boot VALUES (NULL, ?, ?)", values)
            return int(cursor.lastrowid or 0)
        boot, dated_ns = found
        if wall_ns is not None and (dated_ns is None or abs(wall_ns - dated_ns) > DATE_NS):
            self._file.execute("UPDATE boot SET wall_ns = ? WHERE id = ?", (wall_ns, boot))
        return int(boot)

    def _load(self, name: str) -> int:
        self._file.execute("INSERT OR IGNORE INTO load (name) VALUES (?)", (name,))
        return int(self._one("SELECT id FROM load WHERE name = ?", name)[0])
