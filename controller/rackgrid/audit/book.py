"""The book of a round, as the auditor reads it: steps in order of merit, and supply in tiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A step of somebody's bid.

    Attributes:
        order: its place in merit: worth, running, who got least, who, and their own order.
    """

    node: str
    bit: int
    worth_uc: int
    power_mw: int
    reserve_mw: int
    running: bool
    order: tuple[int, bool, int, int, int]


@dataclass(frozen=True, slots=True)
class Book:
    """What was cleared.

    Attributes:
        tiers: (price, source, power) of what the floors leave over, cheapest first.
        room_mw: the most that served steps may reserve.
    """

    steps: tuple[Step, ...]
    tiers: tuple[tuple[int, str, int], ...]
    room_mw: int
    cap_uc: int
    overcommitted: bool

    @property
    def supply_mw(self) -> int:
        """All that is left above the floors."""
        return sum(power for _, _, power in self.tiers)

    def marginal(self, power_mw: int) -> tuple[int, str] | None:
        """Price and source of the last unit used; of the first, while none is."""
        passed = 0
        for price, source, power in self.tiers:
            passed += power
            if max(power_mw, 1) <= passed:
                return price, source
        return None

    def welfare(self, steps: Iterable[Step]) -> int:
        """Worth of the steps less the cost of their energy."""
        worth = left = 0
        for step in steps:
            worth += step.worth_uc * step.power_mw
            left += step.power_mw
        for price, _, power in self.tiers:
            used = min(left, power)
            worth -= price * used
            left -= used
        return worth

    def admits(self, power_mw: int, reserve_mw: int, lowest_uc: int) -> bool:
        """Whether steps of these sums fit, and the least worth of them pays the dearest unit."""
        dearest = self.marginal(power_mw)
        return (
            power_mw <= self.supply_mw
            and reserve_mw <= self.room_mw
            and dearest is not None
            and lowest_uc >= dearest[0]
        )

    def is_lawful(self, steps: Sequence[Step]) -> bool:
        """Whether these steps fit together, and none is worth less than a unit that is used."""
        return not steps or self.admits(
            sum(step.power_mw for step in steps),
            sum(step.reserve_mw for step in steps),
            min(step.worth_uc for step in steps),
        )
