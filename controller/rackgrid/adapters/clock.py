"""The node's clocks, and whether it slept.

All timers are CLOCK_MONOTONIC: it never goes back, and NTP only slews it. It stands still while the
machine is suspended, and the rest of the rack does not: a grant that this clock takes for fresh may
long have run out. CLOCK_BOOTTIME counts the sleep, so the two drifting apart is the trace of it
(clock_gettime(2)). A node that slept sheds, and starts over under a new boot id.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

TOLERANCE_NS: Final = 1_000_000
"""A shorter sleep than 1 ms is no sleep: no suspend is so short."""


def monotonic_ns() -> int:
    """Nanoseconds of the clock that all timers and deadlines are in."""
    return time.monotonic_ns()


def boottime_ns() -> int:
    """Nanoseconds since the kernel booted, suspended or not."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class SuspendWatch:
    """Tells how long the machine slept since it was last asked."""

    def __init__(
        self,
        monotonic: Callable[[], int] = monotonic_ns,
        boottime: Callable[[], int] = boottime_ns,
    ) -> None:
        self._monotonic = monotonic
        self._boottime = boottime
        self._ahead = self._bounds()[1]

    def slept_ns(self) -> int:
        """Return how long the machine was suspended since the last call that said so; 0 if not."""
        least, most = self._bounds()
        slept = least - self._ahead
        if slept <= TOLERANCE_NS:
            # A preempted reading is too wide on both sides: the smallest upper bound is the best.
            self._ahead = min(self._ahead, most)
            return 0
        self._ahead = most
        return slept

    def _bounds(self) -> tuple[int, int]:
        """How far BOOTTIME is ahead, at least and at most: it is read between two readings."""
        before = self._monotonic()
        boot = self._boottime()
        after = self._monotonic()
        return boot - after, boot - before
