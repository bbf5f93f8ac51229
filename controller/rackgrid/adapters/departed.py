"""Copies of ledgers of nodes that have left the rack: kept for a stated time, and then removed.

A node that is on the roster has its floor reserved, whether it is heard or not: its copy stays, and
so may be the last one there is. A node that is on it no more (it left, or was forgotten) has
nobody who asks for its bills but people; they have as long for it as this node's rows stay as
they are (`keep_days`).

The time counts from when the node was first missed, by a clock that somebody vouches for, and
stands in a file beside the copy (`<node id>.left`). Whoever comes back has a whole time before him.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rackgrid.adapters.store import read_whole, write_whole
from rackgrid.identity import NodeId

LEFT: Final = ".left"
_ID_DIGITS: Final = 16
_log = logging.getLogger("rackgrid.ledger")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long copies of nodes that have left stay.

    Attributes:
        wall_ns: Unix time, ns; None while nobody vouches for it.
    """

    keep_days: int
    wall_ns: Callable[[], int | None]


class Departed:
    """Who has left, of those whose copies are kept here.

    Args:
        folder: of the copies.
        keep_days: so long they stay.
    """

    def __init__(self, folder: Path, keep_days: int) -> None:
        self._folder, self._keep = folder, timedelta(days=keep_days)

    def over(self, members: AbstractSet[NodeId], wall_ns: int) -> list[NodeId]:
        """Note who has left and who is back; say whose time is over.

        Args:
            members: all nodes on the roster.
            wall_ns: Unix time, ns.

        Raises:
            OSError: the folder cannot be read, or written to.
        """
        now = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
        found: list[NodeId] = []
        for owner in sorted(self._owners()):
            path = self._folder / f"{owner:016x}{LEFT}"
            if owner in members:
                path.unlink(missing_ok=True)
                continue
            since = _since(path)
            if since is None or since > now:
                self._note(owner, path, now)
            elif now - since >= self._keep:
                found.append(owner)
        return found

    def _owners(self) -> set[NodeId]:
        if not self._folder.is_dir():
            return set()
        names = (path.name.split(".")[0] for path in self._folder.iterdir())
        return {NodeId(int(name, 16)) for name in names if _is_id(name)}

    def _note(self, owner: NodeId, path: Path, now: datetime) -> None:
        write_whole(path, f"{now.isoformat()}\n".encode(), durable=True)
        _log.warning(
            "node %016x is not on the roster any more: the copy of its ledger stays until %s; who "
            "wants its bills exports them before, with `rackgrid ledger export --file %s`",
            *(owner, (now + self._keep).date(), path.with_suffix(".db")),
        )


def remove(folder: Path, owner: NodeId) -> None:
    """Remove a copy, with what lies beside it; its mark goes last, so that a crash is made up for.

    Raises:
        OSError: it cannot be removed.
    """
    paths = sorted(folder.glob(f"{owner:016x}.*"), key=lambda path: path.suffix == LEFT)
    for path in paths:
        path.unlink(missing_ok=True)
    _log.warning("node %016x left long ago: the copy of its ledger is removed", owner)


def _is_id(name: str) -> bool:
    return len(name) == _ID_DIGITS and all(each in "0123456789abcdef" for each in name)


def _since(path: Path) -> datetime | None:
    """Read when a node was first missed; None if nobody has said, or nobody can read it."""
    try:
        since = datetime.fromisoformat(read_whole(path).decode("ascii").strip())
    except (FileNotFoundError, ValueError):
        return None
    return since if since.tzinfo is not None else None
