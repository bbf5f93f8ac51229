"""How often something may happen: a steady rate, with a burst on top.

This is the generic cell rate algorithm (ITU-T I.371): one number, the moment at which the
next one would be due at the steady rate. Whoever is ahead of it by more than the burst is refused,
and a refusal costs the sender nothing: it is let in again as soon as it keeps to the rate.
"""

from __future__ import annotations

from typing import Final

SECOND_NS: Final = 1_000_000_000


class Bucket:
    """A steady rate, with a burst on top."""

    __slots__ = ("_due_ns", "_interval_ns", "_slack_ns")

    def __init__(self, per_s: int, burst: int) -> None:
        """Begin full.

        Args:
            per_s: how many a second may happen in the long run.
            burst: how many may happen at once, at least 1.
        """
        assert per_s > 0
        assert burst > 0
        self._interval_ns = SECOND_NS // per_s
        self._slack_ns = self._interval_ns * (burst - 1)
        self._due_ns = 0

    def take(self, now_ns: int) -> bool:
        """Say whether one more may happen now, and count it if it may."""
        due_ns = self._due_ns
        if due_ns <= now_ns:
            self._due_ns = now_ns + self._interval_ns
            return True
        if due_ns - now_ns > self._slack_ns:
            return False
        self._due_ns = due_ns + self._interval_ns
        return True
