"""Why a load is as it is: numbers first, and one sentence made of them."""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.identity import Pair
from rackgrid.wire.vocabulary import Why

UC = 1_000_000
"""Micro-currency in one unit of currency."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one load, with all that it rests on.

    Attributes:
        load: its name.
        was_on, on: before and after.
        why: the deciding rule.
        price_uc: the price in force, or None if unknown.
        worth_uc: the load's worth; None if required.
        grant_mw: the node's live grant, mW.
        pair, round: whose clearing this was.
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
