"""What SQLite's write-ahead log was written for: pages by cause, and what they are of a flash card.

The kernel writes its own pages whole, so a commit of one page of 512 bytes costs 4 KiB, and a bit
more than that if it lies across the border of two. Counted in the log itself, so that no disk is
needed; it must not have been begun again since (`LOG_PAGES`).

Source: sqlite.org/fileformat2.html, 4 (the log) and 2.6 (`dbstat`, of the pages).
"""

from __future__ import annotations

import sqlite3
import struct
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

KERNEL_PAGE: Final = 4096
_LOG_HEAD: Final = 32
_FRAME_HEAD: Final = 24


def causes(path: Path) -> dict[str, int]:
    """Count the log's pages by what is on them, its commits, and the kernel's pages.

    Args:
        path: of the database; whoever writes it still has it open.
    """
    log = path.with_name(f"{path.name}-wal").read_bytes()
    (size,) = struct.unpack(">I", log[8:12])
    frame = _FRAME_HEAD + size
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
        kinds = {
            page: f"{name}, {kind}"
            for page, name, kind in file.execute("SELECT pageno, name, pagetype FROM dbstat")
        }
    kinds[1] = "page 1, for a file that grows"
    found: Counter[str] = Counter()
    commits = written = 0
    first = _LOG_HEAD
    for at in range(_LOG_HEAD, len(log) - frame + 1, frame):
        page, is_commit = struct.unpack(">II", log[at : at + 8])
        found[kinds.get(page, "other")] += 1
        if is_commit:
            commits += 1
            written += (at + frame - 1) // KERNEL_PAGE - first // KERNEL_PAGE + 1
            first = at + frame
    return {"commits": commits, "pages of the kernel": written, **dict(found.most_common(5))}
