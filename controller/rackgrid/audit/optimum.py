"""Whether a lawful set of steps has more welfare than the one that was served.

Branch and bound: steps are taken or left, one after another, and a branch is given up when not even
parts of the steps that are left could bring it beyond the best. The bound counts each step's gain
over the cheapest unit of supply, which is no less than what it really gains.

What bids the price cap stays served. A better set that sheds running steps is excused if it gains
at most one eighth of what those are worth: the clearing does not shed for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rackgrid.audit.book import Book, Step

BRANCHES_MAX = 5000
"""The search gives up then: some 50 ms."""
SHED_SHARE = 8


@dataclass(frozen=True, slots=True)
class Best:
    """What was found.

    Attributes:
        welfare: the most that a lawful set has.
        is_excused: whether one of the best sets sheds running steps for too little.
        is_whole: whether the search came to its end.
    """

    welfare: int
    is_excused: bool
    is_whole: bool


def search(book: Book, chosen: Sequence[Step], reached: int) -> Best:
    """Look for a lawful set that has more than `reached`, and keeps what bids the cap."""
    found = _Search(book, chosen, reached)
    found.run()
    return Best(found.best, found.excused, found.branches < BRANCHES_MAX)


class _Search:
    """One search.

    Attributes:
        loose: the steps that may be taken or left, the most gain for the least reserve first.
        base_uc: the cheapest unit of supply.
    """

    def __init__(self, book: Book, chosen: Sequence[Step], reached: int) -> None:
        self.book = book
        self.chosen = chosen
        self.reached = reached
        self.best, self.excused = reached, False
        self.branches = 0
        self.base_uc = book.tiers[0][0] if book.tiers else book.cap_uc
        self.must = [step for step in chosen if step.worth_uc >= book.cap_uc]
        kept = set(self.must)
        loose = [step for step in book.steps if step not in kept]
        # Below the cheapest unit no step is ever lawful.
        self.loose = sorted(
            (step for step in loose if step.worth_uc >= self.base_uc), key=self._scarcity
        )

    def run(self) -> None:
        """Search until the end, or until there are too many branches."""
        power = sum(step.power_mw for step in self.must)
        reserve = sum(step.reserve_mw for step in self.must)
        gain = sum(self._gain(step) for step in self.must)
        pending = [(0, tuple(self.must), power, reserve, gain)]
        while pending and self.branches < BRANCHES_MAX:
            self.branches += 1
            number, taken, power, reserve, gain = pending.pop()
            if not self._may_win(gain + self._most(number, self.book.room_mw - reserve)):
                continue
            if number == len(self.loose):
                self._weigh(taken)
                continue
            step = self.loose[number]
            pending.append((number + 1, taken, power, reserve, gain))
            more_mw, room_mw = power + step.power_mw, reserve + step.reserve_mw
            if more_mw <= self.book.supply_mw and room_mw <= self.book.room_mw:
                with_it = (*taken, step)
                pending.append((number + 1, with_it, more_mw, room_mw, gain + self._gain(step)))

    def _may_win(self, bound: int) -> bool:
        return bound >= self.best if self.best > self.reached else bound > self.reached

    def _weigh(self, taken: Sequence[Step]) -> None:
        if not self.book.is_lawful(taken):
            return
        welfare = self.book.welfare(taken)
        if welfare <= self.reached or welfare < self.best:
            return
        kept = set(taken)
        shed = [step for step in self.chosen if step.running and step not in kept]
        stake = sum(abs(step.worth_uc) * step.power_mw for step in shed)
        excused = bool(shed) and (welfare - self.reached) * SHED_SHARE <= stake
        self.excused = excused or (self.excused and welfare == self.best)
        self.best = welfare

    def _most(self, number: int, room_mw: int) -> int:
        """The most that the steps from `number` on can add, if parts of them could be had."""
        most = 0
        for step in self.loose[number:]:
            if step.reserve_mw > room_mw:
                return most + -(-self._gain(step) * room_mw // step.reserve_mw)
            most += self._gain(step)
            room_mw -= step.reserve_mw
        return most

    def _gain(self, step: Step) -> int:
        return (step.worth_uc - self.base_uc) * step.power_mw

    def _scarcity(self, step: Step) -> float:
        return -self._gain(step) / step.reserve_mw if step.reserve_mw else float("-inf")
