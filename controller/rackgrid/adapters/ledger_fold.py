"""Summing up old rows of the ledger by the day, so that it stays small and still adds up.

A year of one node is a hundred thousand rows. Those older than is wished become one row a load, day
(of UTC) and kernel boot: energy, money, counters and what divisions have left over are the sums to
the last unit, and only the prices of each moment are gone. Whole batches are summed up, the oldest
first; `ledger_chain` says how the chain goes on over them. Rows that nobody could date go with the
dated ones after them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rackgrid.adapters.ledger_chain import FIRST_HASH, chained, sealed
from rackgrid.adapters.ledger_columns import (
    COLUMNS,
    INSERT,
    JOINED,
    Entry,
    entry_of,
    numbers_of,
)
from rackgrid.market.row import follows, merged

DAY_NS: Final = 86_400_000_000_000
ROWS_MAX: Final = 10_000
"""Rows that are summed up in one transaction: an SD card takes a second or two for it."""


@dataclass(frozen=True, slots=True)
class _Old:
    """A row with its keys in the file."""

    id: int
    load: int
    boot: int
    entry: Entry

    @property
    def group(self) -> tuple[int, int, int | None]:
        """What is summed up together: a load's rows of a boot and day."""
        start_ns = self.entry.start_wall_ns
        return self.load, self.boot, None if start_ns is None else start_ns // DAY_NS


def fold(file: sqlite3.Connection, last_hash: bytes, until_ns: int) -> int:
    """Sum up the oldest rows, as many as go into one transaction.

    Args:
        file: in a transaction, or about to begin one.
        last_hash: of the newest batch.
        until_ns: rows that ended before then, Unix time, ns.

    Returns:
        So many rows were summed up.
    """
    newest = "SELECT id, seal FROM batch WHERE seal IS NOT NULL ORDER BY id DESC LIMIT 1"
    before, seal = file.execute(newest).fetchone() or (0, FIRST_HASH)
    old = _old(file, before, until_ns)
    if not old:
        return 0
    last = old[-1].entry.batch
    sums = _sums(old)
    kept = file.execute("SELECT hash FROM batch WHERE id = ?", (last,)).fetchone()
    if kept is None:
        return 0  # The chain is broken here; what is summed up could not be told from what was.
    seal = sealed(seal, kept[0], [(each.entry.row, each.entry.kernel) for each in sums])
    file.execute("DELETE FROM entry WHERE id BETWEEN ? AND ?", (old[0].id, old[-1].id))
    file.executemany(
        INSERT,
        [
            (each.id, last, each.load, each.boot, *numbers_of(row))
            for each in sums
            for row in (each.entry.row,)
        ],
    )
    file.execute("DELETE FROM batch WHERE id > ? AND id < ?", (before, last))
    file.execute("UPDATE batch SET seal = ? WHERE id = ?", (seal, last))
    vouching = chained(last_hash, [], seal)
    file.execute("INSERT INTO batch (hash, vouched) VALUES (?, ?)", (vouching, seal))
    return len(old)


def _old(file: sqlite3.Connection, before: int, until_ns: int) -> list[_Old]:
    """Find the rows of the oldest batches after one that have none but old rows."""
    asked = (
        f"SELECT entry.id, entry.load, entry.boot, {COLUMNS}"  # noqa: S608  # made of constants
        f" FROM entry {JOINED} WHERE entry.batch > ? ORDER BY entry.id"
    )
    found: list[_Old] = []
    dated: list[int] = []
    for key, load, boot, *columns in file.execute(asked, (before,)):
        entry = entry_of(*columns)
        ends_ns = None if entry.wall_ns is None else entry.wall_ns + entry.row.end_ns
        is_full = len(found) >= ROWS_MAX and entry.batch != found[-1].entry.batch
        if is_full or (ends_ns is not None and ends_ns > until_ns):
            dated = [batch for batch in dated if batch < entry.batch]
            break
        found.append(_Old(key, load, boot, entry))
        if ends_ns is not None and entry.batch not in dated[-1:]:
            dated.append(entry.batch)
    last = dated[-1] if dated else before
    return [each for each in found if each.entry.batch <= last]


def _sums(old: Sequence[_Old]) -> list[_Old]:
    """Make one row of each group, where its rows follow each other; in the order of their keys."""
    sums: dict[tuple[int, int, int | None], _Old] = {}
    done: list[_Old] = []
    for each in old:
        so_far = sums.get(each.group)
        row = each.entry.row
        if so_far is not None and follows(row, so_far.entry.row):
            row = merged(so_far.entry.row, row)
        elif so_far is not None:
            done.append(so_far)
        entry = Entry(row, each.entry.kernel, each.entry.wall_ns, each.entry.batch)
        sums[each.group] = _Old(each.id, each.load, each.boot, entry)
    return sorted([*done, *sums.values()], key=lambda each: each.id)
