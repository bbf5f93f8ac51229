"""The folder of copies: one file a node, named by its id; and what becomes of those that differ.

A copy has its owner's retention. When the owner has summed up old rows often enough, the copy is
begun anew beside the former, of which the owner then sends the sums (`outgrown`). The new one takes
the former's place if it is of the same chain and sums up to the same, to the last unit; otherwise
the former stays beside it, as what proves that. What is of nodes that have left: `departed`; what
lies beside a copy since its format changed: `ledger_backup`.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Final

from rackgrid.adapters import departed
from rackgrid.adapters.keys import node_id_of
from rackgrid.adapters.ledger_backup import need, old_backups
from rackgrid.adapters.ledger_chain import Batch
from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.adapters.ledger_file import LedgerFile, Mend
from rackgrid.adapters.ledger_schema import free_name
from rackgrid.errors import StoreError
from rackgrid.identity import NodeId
from rackgrid.market.row import Totals

OPEN_MAX: Final = 16
"""Copies that are open at a time."""
ANEW_S: Final = 3600.0
"""A copy is begun anew at most so often."""
FOLDS_MAX: Final = 30
"""An owner sums up a day a day: so old are the rows that a copy has and the owner has not, days."""
LOOK_S: Final = 86_400.0
"""A copy is looked at so often, whether it is outgrown; and a backup, whether it is needed."""
ASIDES_MAX: Final = 4
"""Copies of one node that were set aside: with more, somebody should look."""
_log = logging.getLogger("rackgrid.ledger")


class Copies:
    """The copies that this node keeps of others' ledgers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[NodeId, LedgerCopy] = {}
        self._held: NodeId | None = None
        """Whose copy is being written, over several messages."""
        self._anew: dict[NodeId, tuple[float, LedgerCopy | None]] = {}
        self._looked: dict[NodeId, float] = {}
        self._needed: dict[Path, tuple[float, str]] = {}
        """When a backup was looked at, and why it stays."""
        self._complaint = ""

    def path(self, owner: NodeId) -> Path:
        """Where a copy lies."""
        return self.folder / f"{owner:016x}.db"

    def find(self, owner: NodeId) -> LedgerCopy | None:
        """Open a copy, if there is one."""
        if owner not in self._open and not self.path(owner).is_file():
            return None
        try:
            return self.copy(owner)
        except StoreError as fault:
            self.complain(str(fault))
            return None

    def copy(self, owner: NodeId) -> LedgerCopy:
        """Open a copy, or begin one; one that is damaged is set aside.

        Raises:
            StoreError: it can be neither.
        """
        found = self._open.pop(owner, None)
        if found is None:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            found = _sound(self.path(owner))
        while len(self._open) >= OPEN_MAX:
            oldest = next(each for each in self._open if each != self._held)
            self._open.pop(oldest).close()
        self._open[owner] = found
        return found

    def hold(self, owner: NodeId) -> LedgerCopy:
        """Open a copy that stays open whatever else is opened, until the next one is held.

        Raises:
            StoreError: as `copy`.
        """
        self._held = owner
        return self.copy(owner)

    def head(self, owner: NodeId) -> Batch | None:
        """Say what a copy ends with; None if there is none."""
        found = self.find(owner)
        return None if found is None else found.head()

    def anew(self, owner: NodeId, now_s: float) -> LedgerCopy | None:
        """Begin a copy beside the one that its owner does not know any more.

        Returns:
            None if that was tried just now, or others lie aside already.
        """
        asides = list(self.folder.glob(f"{owner:016x}.db.aside*"))
        last_s, _ = self._anew.get(owner, (-ANEW_S, None))
        if now_s - last_s < ANEW_S or len(asides) >= ASIDES_MAX:
            self.complain(
                f"the ledger of node {owner:016x} is not what its copy here goes on from: look at "
                f"{self.path(owner)}*, with `rackgrid ledger verify --file`"
            )
            return None
        path = self._beside(owner)
        _remove(path)
        fresh = LedgerCopy(path)
        self._anew[owner] = (now_s, fresh)
        return fresh

    def outgrown(self, owner: NodeId, now_s: float) -> LedgerCopy | None:
        """Begin a copy anew whose owner has summed up many rows that it has; None if it has not."""
        last_s = self._looked.get(owner)
        if last_s is not None and now_s - last_s < LOOK_S:
            return None
        self._looked[owner] = now_s
        return self.anew(owner, now_s) if self.copy(owner).unfolded() >= FOLDS_MAX else None

    def abandon(self, owner: NodeId) -> None:
        """Give up a copy that was begun anew: the former is as good as it was."""
        last_s, fresh = self._anew.get(owner, (0.0, None))
        if fresh is not None:
            self._anew[owner] = (last_s, None)
            fresh.close()
            _remove(self._beside(owner))

    def remove(self, owner: NodeId) -> None:
        """Remove a copy of a node that left long ago.

        Raises:
            OSError: it cannot be removed.
        """
        self.abandon(owner)
        found = self._open.pop(owner, None)
        if found is not None:
            found.close()
        departed.remove(self.folder, owner)

    def clear(self, now_s: float, wall_ns: int) -> None:
        """Remove a backup that is not needed any more; one at a time, for its copy is read whole.

        Args:
            wall_ns: Unix time, ns.

        Raises:
            OSError: it cannot be removed.
        """
        for owner, backup in old_backups(self.folder, wall_ns):
            last_s, before = self._needed.get(backup, (-LOOK_S, ""))
            copy = self.find(owner) if now_s - last_s >= LOOK_S else None
            if copy is None:
                continue
            try:
                why = need(backup, copy)
            except (StoreError, sqlite3.Error, TypeError, ValueError) as fault:
                why = str(fault) or "it cannot be read"
            self._needed[backup] = now_s, why
            if not why:
                _remove(backup)
                _log.info("%s is removed: the copy has gone on from it, and verifies", backup)
            elif why != before:
                _log.warning("%s stays beside its copy: %s", backup, why)
            return

    def settle(self, owner: NodeId) -> Batch:
        """Put a copy that was begun anew in the other's place; say what the copy ends with.

        Raises:
            StoreError: it cannot be opened.
        """
        last_s, fresh = self._anew.get(owner, (0.0, None))
        if fresh is not None:
            self._anew[owner] = (last_s, None)
            former = self.copy(owner)
            is_same = _goes_on(fresh, former)
            self._open.pop(owner).close()
            fresh.close()
            path = self.path(owner)
            if is_same:
                _remove(path)
            else:
                aside = free_name(path, ".aside")
                path.rename(aside)
                _log.warning(
                    "node %016x goes on from another ledger than its copy here: that is kept as %s",
                    *(owner, aside),
                )
            self._beside(owner).rename(path)
        return self.copy(owner).head()

    def beside(self, path: Path) -> LedgerCopy:
        """Begin the file that a lost ledger comes back into; one that was begun before goes on.

        Raises:
            StoreError: it cannot be made.
        """
        return _sound(path.with_name(f"{path.name}.back"))

    def bring_back(self, path: Path, found: LedgerCopy | None, keeper: NodeId | None) -> None:
        """Put what came back in the place of the empty ledger, if anything did."""
        if found is None or keeper is None:
            return
        try:
            head, key = found.head(), found.public_key()
            fresh = LedgerFile(path, writable=False)
            origin = fresh.origin()
            fresh.close()
            aside = "" if origin is None else origin.aside
            if head.id:
                found.mend(Mend(head.id, f"{keeper:016x}", aside))
            found.close()
            if not head.id:
                return
            _remove(path)
            found.path.rename(path)
        except StoreError as fault:
            self.complain(str(fault))
            return
        whose = "nobody" if key is None else f"{node_id_of(key):016x}"
        _log.warning(
            "the ledger came back from the copy of node %016x, up to batch %d (signed by %s)",
            *(keeper, head.id, whose),
        )

    def complain(self, complaint: str) -> None:
        """Say what is wrong, once."""
        if complaint != self._complaint:
            _log.error("copies of ledgers: %s", complaint)
        self._complaint = complaint

    def close(self) -> None:
        """Let go of all files."""
        for copy in self._open.values():
            copy.close()
        self._open = {}
        for _, fresh in self._anew.values():
            if fresh is not None:
                fresh.close()
        self._anew = {}

    def _beside(self, owner: NodeId) -> Path:
        return self.folder / f"{owner:016x}.new.db"


def _goes_on(fresh: LedgerCopy, former: LedgerCopy) -> bool:
    """Whether a copy has all of another: the same chain, and the same sums up to its end.

    What was granted is left out: of a sum part of which nobody knows it of, it is unknown.
    """
    head = former.head()
    there = fresh.batch(head.id)
    if there is None or there.hash != head.hash:
        return False
    if not former.unfolded():
        return True

    def sums(copy: LedgerCopy) -> dict[str, Totals]:
        totals = copy.totals(head.id)
        return {name: replace(each, granted_mj=0, taken_mj=0) for name, each in totals.items()}

    return sums(fresh) == sums(former)


def _sound(path: Path) -> LedgerCopy:
    """Open a copy that SQLite finds nothing wrong with; set one aside that is damaged."""
    copy = None
    try:
        copy = LedgerCopy(path)
        damage = copy.damage()
    except StoreError as fault:
        if not path.is_file():
            raise
        damage = str(fault)
    if copy is not None:
        if not damage:
            return copy
        copy.close()
    aside = free_name(path, ".bad")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    _log.error("a copy of a ledger is damaged (%s): it is kept as %s", damage, aside)
    return LedgerCopy(path)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
