"""Where the sampling threads leave their readings for the loop that keeps the deadlines.

Neither waits for the other: a reading is put into a bounded queue, whose oldest gives way, and a
byte wakes the loop; while it has not come round, no second byte is sent. Appending to a deque and
taking from it are atomic in CPython, so no lock is held by whoever is preempted.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque

from rackgrid_firmware.device import Reading

READINGS_MAX = 512
"""More than a busy loop leaves unread: 32 meters at 14 Hz for a second."""


class Mailbox:
    """Readings on their way from threads to the loop."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=READINGS_MAX)
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._is_rung = False

    def fileno(self) -> int:
        """Give the descriptor that is readable when something came, for a selector."""
        return self._reader.fileno()

    def put(self, reading: Reading) -> None:
        """Leave a reading; from any thread, and without waiting."""
        self._readings.append(reading)
        if not self._is_rung:
            self._is_rung = True
            with contextlib.suppress(OSError):  # closed: nobody reads any more
                self._writer.send(b"x")

    def take(self) -> list[Reading]:
        """Take everything that has come, oldest first."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(64)
        self._is_rung = False  # before the queue is looked at: what comes from now on rings again
        taken: list[Reading] = []
        while self._readings:
            taken.append(self._readings.popleft())
        return taken

    def close(self) -> None:
        """Take nothing any more."""
        self._reader.close()
        self._writer.close()
