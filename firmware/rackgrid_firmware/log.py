"""The firmware's log: one line per event on stderr, `event key=value ...`.

With the priority in front when the journal reads it. No logging package: the firmware has few lines
to say, and all at once.

Whoever reads may stop to: a journal whose card stalls, a pipe that nobody empties. A line must
never keep a deadline waiting, so while the firmware serves (`detached`) lines are put into a short
queue, and a thread writes them. What does not fit is lost, and a line in its place says how much.

Source: sd-daemon(3) (priorities).
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections import deque
from collections.abc import Generator
from typing import Final

ERROR, WARNING, INFO = 3, 4, 6
"""Priorities of syslog."""
LINES_MAX: Final = 1000
_DRAIN_S: Final = 1.0


class Queue:
    """Lines that wait for a thread to write them.

    Args:
        sink: file descriptor that they go to.
    """

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._lines: deque[bytes] = deque()
        self._lost = 0
        self._news = threading.Condition()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Have a line written; returns at once."""
        with self._news:
            # Once some are lost, the queue empties by half first: one gap, and no dotted line.
            if len(self._lines) >= (LINES_MAX // 2 if self._lost else LINES_MAX):
                self._lost += 1
                return
            self._own_up()
            self._lines.append(line.encode(errors="replace"))
            self._news.notify()

    def close(self) -> None:
        """Write what waits, for a second at most: a reader that stands still is left behind."""
        with self._news:
            self._is_ending = True
            self._news.notify()
        self._thread.join(_DRAIN_S)

    def _own_up(self) -> None:
        """Say how many lines are missing here."""
        if self._lost:
            self._lines.append(_line(WARNING, "log-lost", lines=self._lost).encode())
            self._lost = 0

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._lines or self._is_ending)
                if not self._lines:
                    return
                line = self._lines.popleft()
                if not self._lines:
                    self._own_up()
            with contextlib.suppress(OSError):  # nobody reads it any more
                _write(self._sink, line)


_queue: Queue | None = None


@contextlib.contextmanager
def detached() -> Generator[None]:
    """Let no line that is logged in here wait for whoever reads it."""
    global _queue  # a log is the process's
    assert _queue is None, "it is already"
    try:
        queue = Queue(sys.stderr.fileno())
    except io.UnsupportedOperation:  # it is in memory, and keeps nobody waiting
        yield
        return
    _queue = queue
    try:
        yield
    finally:
        _queue = None
        queue.close()


def log(priority: int, event: str, **fields: object) -> None:
    """Write one line to stderr, or have it written."""
    line = _line(priority, event, **fields)
    if _queue is not None:
        _queue.put(line)
        return
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        sys.stderr.write(line)
        sys.stderr.flush()


def _line(priority: int, event: str, **fields: object) -> str:
    words = [event, *(f"{key}={_value(value)}" for key, value in fields.items())]
    mark = f"<{priority}>" if "JOURNAL_STREAM" in os.environ else "firmware: "
    return f"{mark}{' '.join(words)}\n"


def _value(value: object) -> str:
    text = str(value).replace("\n", " ").replace('"', "'")
    return f'"{text}"' if " " in text or not text else text


def _write(sink: int, line: bytes) -> None:
    while line:
        line = line[os.write(sink, line) :]
