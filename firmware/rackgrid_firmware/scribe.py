"""Writes the newest of what it is told, in a thread of its own.

The loop that keeps the deadlines opens no file: on tmpfs, too, a write waits for memory, and memory
may wait for a card. What comes while one is being written replaces what waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Scribe(Generic[T]):
    """A thread that writes; it begins with the first thing told, and ends with the process.

    Args:
        name: of the thread.
        write: called in that thread; raises nothing.
    """

    def __init__(self, name: str, write: Callable[[T], None]) -> None:
        self._write = write
        self._news = threading.Condition()
        self._waiting: list[T] = []
        self._is_idle = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def tell(self, what: T) -> None:
        """Have this written; returns at once."""
        with self._news:
            self._waiting, self._is_idle = [what], False
            self._news.notify_all()
        if self._thread.ident is None:
            self._thread.start()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was told is written; say whether it is."""
        with self._news:
            return self._news.wait_for(lambda: self._is_idle, timeout_s)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting)
                (what,), self._waiting = self._waiting, []
            self._write(what)
            with self._news:
                self._is_idle = not self._waiting
                self._news.notify_all()
