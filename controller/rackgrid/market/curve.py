"""Bids: what a node wants above its floor, and how much each step is worth to it.

A bid is a demand curve made of steps. A step is one load (or one stage of a modulating load): it is
served whole or not at all, and its worth is the highest price at which it is still wanted.

Integers throughout: power in mW, worth and price in micro-currency per kWh (uc), so that sums are
exact and every node computes the same result.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.identity import NodeId

BID_STEPS_MAX = 24
"""Most steps in one bid: an allotment names the accepted ones in a 32-bit mask."""


@dataclass(frozen=True, slots=True)
class Step:
    """One indivisible piece of demand.

    Attributes:
        worth_uc: highest price at which it is wanted, micro-currency per kWh; may be negative.
        power_mw: what it really takes when it runs (metered where known), mW; decides merit.
        reserve_mw: the most that it may take now (nameplate, inrush while starting), mW; decides
            whether it fits. At least `power_mw`; or 0 for a stage whose load reserved all
            that it can take with its first one.
        running: whether it runs now.
    """

    worth_uc: int
    power_mw: int
    reserve_mw: int
    running: bool

    def __post_init__(self) -> None:
        assert self.power_mw >= 0 <= self.reserve_mw, "a step takes power, and gives none"
        assert not 0 < self.reserve_mw < self.power_mw, "a step reserves at least what it takes"


@dataclass(frozen=True, slots=True)
class Bid:
    """A node's demand above its floor.

    Attributes:
        bidder: whose demand.
        steps: in the bidder's own order; an allotment's mask numbers them from bit 0.
        received_mj: flexible energy that the bidder got so far, mJ: ties go to whoever got least.
    """

    bidder: NodeId
    steps: tuple[Step, ...]
    received_mj: int

    def __post_init__(self) -> None:
        assert len(self.steps) <= BID_STEPS_MAX, "a bid has a limited number of steps"
