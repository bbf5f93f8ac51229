"""When the ledger's rows are written: so long after the oldest of them came, and not by the clock.

A flash card writes no less than a page of 4 KiB, and a minute's rows are a tenth of one: what a day
costs is how often something is written, not how much (`tests/bench/bench_ledger.py --part write`).
A clock that strikes each minute writes once for every price of a minute. Who waits for the oldest
row writes two of them at once, or more if they come more often, and no row waits longer.

So the wait is a little more than the minute after which prices commonly come: the next price is
then found before it is over, wherever in its round the node looks.
"""

from __future__ import annotations

from typing import Final

WAIT_S: Final = 65.0
"""So long a row waits in memory: what a power cut can take of what was booked."""


class Pace:
    """When to write. The caller sees to it that one thread at a time asks.

    Args:
        wait_s: so long the oldest row may wait, s.
    """

    def __init__(self, wait_s: float = WAIT_S) -> None:
        assert wait_s > 0
        self._wait_s = wait_s
        self._due_s: float | None = None

    def came(self, now_s: float) -> None:
        """Take note of a row; `now_s` is of any clock that runs on."""
        if self._due_s is None:
            self._due_s = now_s + self._wait_s

    def tried(self, now_s: float, *, waits: bool) -> None:
        """Take note that it was written, or that the disk took nothing.

        Args:
            now_s: when that was over.
            waits: whether rows wait still: such as came meanwhile, or for which there is no room.
        """
        self._due_s = now_s + self._wait_s if waits else None

    def is_due(self, now_s: float) -> bool:
        """Say whether to write: the oldest row has waited, or there is time to close a batch."""
        return self._due_s is None or self._due_s <= now_s

    def rest_s(self, now_s: float) -> float:
        """Say after how long to ask again, s."""
        return self._wait_s if self._due_s is None else max(0.0, self._due_s - now_s)
