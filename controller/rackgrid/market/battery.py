"""Batteries: they buy what is cheap, sell what is dear, and never churn.

What is stored has a value per kWh that falls as the battery fills: an empty one sells only at the
highest price that it expects, a full one at any price that pays for having bought at the lowest.
It sells at that value, and buys at what is left of it after the losses of the round trip and the
wear of the cells. So what it buys for is always below what it sells for, and in one clearing it can
never do both: a uniform price is not above the one and below the other.

What it expects is the range of prices that are known ahead, or the one it was set up with. Where
losses and wear eat up the whole range, it does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rackgrid.market.tariff import Interval

WHOLE = 1000
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Battery:
    """What it can do.

    Attributes:
        low_mj, high_mj: between what it is kept, mJ.
        buys_mw, sells_mw: the most that it takes and gives, mW, as its terminals see it.
        efficiency_permille: what comes out of 1000 that went in.
        wear_uc: what a kWh that comes out has cost of the cells' life, uc.
        range_uc: the lowest and the highest price to expect, uc per kWh, while none is known ahead.
    """

    low_mj: int
    high_mj: int
    buys_mw: int
    sells_mw: int
    efficiency_permille: int
    wear_uc: int
    range_uc: tuple[int, int]

    def __post_init__(self) -> None:
        assert 0 <= self.low_mj < self.high_mj, "there is something to store"
        assert 0 < self.efficiency_permille <= WHOLE, "nothing comes of nothing"
        assert self.wear_uc >= 0, "cells do not grow younger"
        assert self.range_uc[0] <= self.range_uc[1], "a range goes upwards"


@dataclass(frozen=True, slots=True)
class Trade:
    """What it bids and offers for the coming round; a power of 0: nothing.

    Attributes:
        buys_uc: the highest price at which it buys, sells_uc: the lowest at which it sells.
        buys_mw, sells_mw: how much it can take and give for the whole of the round, mW.
    """

    buys_uc: int
    buys_mw: int
    sells_uc: int
    sells_mw: int


NO_TRADE = Trade(0, 0, 0, 0)


def traded(battery: Battery, stored_mj: int, span_ns: int, known: Sequence[Interval] = ()) -> Trade:
    """Say what it buys and sells for.

    Args:
        stored_mj: what is in it now, mJ.
        span_ns: how long the round lasts, ns: it promises no more than it can keep.
        known: prices ahead, in order and apart.
    """
    assert span_ns > 0, "a round has a length"
    lowest_uc, highest_uc = _range_uc(battery, known)
    full_uc = sale_uc(battery, lowest_uc)
    if full_uc > highest_uc:
        return NO_TRADE
    way_mj = battery.high_mj - battery.low_mj
    filled_mj = min(max(stored_mj - battery.low_mj, 0), way_mj)
    # Rounded up: what is in a full battery is worth what it cost at least.
    sells_uc = highest_uc - (highest_uc - full_uc) * filled_mj // way_mj
    room_mj = max(0, battery.high_mj - stored_mj) * WHOLE // battery.efficiency_permille
    return Trade(
        buys_uc=purchase_uc(battery, sells_uc),
        buys_mw=min(battery.buys_mw, room_mj * NS_PER_S // span_ns),
        sells_uc=sells_uc,
        sells_mw=min(battery.sells_mw, filled_mj * NS_PER_S // span_ns),
    )


def stored_after(battery: Battery, stored_mj: int, bought_mj: int, sold_mj: int) -> int:
    """What is in it after it has taken and given some, mJ; the losses are those of charging."""
    return stored_mj + bought_mj * battery.efficiency_permille // WHOLE - sold_mj


def sale_uc(battery: Battery, bought_uc: int) -> int:
    """The lowest price that pays for what was bought at a price, uc per kWh, rounded up."""
    return -(-bought_uc * WHOLE // battery.efficiency_permille) + battery.wear_uc


def purchase_uc(battery: Battery, sold_uc: int) -> int:
    """The highest price to buy at for what is sold at a price, uc per kWh.

    It is rounded down, and at least a unit below the sale: at no price does it do both.
    """
    kept = (sold_uc - battery.wear_uc) * battery.efficiency_permille // WHOLE
    return min(kept, sold_uc - 1)


def _range_uc(battery: Battery, known: Sequence[Interval]) -> tuple[int, int]:
    if not known:
        return battery.range_uc
    return min(each.price_uc for each in known), max(each.price_uc for each in known)
