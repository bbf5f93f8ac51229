"""Clearing: one price for all, and who is served at it.

A pure function of bids and offers that must always answer: a market that waits for a silent
participant, or has no price where curves do not cross, leaves devices to guess. Integers only, and
every tie is broken, so that any node that clears the same book, in any order, gets the same result.

**Supply** is the offers in merit order, cut at the capacity. Floors consume the cheapest of it.

**Merit order with skipping.** Steps go by worth, highest first; of equal worth, running before
starting (switching costs contacts, and the market must not shed and admit in a loop); then whoever
received least energy; then bidder id; then the bidder's own order. A step is served whole, if its
reserve fits into what the room leaves, and if no unit of supply that would be used costs more than
it is worth. A step that takes no power is served if it is worth the next unit.

**Improvement.** Skipping can end far below the best set of steps, so `knapsack` looks for a better
one: among all steps where they are few, among those nearest the margin where they are many. Two
things it may not do. A step served at the price cap must run and is not traded away. And shedding
running steps that merit order would keep must gain more than `SHED_SHARE` of what they are worth:
metered and nominal power differ by as much, and two loads would otherwise displace each other.

**Price** = max(the marginal offer's price, the highest refused worth that is not above the lowest
served worth). So no served step ever pays more than its worth, and no source gets less than it
asks, below zero too: unsold must-take supply makes a negative price. The marginal offer is that of
the last unit used above the floors; where no flexible power is served, that of the next unit (what
one more watt would cost). Where there is no next unit, or the feed is overcommitted, the price is
the price cap: one more watt is not to be had. Worths count at most as the cap, and no price is
above it.

**Refused.** A refused step that is worth the price does not fit: to serve it as well would break
the room or the supply, or would raise the marginal offer above what it or a served step is worth.

Rejected: the usual uniform price with part of the marginal step served (our loads are relays);
paying each its own worth (invites bids below worth, and no price could be announced).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter

from rackgrid.identity import NodeId
from rackgrid.market.curve import BID_STEPS_MAX, Bid, Step
from rackgrid.market.knapsack import Settled, best_set
from rackgrid.market.offer import Offer
from rackgrid.market.supply import Supply, supply_above

PRICE_CAP_UC = 10_000_000
"""Default price cap: 10 units of currency per kWh."""

CORE_STEPS_MAX = 256
"""Up to so many steps, the search for a better set may move every one."""
WORK_MAX = 12_000
"""States that it may make then: 15 ms on a desktop core; mostly 2 ms do."""

WINDOW_STEPS = 64
"""Of more steps, it moves only so many around the margin."""
WINDOW_WORK_MAX = 600
"""States that it may make then."""

_reserve_mw = attrgetter("reserve_mw")
_BITS = tuple(1 << number for number in range(BID_STEPS_MAX))

SHED_SHARE = 8
"""Shedding running steps must gain more than this fraction (one eighth) of their worth."""


@dataclass(frozen=True, slots=True)
class Clearing:
    """The result of one round.

    Attributes:
        price_uc: the uniform price, uc per kWh; at most the price cap, and may be negative.
        scarce: demand at the price exceeds what there is: some step is refused that is worth the
            marginal offer's price, or no further unit is to be had at all.
        overcommitted: the floors alone exceed the capacity: a named alarm, nothing flexible runs.
        served: for each bidder the mask of its served steps (0: none).
        unfit: for each bidder with such steps, the mask of those that are refused though worth the
            price: they do not fit.
        allotted_mw: for each bidder the reserve of its served steps, mW: its grant, if issued.
        served_mw: power of all served steps, mW.
        reserved_mw: reserve of all served steps, mW: at most the capacity above the floors.
        marginal: source of the marginal unit; "" where there is none.
        welfare: worth of the served steps less the cost of their energy, uc·mW.
        exact: whether no lawful set of steps has more welfare (the rule about shedding aside);
            False where the work budget ended the search.
    """

    price_uc: int
    scarce: bool
    overcommitted: bool
    served: Mapping[NodeId, int]
    unfit: Mapping[NodeId, int]
    allotted_mw: Mapping[NodeId, int]
    served_mw: int
    reserved_mw: int
    marginal: str
    welfare: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Market:
    """The book in merit order.

    Attributes:
        owners, bits: whose each step is, and which bit of its mask, as the steps stand in the bids.
        places: for each step in merit order, where it stands in these two.
        steps: in merit order.
        falling: minus the worth of each, for bisection.
        reserve_min_mw: the least that any step reserves, mW.
    """

    owners: Sequence[NodeId]
    bits: Sequence[int]
    places: Sequence[int]
    steps: Sequence[Step]
    falling: Sequence[int]
    reserve_min_mw: int
    supply: Supply
    room_mw: int
    price_cap_uc: int


@dataclass(frozen=True, slots=True)
class _Served:
    """A lawful set of steps: numbers in merit order, ascending, and their sums."""

    numbers: Sequence[int]
    power_mw: int
    reserve_mw: int
    welfare: int
    exact: bool


_NOTHING = _Served((), 0, 0, 0, exact=True)


def clear(
    bids: Sequence[Bid],
    offers: Sequence[Offer],
    floors_mw: int,
    capacity_mw: int,
    room_mw: int | None = None,
    price_cap_uc: int = PRICE_CAP_UC,
) -> Clearing:
    """Cross bids with offers.

    Args:
        bids: at most one of each bidder, in any order.
        offers: in any order.
        floors_mw: the sum of all floors, mW.
        capacity_mw: feed capacity less its reserve, mW.
        room_mw: a further limit on what served steps may reserve together, mW; None: only the
            capacity above the floors limits it.
        price_cap_uc: the highest price, uc per kWh.
    """
    assert floors_mw >= 0, "a floor is a draw"
    supply = supply_above(floors_mw, offers, capacity_mw)
    room = max(0, capacity_mw - floors_mw)
    if room_mw is not None:
        room = max(0, min(room, room_mw))
    market = _market(bids, supply, room, price_cap_uc)
    overcommitted = floors_mw > capacity_mw
    served = _improve(market, _filled(market, _NOTHING, 0))
    return _result(market, bids, served, overcommitted=overcommitted)


def _market(bids: Sequence[Bid], supply: Supply, room_mw: int, cap_uc: int) -> _Market:
    """Flatten the bids and sort their steps by merit.

    The sort is stable over bids that already stand in the order of the lesser ties, so its key is
    one small integer; with 80,000 steps that is most of the clearing's time.
    """
    ordered = sorted(bids, key=lambda bid: (bid.received_mj, bid.bidder))
    assert len({bid.bidder for bid in bids}) == len(bids), "a bidder has one bid"
    flat = [step for bid in ordered for step in bid.steps]
    keys = [-2 * step.worth_uc - step.running for step in flat]
    if keys and min(keys) < -2 * cap_uc:
        flat = [replace(step, worth_uc=min(step.worth_uc, cap_uc)) for step in flat]
        keys = [-2 * step.worth_uc - step.running for step in flat]
    places = sorted(range(len(flat)), key=keys.__getitem__)
    steps = [flat[place] for place in places]
    return _Market(
        owners=[bid.bidder for bid in ordered for _ in bid.steps],
        bits=[bit for bid in ordered for bit in _BITS[: len(bid.steps)]],
        places=places,
        steps=steps,
        falling=[-step.worth_uc for step in steps],
        reserve_min_mw=min(map(_reserve_mw, steps), default=0),
        supply=supply,
        room_mw=room_mw,
        price_cap_uc=cap_uc,
    )


def _filled(market: _Market, served: _Served, start: int) -> _Served:
    """Add to a lawful set, in merit order from `start` on, whatever still fits beside it.

    From nothing, this is merit order with skipping.
    """
    steps, reach_mw = market.steps, market.supply.reach_mw
    kept = set(served.numbers)
    power, room = served.power_mw, market.room_mw - served.reserve_mw
    value = served.welfare + market.supply.cost(power)
    # No step may take the marginal offer above what the least worth of the kept ones is.
    bound = reach = reach_mw(steps[served.numbers[-1]].worth_uc) if kept else market.supply.total_mw
    for number, step in enumerate(islice(steps, start, None), start):
        if step.reserve_mw > room or power + step.power_mw > reach or number in kept:
            continue
        # Worth falls from step to step and the reach with it: an old reach may be used to skip.
        reach = min(bound, reach_mw(step.worth_uc))
        if reach <= 0 or room < market.reserve_min_mw:
            break
        if power + step.power_mw <= reach:
            kept.add(number)
            power += step.power_mw
            room -= step.reserve_mw
            value += step.worth_uc * step.power_mw
    welfare = value - market.supply.cost(power)
    return _Served(sorted(kept), power, market.room_mw - room, welfare, exact=True)


def _improve(market: _Market, merit: _Served) -> _Served:
    """Look for a better set than merit order's, within the work budget and the shedding rule."""
    if _is_best(market, merit):
        return merit
    core = _core(market, merit)
    steps, numbers = market.steps, merit.numbers
    served = numbers[bisect_left(numbers, core.start) : bisect_left(numbers, core.stop)]
    must = {n for n in served if steps[n].worth_uc >= market.price_cap_uc}
    best = _searched(market, merit, core, must)
    running = {n for n in served if steps[n].running}
    shed = running.difference(best.numbers)
    if shed:
        steady = _searched(market, merit, core, must | running)
        stake = sum(abs(steps[n].worth_uc) * steps[n].power_mw for n in shed)
        if (best.welfare - steady.welfare) * SHED_SHARE <= stake:
            best = steady
    return replace(_filled(market, best, core.start), exact=best.exact)


def _is_best(market: _Market, served: _Served) -> bool:
    """Tell whether nothing was refused that is worth the marginal offer's price.

    Such a set is the best: at that price each step outside it would lose, and each inside gains.
    """
    tier = market.supply.tier(served.power_mw)
    if tier is None:
        return True
    worthy = bisect_right(market.falling, -market.supply.prices_uc[tier])
    return len(served.numbers) == worthy


def _core(market: _Market, merit: _Served) -> range:
    """Choose the steps that the search may move: all, or those around the first refused one."""
    count = len(market.steps)
    if count <= CORE_STEPS_MAX:
        return range(count)
    numbers = merit.numbers
    refused = bisect_left(range(len(numbers)), 1, key=lambda index: numbers[index] - index)
    start = max(0, min(refused - WINDOW_STEPS // 2, count - WINDOW_STEPS))
    return range(start, start + WINDOW_STEPS)


def _searched(market: _Market, merit: _Served, core: range, fixed: set[int]) -> _Served:
    """Search the core for a better set in which the fixed steps stay; `merit` if there is none."""
    steps, supply = market.steps, market.supply
    numbers = [n for n in merit.numbers if n not in core or n in fixed]
    candidates = [n for n in core if n not in fixed]
    loose = [steps[n] for n in set(merit.numbers).intersection(candidates)]
    value = merit.welfare + supply.cost(merit.power_mw)
    settled = Settled(
        power_mw=merit.power_mw - sum(step.power_mw for step in loose),
        reserve_mw=merit.reserve_mw - sum(step.reserve_mw for step in loose),
        value=value - sum(step.worth_uc * step.power_mw for step in loose),
        worth_min_uc=steps[numbers[-1]].worth_uc if numbers else None,
    )
    offered = [steps[n] for n in candidates]
    work = WORK_MAX if len(core) == len(steps) else WINDOW_WORK_MAX
    choice = best_set(offered, settled, supply, market.room_mw, merit.welfare, work)
    exact = choice.exact and len(core) == len(steps)
    if choice.chosen is None:
        return replace(merit, exact=exact)
    chosen = [candidates[number] for number in choice.chosen]
    return _Served(
        numbers=sorted(numbers + chosen),
        power_mw=settled.power_mw + sum(steps[n].power_mw for n in chosen),
        reserve_mw=settled.reserve_mw + sum(steps[n].reserve_mw for n in chosen),
        welfare=choice.welfare,
        exact=exact,
    )


def _result(
    market: _Market, bids: Sequence[Bid], served: _Served, *, overcommitted: bool
) -> Clearing:
    """Name the price, and say of each step what became of it."""
    supply, steps, falling = market.supply, market.steps, market.falling
    tier = None if overcommitted else supply.tier(served.power_mw)
    marginal_uc = market.price_cap_uc if tier is None else supply.prices_uc[tier]
    chosen = set(served.numbers)
    # The first refused step that is not worth more than the least served one makes the price.
    least = bisect_left(falling, falling[served.numbers[-1]]) if chosen else 0
    outbid = next((n for n in range(least, len(steps)) if n not in chosen), None)
    price_uc = marginal_uc if outbid is None else max(marginal_uc, steps[outbid].worth_uc)
    price_uc = min(price_uc, market.price_cap_uc)
    nothing = dict.fromkeys((bid.bidder for bid in bids), 0)
    allotted = nothing.copy()
    for number in served.numbers:
        allotted[market.owners[market.places[number]]] += steps[number].reserve_mw
    unfit = [n for n in range(bisect_right(falling, -price_uc)) if n not in chosen]
    return Clearing(
        price_uc=price_uc,
        scarce=tier is None or bisect_right(falling, -marginal_uc) > len(chosen),
        overcommitted=overcommitted,
        served=nothing | _masks(market, served.numbers),
        unfit=_masks(market, unfit),
        allotted_mw=allotted,
        served_mw=served.power_mw,
        reserved_mw=served.reserve_mw,
        marginal="" if tier is None else supply.sources[tier],
        welfare=served.welfare,
        exact=served.exact,
    )


def _masks(market: _Market, numbers: Iterable[int]) -> dict[NodeId, int]:
    """Gather steps into one mask per bidder."""
    owners, bits, places = market.owners, market.bits, market.places
    masks: dict[NodeId, int] = {}
    for number in numbers:
        place = places[number]
        owner = owners[place]
        masks[owner] = masks.get(owner, 0) | bits[place]
    return masks
