"""A copy of a ledger: the same file, which grows by whole batches that follow what is there.

A batch is taken if it hashes to what it says after the one before it: so a copy proves what the
original does, and one of yesterday shows whether the original was changed since. What is taken is
synced to the disk before anybody is told so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rackgrid.adapters.ledger_chain import FIRST_HASH, Batch, chained, sealed
from rackgrid.adapters.ledger_columns import Entry
from rackgrid.adapters.ledger_file import Mend, Origin
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.errors import StoreError

Told = tuple[Batch, Sequence[Entry]]
"""A batch and its rows."""
CACHE_KB: Final = 64
"""Pages in memory of each copy: a broker has many open."""


class LedgerCopy(LedgerStore):
    """A copy, for writing.

    Raises:
        StoreError: it cannot be opened, or is of a newer version of rackgrid.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, writable=True)
        self.sync()
        self._file.execute(f"PRAGMA cache_size = -{CACHE_KB}")

    def take(self, batches: Sequence[Told], origin: Origin | None = None) -> str:
        """Take whole batches, if they follow what is here; all or none.

        Args:
            batches: each with its rows; who signed them was looked at already.
            origin: what the ledger goes on from, if these are its first.

        Returns:
            Why none was taken, or "".

        Raises:
            StoreError: they could not be written.
        """
        try:
            with self._file:
                last = self.head()
                if origin is not None and not last.id:
                    self._begin(origin)
                    last = self.head()
                for batch, entries in batches:
                    if objection := _objection(last, batch, entries):
                        self._file.rollback()
                        return objection
                    rows = [(each.row, self._boot(each.kernel, each.wall_ns)) for each in entries]
                    self._insert(batch.id, rows)
                    values = (batch.id, batch.hash, batch.vouched, batch.seal, batch.signature)
                    self._file.execute(
                        "INSERT INTO batch (id, hash, vouched, seal, signature)"
                        " VALUES (?, ?, ?, ?, ?)",
                        values,
                    )
                    last = batch
        except (sqlite3.Error, OverflowError) as fault:
            raise StoreError(f"cannot write to the ledger {self.path}: {fault}") from fault
        return ""

    def unfolded(self) -> int:
        """Count how often the owner has summed up old rows that are here one by one.

        The owner's chain vouches for each seal; the sums under it come only to who begins anew.
        """
        seals = "SELECT seal FROM batch WHERE seal IS NOT NULL"
        asked = f"vouched IS NOT NULL AND vouched NOT IN ({seals})"
        return int(self._one(f"SELECT count(*) FROM batch WHERE {asked}")[0])  # noqa: S608

    def mend(self, mend: Mend) -> None:
        """Note in a ledger that came back where it came from.

        Raises:
            StoreError: it could not be written.
        """
        try:
            with self._file:
                values = (mend.batch, mend.keeper, mend.aside)
                self._file.execute("INSERT INTO mend VALUES (?, ?, ?)", values)
        except sqlite3.Error as fault:
            raise StoreError(f"cannot write to the ledger {self.path}: {fault}") from fault


def _objection(last: Batch, batch: Batch, entries: Sequence[Entry]) -> str:
    """Say why a batch does not follow the last one; "" if it does."""
    if batch.id <= last.id:
        return f"batch {batch.id} does not follow batch {last.id}"
    rows = [(each.row, each.kernel) for each in entries]
    if batch.seal is None:
        fits = chained(last.hash, rows, batch.vouched) == batch.hash
    elif last.id and last.seal is None:
        return f"batch {batch.id} sums up rows that are here already"
    else:
        seal = FIRST_HASH if last.seal is None else last.seal
        fits = sealed(seal, batch.hash, rows) == batch.seal
    return "" if fits else f"batch {batch.id} does not hash to what it says after batch {last.id}"
