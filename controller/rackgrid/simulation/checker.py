"""Checks that stand outside the code under test and look at the plant's true state.

They know nothing of books, grants or elections beyond what a node publishes: they compare what the
loads really draw, and what nodes hold, with what the feed can give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

VIOLATIONS_MAX = 100


@dataclass(slots=True)
class Checker:
    """Collects violations of the invariants, by their numbers.

    Attributes:
        capacity_mw: of the feed.
        peak_mw: the highest true draw seen: a check that never came near its limit proves little.
    """

    capacity_mw: int
    violations: list[str] = field(default_factory=list[str])
    peak_mw: int = 0
    _before_mw: int = 0
    _bound_ns: int = 0
    _pledged_ns: int = 0
    _surprise_mw: int = 0
    _surprise_ns: int = 0

    def shrunk(self, now_ns: int, capacity_mw: int, bound_ns: int) -> None:
        """The feed gives less from now on; the rack has `bound_ns` to follow."""
        self._before_mw = self.limit_mw(now_ns)
        self._bound_ns = max(now_ns + bound_ns, self._pledged_ns)
        self.capacity_mw = capacity_mw

    def pledged(self, now_ns: int, until_ns: int) -> None:
        """A node restarts, and nobody can shed it until then: a shortage may have to wait."""
        self._pledged_ns = max(self._pledged_ns, until_ns)
        if now_ns < self._bound_ns:
            self._bound_ns = max(self._bound_ns, until_ns)

    def surprised(self, until_ns: int, extra_mw: int) -> None:
        """Physics draws so much on top, which the rack cannot know before it is metered."""
        self._surprise_mw = max(self._surprise_mw, extra_mw)
        self._surprise_ns = max(self._surprise_ns, until_ns)

    def limit_mw(self, now_ns: int) -> int:
        """What may be drawn now."""
        limit_mw = self.capacity_mw
        if now_ns < self._bound_ns:
            limit_mw = max(limit_mw, self._before_mw)
        if now_ns >= self._surprise_ns:
            self._surprise_mw = 0
        return limit_mw + self._surprise_mw

    def draw(self, now_ns: int, total_mw: int) -> None:
        """I1: Σ true draw is at most the capacity."""
        self.peak_mw = max(self.peak_mw, total_mw)
        if total_mw > self.limit_mw(now_ns):
            self._violated(now_ns, f"I1 draw {total_mw} mW of {self.limit_mw(now_ns)} mW")

    def held(self, now_ns: int, total_mw: int) -> None:
        """I2: Σ floors + Σ live holdings are at most the capacity."""
        if total_mw > self.limit_mw(now_ns):
            limit_mw = self.limit_mw(now_ns)
            self._violated(now_ns, f"I2 floors and holdings {total_mw} mW of {limit_mw} mW")

    def required(self, now_ns: int, off: Sequence[int]) -> None:
        """I3: a required load has power."""
        if off:
            self._violated(now_ns, f"I3 a required load is off at {list(off)}")

    def raisers(self, now_ns: int, names: Sequence[str]) -> None:
        """I4: no two brokers may raise at the same time."""
        if len(names) > 1:
            self._violated(now_ns, f"I4 may raise at once: {', '.join(names)}")

    def acked(self, now_ns: int, name: str, before: int, after: int) -> None:
        """I5: a node that remembers acking a term never acks a lower one."""
        if after < before:
            self._violated(now_ns, f"I5 {name} acks term {after} after {before}")

    def stood(self, now_ns: int, name: str, before: int, term: int, reserved_until: int) -> None:
        """I5: a node never stands twice for a term, in no boot, nor for one not reserved."""
        if term <= before:
            self._violated(now_ns, f"I5 {name} stands for term {term} after {before}")
        if term >= reserved_until:
            self._violated(
                now_ns, f"I5 {name} stands for term {term}, reserved to {reserved_until}"
            )

    def complain(self, now_ns: int, what: str) -> None:
        """Take a violation that was found elsewhere."""
        self._violated(now_ns, what)

    def _violated(self, now_ns: int, what: str) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f"{now_ns / 1e6:.3f} ms: {what}")
