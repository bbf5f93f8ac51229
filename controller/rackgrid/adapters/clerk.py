"""The clerk: the thread beside the loop that deals with copies of ledgers (`copyist`).

Posts wait in a bounded queue; one that finds no room is dropped, as a datagram may always be. What
the clerk sends is handed to the loop, which seals it between two messages that decide.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from rackgrid.adapters.copyist import Circle, Copyist
from rackgrid.adapters.departed import Retention
from rackgrid.adapters.group import Group
from rackgrid.adapters.ledger_file import LEDGER
from rackgrid.adapters.signer import Signer
from rackgrid.adapters.signing import Purpose
from rackgrid.config import Config
from rackgrid.errors import SigningError
from rackgrid.identity import NodeId
from rackgrid.wire.post import decode, encode
from rackgrid.wire.vocabulary import Rejection

INBOX_MAX: Final = 256
JOIN_S: Final = 2.0
_log = logging.getLogger("rackgrid.ledger")


class Clerk:
    """The thread.

    Args:
        me: whose clerk it is.
        path: of the node's own ledger.
        signer: checks who signed what.
        send: sends bytes to a node, or to all; called in the clerk's thread.
        retention: of copies.
    """

    def __init__(
        self,
        me: NodeId,
        path: Path,
        signer: Signer,
        send: Callable[[NodeId | None, bytes], None],
        retention: Retention | None = None,
    ) -> None:
        self.is_new = False
        """Whether the node has never run before: nobody has a copy of its ledger then."""
        self._signer = signer
        self._copyist = Copyist(
            me, path, self._verify, lambda to, post: send(to, encode(post)), retention
        )
        self._circle = Circle()
        self._inbox: queue.Queue[tuple[NodeId, bytes] | None] = queue.Queue(INBOX_MAX)
        self._wrote = threading.Event()
        self._ending = False
        self._seeks = threading.Event()
        self._complaint = ""
        self._thread = threading.Thread(target=self._run, name="clerk", daemon=True)
        self._thread.start()

    @property
    def seeking(self) -> bool:
        """Whether the node's own ledger is still looked for: nothing may be written to it."""
        return self._seeks.is_set()

    def seek(self) -> None:
        """Look for the node's own ledger: what lies there is empty."""
        self._seeks.set()
        self._wake()

    def hear(self, sender: NodeId, payload: bytes) -> None:
        """Take what another node says; never waits."""
        try:
            self._inbox.put_nowait((sender, payload))
        except queue.Full:
            return

    def look(self, circle: Circle) -> None:
        """Take note of who is there."""
        if circle != self._circle:
            self._circle = circle
            self._wake()

    def wrote(self) -> None:
        """Take note that the node's own ledger has a new batch; from any thread."""
        self._wrote.set()
        self._wake()

    def close(self) -> None:
        """End, and let go of all files."""
        self._ending = True
        self._wake()
        self._thread.join(JOIN_S)

    def _wake(self) -> None:
        try:
            self._inbox.put_nowait(None)
        except queue.Full:
            return  # It is awake.

    def _run(self) -> None:
        due_s = monotonic()
        while not self._ending:
            try:
                found = self._inbox.get(timeout=max(0.0, due_s - monotonic()))
            except queue.Empty:
                found = None
            try:
                due_s = self._step(found)
                self._complaint = ""
            except (OSError, sqlite3.Error) as fault:
                due_s = monotonic() + 1.0
                if str(fault) != self._complaint:
                    _log.error("copies of ledgers: %s", fault)
                self._complaint = str(fault)
        self._copyist.close()

    def _step(self, found: tuple[NodeId, bytes] | None) -> float:
        copyist, now_s = self._copyist, monotonic()
        copyist.circle = self._circle
        if self._seeks.is_set() and not copyist.seeking:
            copyist.seek(now_s)
        if self._wrote.is_set():
            self._wrote.clear()
            copyist.wrote(now_s)
        if found is not None:
            sender, payload = found
            post = decode(payload)
            if not isinstance(post, Rejection):
                copyist.hear(sender, post, now_s)
        due_s = copyist.tick(now_s)
        if self._seeks.is_set() and not copyist.seeking:
            self._seeks.clear()
        return due_s

    def _verify(self, key: bytes, purpose: Purpose, data: bytes, signature: bytes) -> bool:
        try:
            return self._signer.verify(key, purpose, data, signature).result()
        except (SigningError, CancelledError, RuntimeError) as fault:
            _log.warning("a copy's signature cannot be checked: %s", fault or "the node ends")
            return False


def hired(
    me: NodeId, config: Config, signer: Signer, group: Group, wall_ns: Callable[[], int | None]
) -> Clerk:
    """Start a clerk that speaks on the rack's network, in the running loop."""
    loop = asyncio.get_running_loop()

    def send(to: NodeId | None, payload: bytes) -> None:
        with suppress(RuntimeError):  # The loop has ended, and the node with it.
            loop.call_soon_threadsafe(group.send_post, to, payload)

    retention = Retention(config.node.keep_days, wall_ns)
    clerk = Clerk(me, config.node.state_dir / LEDGER, signer, send, retention)
    group.post = clerk.hear
    return clerk
