"""Checks that stand outside the code under test and look at the plant's true state.

They know nothing of books, grants or elections beyond what a node publishes: they add up what the
loads really draw, and compare it with what the feed can give.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rackgrid.simulation.firmware import SimFirmware

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

    def draw(self, now_ns: int, boards: list[SimFirmware]) -> None:
        """I1: Σ true draw is at most the capacity. I3: a required load has power."""
        total_mw = sum(board.total_mw(now_ns) for board in boards)
        self.peak_mw = max(self.peak_mw, total_mw)
        if total_mw > self.capacity_mw:
            self._violated(now_ns, f"I1 draw {total_mw} mW of {self.capacity_mw} mW")
        if any(board.is_required_off() for board in boards):
            self._violated(now_ns, "I3 a required load is off")

    def holdings(self, now_ns: int, floors_mw: int, holdings_mw: int) -> None:
        """I2: Σ floors + Σ live holdings are at most the capacity."""
        if floors_mw + holdings_mw > self.capacity_mw:
            self._violated(now_ns, f"I2 floors {floors_mw} + holdings {holdings_mw} mW")

    def term(self, now_ns: int, name: str, before: int, after: int) -> None:
        """I5: terms never go back at a node."""
        if after < before:
            self._violated(now_ns, f"I5 {name} went from term {before} back to {after}")

    def _violated(self, now_ns: int, what: str) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f"{now_ns / 1e6:.3f} ms: {what}")
