"""Why a load is as it is: numbers first, and one sentence made of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from rackgrid.identity import NO_PAIR, Pair
from rackgrid.wire.vocabulary import Why

UC = 1_000_000
"""Micro-currency in one unit of currency."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a judgement rests on beside price, worth and the size of the grant.

    Attributes:
        is_known: whether the firmware is attached and knows the load's output.
        is_required: by the board profile.
        is_planned: its worth is what it has to do, and may be nothing.
        is_leaving: the node brings everything down; is_stopping: it starts nothing any more.
        is_barred: no command brings the output on: no pin, a latched fault, a lockout.
        is_held: it runs, and the last clearing took it for one inside its min-on.
        is_refused: the last clearing did not serve it.
        fault: what bars it, or what its meter says against its contact; "" if nothing does.
        cause: the firmware's word for why the output is as it is.
        since_ns: when it was last switched, local monotonic time.
        guard_ms: what is left of its min-on (while on) or its min-off (while off), rounded up.
        bid_uc: what it bids: its worth, or the price cap inside its min-on; None if required.
        metered_mw: what its own meter shows; None where that says nothing.
        nominal_mw: its nameplate; learned_mw: what it has proved to take beyond that; 0: nothing.
        grant_ms: how long the live grant lasts, rounded up; 0 without one.
        grant_pair, grant_round: whose clearing gave it; no pair for what an earlier boot held.
        is_served: whether the live grant names this load.
        needs_mw: what a grant has to cover for it to start; 0 while it is on.
    """

    is_known: bool = False
    is_required: bool = False
    is_planned: bool = False
    is_leaving: bool = False
    is_stopping: bool = False
    is_barred: bool = False
    is_held: bool = False
    is_refused: bool = False
    fault: str = ""
    cause: str = ""
    since_ns: int = 0
    guard_ms: int = 0
    bid_uc: int | None = None
    metered_mw: int | None = None
    nominal_mw: int = 0
    learned_mw: int = 0
    grant_ms: int = 0
    grant_pair: Pair = NO_PAIR
    grant_round: int = 0
    is_served: bool = False
    needs_mw: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one load, with all that it rests on.

    Attributes:
        load: its name.
        was_on, on: before and after.
        why: the deciding rule.
        price_uc: the price in force, or None if unknown.
        worth_uc: the load's worth; None if required.
        grant_mw: the node's live grant, mW; 0 without one.
        pair, round: whose clearing made the price.
        wanted: whether it should be on; its output follows when its guards let it.
        grounds: everything else that was looked at.
    """

    load: str
    was_on: bool
    on: bool
    why: Why
    price_uc: int | None
    worth_uc: int | None
    grant_mw: int
    pair: Pair
    round: int
    wanted: bool = False
    grounds: Grounds = field(default_factory=Grounds)


def money(price_uc: int | None) -> str:
    """Write a price per kWh with its three decimals."""
    return "unknown" if price_uc is None else f"{price_uc / UC:.3f}"


def sentence(why: Why, price_uc: int | None, worth_uc: int | None, grant_mw: int) -> str:
    """Say why, in words that an operator understands."""
    price, worth, grant = money(price_uc), money(worth_uc), f"{grant_mw / 1000:.1f} W"
    match why:
        case Why.REQUIRED:
            return "required: always on"
        case Why.WORTH_IT:
            return f"worth {worth} at price {price}, granted {grant}"
        case Why.PRICE_ABOVE_WORTH:
            return f"price {price} above worth {worth}"
        case Why.DOES_NOT_FIT:
            return f"worth {worth} at price {price}, but does not fit under the capacity"
        case Why.NO_GRANT:
            return f"worth {worth} at price {price}, waiting for a grant"
        case Why.PRICE_UNKNOWN:
            return "price unknown: no broker is heard"
        case Why.MIN_ON:
            return "kept on: inside its minimum on-time"
        case Why.MIN_OFF:
            return "kept off: inside its minimum off-time"
        case Why.GRANT_EXPIRED:
            return "the grant has expired"
        case Why.FIRMWARE_LOST:
            return "the firmware does not answer"
        case Why.LEAVING:
            return "the node is leaving the rack"
        case Why.FAULT:
            return "a fault is latched on its output"
        case Why.STARTING:
            return "switched on, not yet confirmed"
        case Why.IDLE:
            return "wants nothing now"
