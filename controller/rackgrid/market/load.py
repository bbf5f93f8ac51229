"""Loads as the market sees them: a floor for what is required, a step for what is flexible.

Two powers are kept apart on purpose. What a running load really takes (its meter says) decides its
merit and what it consumes of the supply; the most that it may take now (nameplate, inrush while it
starts) decides whether it fits. Believing the meter for the fit would let a fridge that idles at
the moment of clearing give its watts away, and take them back when its compressor starts.

A switch that may not be thrown shapes the bid: inside its minimum on-time a load bids the price cap
(it has to run, and says so), inside its minimum off-time it does not bid.
"""

from __future__ import annotations

from collections.abc import Iterable

from rackgrid.market.curve import Step


def step_for(
    worth_uc: int,
    nominal_mw: int,
    inrush_mw: int,
    metered_mw: int | None,
    running: bool,
    settled: bool,
    price_cap_uc: int,
    min_on_left: bool,
    min_off_left: bool = False,
) -> Step | None:
    """Say what a flexible load bids now.

    Args:
        worth_uc: highest price at which it is wanted, uc per kWh.
        nominal_mw: its nameplate, mW.
        inrush_mw: the most that it takes while it starts, mW.
        metered_mw: what a fresh meter shows, mW; None without a meter or if that is stale. Below
            zero (offset of the sensor) counts as nothing.
        running: whether it is on.
        settled: whether its inrush is over; means something only while it runs.
        price_cap_uc: what a load bids that has to run.
        min_on_left: whether it is inside its minimum on-time.
        min_off_left: whether it is inside its minimum off-time.

    Returns:
        Its step, or None if it must not start.
    """
    if not running and min_off_left:
        return None
    steady = running and settled
    metered = None if metered_mw is None else max(0, metered_mw)
    power = metered if steady and metered is not None else nominal_mw
    reserve = max(nominal_mw, metered or 0, 0 if steady else inrush_mw)
    worth = price_cap_uc if running and min_on_left else worth_uc
    return Step(worth_uc=worth, power_mw=power, reserve_mw=reserve, running=running)


def floor_mw(base_mw: int, required: Iterable[tuple[int, int]]) -> int:
    """Add up what a node may draw unconditionally, in the worst case.

    All required loads may start at once (power returns, say), so each counts with its inrush.

    Args:
        base_mw: the node's own electronics and its outputs' safe states, mW.
        required: (nominal, inrush) of each required load, mW.
    """
    return base_mw + sum(max(nominal, inrush) for nominal, inrush in required)
