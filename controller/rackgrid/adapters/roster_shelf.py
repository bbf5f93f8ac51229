"""The roster on the disk: written beside the loop, because an SD card can stall for seconds.

A node says in its acks which roster it has stored, and a rack's agreement rests on that word (P7);
so a roster is told to the core only when it would survive a power cut. It is kept in two files,
written one after the other: whichever of them survives a bad block has it. A node that can read
neither has lost its roster. It says so, and has no vote until the rack has given it one again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rackgrid.adapters.checked_line import checked
from rackgrid.adapters.store import read_whole, set_aside, write_whole
from rackgrid.core.roster import NO_ROSTER, Roster, announced
from rackgrid.errors import StoreError
from rackgrid.identity import Stamp
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import RosterUpdate

log = logging.getLogger(__name__)

_FILES: Final = ("roster.a", "roster.b")


class RosterShelf:
    """Where a node's roster lies; one write at a time, in the order asked for."""

    def __init__(self, state_dir: Path) -> None:
        """Read what is there."""
        self._paths = tuple(state_dir / name for name in _FILES)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="roster")
        self.roster = read_roster(self._paths)

    def keep(
        self,
        roster: Roster,
        stored: Callable[[Stamp], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Begin to write; call one of the two in the running loop when that has come to an end.

        `failed` gets a `StoreError`: what the node says of its roster can no longer be kept.
        """
        loop = asyncio.get_running_loop()

        def tell(done: Future[None]) -> None:
            fault = done.exception()
            if fault is None:
                stored(roster.stamp)
            else:
                failed(fault if isinstance(fault, Exception) else StoreError(str(fault)))

        future = self._writer.submit(write_roster, self._paths, roster)
        future.add_done_callback(lambda done: _call(loop, lambda: tell(done)))

    def close(self) -> None:
        """Let a write that is under way end; those behind it are not begun."""
        self._writer.shutdown(wait=True, cancel_futures=True)


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Call in the loop, if it still runs: nobody waits for a write when the daemon has ended."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)


def write_roster(paths: tuple[Path, ...], roster: Roster) -> None:
    """Write a roster so that it survives a power cut.

    Raises:
        StoreError: if it cannot be kept; the one before is still there then.
    """
    for path in paths:
        try:
            write_whole(path, _line(roster), durable=True)
        except OSError as fault:
            error = StoreError(
                f"cannot write {path}: {fault.strerror}: make room or repair the disk; this node"
                " has no part in the rack's agreements until it can write"
            )
            error.errno = fault.errno
            raise error from fault


def read_roster(paths: tuple[Path, ...]) -> Roster:
    """Return the newest roster that any copy has; `NO_ROSTER` if none has one."""
    found = NO_ROSTER
    for path in paths:
        try:
            data = read_whole(path)
        except FileNotFoundError:
            continue
        except OSError as fault:
            log.warning("cannot read %s: %s", path, fault.strerror)
            continue
        roster = _roster(data)
        if roster is None:
            set_aside(path)
        elif roster.stamp > found.stamp:
            found = roster
    return found


def copies_of_roster(state_dir: Path) -> dict[str, bool]:
    """Say of each copy of the roster that is there whether it reads back; changes nothing.

    Raises:
        OSError: if a copy may not be read.
    """
    paths = [path for path in (state_dir / name for name in _FILES) if path.exists()]
    return {path.name: _roster(read_whole(path)) is not None for path in paths}


def _line(roster: Roster) -> bytes:
    """Write it as the wire has it: one codec, one set of tests."""
    return checked(f"rackgrid roster 1 {encode(roster.update(0)).hex()}")


def _roster(data: bytes) -> Roster | None:
    """Read what `_line` wrote; None if it did not write this."""
    words = data.decode("ascii", "replace").split()
    if len(words) != 5 or words[:3] != ["rackgrid", "roster", "1"]:
        return None
    if checked(" ".join(words[:4])) != data:
        return None
    try:
        message = decode(bytes.fromhex(words[3]))
    except ValueError:
        return None
    return announced(message) if isinstance(message, RosterUpdate) else None
