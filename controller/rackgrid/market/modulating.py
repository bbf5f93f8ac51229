"""Modulating loads: one output with several levels, bid as stages that build on each other.

Each stage is a step of its own: what the next level takes more, at what that more is worth. The
market takes stages by their worth, so a later one must not be worth more than an earlier one: where
a user says otherwise (a fan that is of little use below half its speed), the levels that it would
be a mistake to stop at are left out, and their stages become one.

**Reserve.** The first stage reserves all that the load can take, and the later ones nothing: what
is dimmed takes its full power in each pulse, whatever its level, and a hung firmware may leave the
pin at it. So a level saves energy and never watts of the feed; and the later stages are bid only
while the load is on, for they rest on the first one's reserve. A load starts at its least level.

**Served.** A stage is worth something only on top of those before it: of the stages that a clearing
serves, those up to the first that it refuses count.

Rejected: each stage reserving its own part. Then half a load's watts would be given away while its
pulses still take all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from rackgrid.market.curve import BID_STEPS_MAX, Step

MW_PER_KW = 1_000_000
Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True)
class Level:
    """A level at which a load can run.

    Attributes:
        power_mw: what it takes there on average, mW.
        worth_uc_per_h: what an hour at that level is worth, micro-currency.
    """

    power_mw: int
    worth_uc_per_h: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels of a load, and what each stage is worth.

    Attributes:
        powers_mw: of each level, rising.
        worths_uc: of the stage up to each level, uc per kWh, never rising.
    """

    powers_mw: tuple[int, ...]
    worths_uc: tuple[int, ...]

    def __post_init__(self) -> None:
        assert 0 < len(self.powers_mw) == len(self.worths_uc) <= BID_STEPS_MAX, "a stage a level"
        assert all(a < b for a, b in pairwise((0, *self.powers_mw))), "each level takes more"
        assert all(a >= b for a, b in pairwise(self.worths_uc)), "a later stage is worth no more"


def ladder(levels: Sequence[Level], price_cap_uc: int) -> Ladder | None:
    """Make the ladder of levels that were given by the worth of an hour; None: there are none.

    Args:
        levels: by rising power, more than nothing each; off is none of them.
        price_cap_uc: no worth is above it, uc per kWh.
    """
    kept = concave(levels)
    if not kept:
        return None
    worths = [
        (high.worth_uc_per_h - low.worth_uc_per_h) * MW_PER_KW // (high.power_mw - low.power_mw)
        for low, high in pairwise((Level(0, 0), *kept))
    ]
    powers = tuple(level.power_mw for level in kept)
    return Ladder(powers, tuple(min(worth, price_cap_uc) for worth in worths))


def stages(of: Ladder, whole: Step, reached: int) -> tuple[Step, ...]:
    """Bid the stages of a load.

    Args:
        whole: what it would bid undimmed: its worth, and the most that it can take as reserve.
        reached: how many stages it runs at; means something only while it runs.
    """
    first = Step(whole.worth_uc, of.powers_mw[0], whole.reserve_mw, whole.running)
    if not whole.running:
        return (first,)
    parts = (high - low for low, high in pairwise(of.powers_mw))
    later = enumerate(zip(of.worths_uc[1:], parts, strict=True), 2)
    more = (Step(worth, part_mw, 0, number <= reached) for number, (worth, part_mw) in later)
    return (first, *more)


def served(owners: Sequence[Owner], mask: int) -> dict[Owner, int]:
    """Count the stages of each load that are served; one rests on all that stand before it.

    Args:
        owners: whose each step of a bid is, in its order.
        mask: of the steps that were accepted.
    """
    counts: dict[Owner, int] = {}
    missing: set[Owner] = set()
    for place, owner in enumerate(owners):
        if not mask >> place & 1:
            missing.add(owner)
        elif owner not in missing:
            counts[owner] = counts.get(owner, 0) + 1
    return counts


def concave(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Leave out the levels at which a stage would be worth less per kWh than the one after it."""
    kept: list[Level] = [Level(0, 0)]
    for level in levels:
        assert level.power_mw > kept[-1].power_mw, "levels rise, and each takes power"
        while len(kept) > 1 and _rises(kept[-2], kept[-1], level):
            kept.pop()
        kept.append(level)
    return tuple(kept[1:])


def _rises(low: Level, middle: Level, high: Level) -> bool:
    """Whether the stage from the middle level up is worth more per kWh than the one up to it."""
    first_mw, first = middle.power_mw - low.power_mw, middle.worth_uc_per_h - low.worth_uc_per_h
    then_mw, then = high.power_mw - middle.power_mw, high.worth_uc_per_h - middle.worth_uc_per_h
    return then * first_mw > first * then_mw
