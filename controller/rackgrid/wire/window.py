"""Which datagrams of a boot were taken already: a sliding window over their counters (RFC 6479).

Each counter is taken once, in any order within `WINDOW`; what fell behind further is refused,
because nobody can know any more whether it was taken. One integer holds the bits: shifting 1,024 of
them costs less than a ring of words would in this language.
"""

from __future__ import annotations

from typing import Final

WINDOW: Final = 1024
"""So far may a datagram fall behind the newest of its sender and still be taken, once."""

_MASK: Final = (1 << WINDOW) - 1


class Window:
    """The newest counter that was taken, and a bit for each of those before it."""

    __slots__ = ("_newest", "_taken")

    def __init__(self, spent: int = 0) -> None:
        """Begin.

        Args:
            spent: this counter and all before it count as taken.
        """
        self._newest = spent
        self._taken = _MASK if spent else 0

    def take(self, counter: int) -> bool:
        """Take a counter; False if it was taken before, or is too old to know."""
        ahead = counter - self._newest
        if ahead > 0:
            kept = self._taken << ahead if ahead < WINDOW else 0
            self._taken = (kept | 1) & _MASK
            self._newest = counter
            return True
        if ahead <= -WINDOW:
            return False
        bit = 1 << -ahead
        if self._taken & bit:
            return False
        self._taken |= bit
        return True
