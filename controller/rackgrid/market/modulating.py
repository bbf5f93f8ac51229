"""Modulating loads: one output with several levels, bid as stages that build on each other.

Each stage is a step of its own: what the next level takes more, at what that more is worth. The
market takes stages by their worth, so a later one must not be worth more than an earlier one: where
a user says otherwise (a fan that is of little use below half its speed), the levels that it would
be a mistake to stop at are left out, and their stages become one.

A later stage may fit where an earlier one does not. The load then runs at the highest level that
what was granted is enough for, and takes less than that, never more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rackgrid.market.curve import BID_STEPS_MAX, Step


@dataclass(frozen=True, slots=True)
class Level:
    """A level at which it can run.

    Attributes:
        power_mw: what it takes there, mW.
        worth_uc_per_h: what an hour at that level is worth, micro-currency.
    """

    power_mw: int
    worth_uc_per_h: int


MW_PER_KW = 1_000_000


def stages(levels: Sequence[Level], running_mw: int, price_cap_uc: int) -> tuple[Step, ...]:
    """Bid the levels of a load, lowest first.

    Args:
        levels: by rising power, more than nothing each; off is none of them.
        running_mw: what the level takes that it is at, mW; 0 while it is off.
        price_cap_uc: no worth is above it, uc per kWh.

    Returns:
        Steps whose worth never rises.
    """
    kept = concave(levels)
    assert len(kept) <= BID_STEPS_MAX, "a bid has a limited number of steps"
    steps: list[Step] = []
    below = Level(0, 0)
    for level in kept:
        more_mw = level.power_mw - below.power_mw
        worth_uc = (level.worth_uc_per_h - below.worth_uc_per_h) * MW_PER_KW // more_mw
        runs = level.power_mw <= running_mw
        steps.append(Step(min(worth_uc, price_cap_uc), more_mw, more_mw, runs))
        below = level
    return tuple(steps)


def concave(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Leave out the levels at which a stage would be worth less per kWh than the one after it."""
    kept: list[Level] = [Level(0, 0)]
    for level in levels:
        assert level.power_mw > kept[-1].power_mw, "levels rise, and each takes power"
        while len(kept) > 1 and _rises(kept[-2], kept[-1], level):
            kept.pop()
        kept.append(level)
    return tuple(kept[1:])


def reached(levels: Sequence[Level], granted_mw: int) -> Level | None:
    """The highest level that a grant is enough for; None: off."""
    return next((each for each in reversed(concave(levels)) if each.power_mw <= granted_mw), None)


def _rises(low: Level, middle: Level, high: Level) -> bool:
    """Whether the stage from the middle level up is worth more per kWh than the one up to it."""
    first_mw, first = middle.power_mw - low.power_mw, middle.worth_uc_per_h - low.worth_uc_per_h
    then_mw, then = high.power_mw - middle.power_mw, high.worth_uc_per_h - middle.worth_uc_per_h
    return then * first_mw > first * then_mw
