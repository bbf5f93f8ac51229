"""What lies beside a copy since its format changed: kept until the copy has proven itself.

A migration touches no row, and lays what the file was beside it all the same (`ledger_schema`). Of
a copy there is more to go by: its owner has the original, and goes on with it. So the backup of a
copy goes once it is a month old, if the copy has taken batches since then, ends with none but
signed ones, goes on from where the backup ended, and verifies from its first row to its last.

A node's own ledger has no such witness: what lies beside that is its operator's to remove.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.adapters.ledger_file import LedgerFile
from rackgrid.identity import NodeId

KEEP_DAYS: Final = 30
_NAME: Final = re.compile(r"([0-9a-f]{16})\.db\.v\d+-(\d{4}-\d\d-\d\d)(\.\d+)?")


def old_backups(folder: Path, wall_ns: int) -> Iterator[tuple[NodeId, Path]]:
    """Find the backups beside copies that are old enough, each with whose copy it is of.

    Args:
        folder: of the copies.
        wall_ns: Unix time, ns.

    Raises:
        OSError: the folder cannot be read.
    """
    today = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).date()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        found = _NAME.fullmatch(path.name)
        made = None if found is None else _day(found[2])
        if found is not None and made is not None and (today - made).days >= KEEP_DAYS:
            yield NodeId(int(found[1], 16)), path


def need(backup: Path, copy: LedgerCopy) -> str:
    """Say why a backup is needed still; "" if it is not. Reads the whole copy once.

    Raises:
        StoreError: the backup cannot be read.
    """
    former = LedgerFile(backup, writable=False)
    end = former.head()
    former.close()
    head, there = copy.head(), copy.batch(end.id)
    if head.id <= end.id or head.signature is None:
        return "its owner has not gone on with it since"
    # A batch that the owner has summed up is not there any more; what came of it is verified.
    if end.id and there is not None and there.hash != end.hash:
        return f"its batch {end.id} is another than that of the backup"
    findings = copy.verify()
    return findings[0] if findings else ""


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None
