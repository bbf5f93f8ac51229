"""Thermal loads: a fridge or a heater that keeps a temperature between two bounds.

Between the bounds cold (or warmth) can be stored, so power is taken when it is cheap: the worth
grows from nothing at the bound where it must not run to `worth` at the one where it must. At that
bound, and until it is a little inside again, it bids the price cap: it has to run.

A temperature that nobody knows is the worst one for a fridge, which spoils what is in it, and the
best one for a heater, which may set something on fire: both fail cold.
"""

from __future__ import annotations

from dataclasses import dataclass

BAND = 10
"""Having had to run, it has to until a tenth of the way between the bounds is made good."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what it keeps a temperature.

    Attributes:
        low_mc, high_mc: thousandths of a degree Celsius; apart.
        cools: running makes it colder; else it makes it warmer.
        worth_uc: what energy is worth just before it has to run, uc per kWh.
    """

    low_mc: int
    high_mc: int
    cools: bool
    worth_uc: int

    def __post_init__(self) -> None:
        assert self.low_mc < self.high_mc, "the bounds are apart"


@dataclass(frozen=True, slots=True)
class Warmth:
    """How it is.

    Attributes:
        mc: thousandths of a degree Celsius; None if nobody knows.
        had_to: it had to run when it was last asked.
    """

    mc: int | None
    had_to: bool = False


def must_run(bounds: Bounds, warmth: Warmth) -> bool:
    """Whether it has to run, whatever it costs."""
    if warmth.mc is None:
        return bounds.cools
    way = bounds.high_mc - bounds.low_mc
    used = _used_mc(bounds, warmth.mc)
    return used >= way or (warmth.had_to and used * BAND > way * (BAND - 1))


def thermal_worth_uc(bounds: Bounds, warmth: Warmth, price_cap_uc: int) -> int | None:
    """What it bids now, uc per kWh; None where it must not run."""
    if must_run(bounds, warmth):
        return price_cap_uc
    if warmth.mc is None:
        return None
    way, used = bounds.high_mc - bounds.low_mc, _used_mc(bounds, warmth.mc)
    if used <= 0:
        return None
    return min(bounds.worth_uc * used // way, price_cap_uc)


def _used_mc(bounds: Bounds, mc: int) -> int:
    """How far it is on its way from the bound where it must not run to the one where it must."""
    return mc - bounds.low_mc if bounds.cools else bounds.high_mc - mc
