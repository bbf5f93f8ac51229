"""Chance without a generator of the platform: a seed in, the same numbers out.

The core may not import `random`: what it decides must replay. splitmix64 is small, has a period of
2^64 and passes the usual test suites; jitter and nonces need no more, because every message stands
under a MAC and a nonce need only be fresh within a boot.

Source: Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014, figure
13.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1


class Jitter:
    """A stream of 64-bit numbers made of a seed."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next64(self) -> int:
        """Draw the next number, 0 to 2^64 − 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def between(self, low: int, high: int) -> int:
        """Draw a number from `low` to `high`, both included."""
        assert low <= high, "an interval has an inside"
        return low + self.next64() % (high - low + 1)
