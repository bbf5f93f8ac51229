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
from itertools import accumulate

from rackgrid.identity import NodeId
from rackgrid.market.curve import Bid, Step
from rackgrid.market.knapsack import Settled, best_set
from rackgrid.market.offer import Offer
from rackgrid.market.supply import Supply, supply_above

PRICE_CAP_UC = 10_000_000
"""Default price cap: 10 units of currency per kWh."""

CORE_STEPS_MAX = 256
"""Most steps that the improvement may move; of a bigger rack, those nearest the margin."""

WORK_MAX = 12_000
"""States that one search may make: about 20 ms on a desktop core, and never more."""

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
        bids: by energy received, then bidder.
        starts: number of each bid's first step, and the number of all steps at the end.
        places: for each step in merit order, its number in the order of `bids`.
        steps: in merit order.
        falling: minus the worth of each, for bisection.
    """

    bids: Sequence[Bid]
    starts: Sequence[int]
    places: Sequence[int]
    steps: Sequence[Step]
    falling: Sequence[int]
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
    served = _improve(market, _by_merit(market))
    return _result(market, served, overcommitted=overcommitted)


def _market(bids: Sequence[Bid], supply: Supply, room_mw: int, cap_uc: int) -> _Market:
    """Flatten the bids and sort their steps by merit.

    The sort is stable over bids that already stand in the order of the lesser ties, so its key is
    one small integer; with 80,000 steps that is most of the clearing's time.
    """
    ordered = sorted(bids, key=lambda bid: (bid.received_mj, bid.bidder))
    assert len({bid.bidder for bid in bids}) == len(bids), "a bidder has one bid"
    flat = [step for bid in ordered for step in bid.steps]
    if flat and max(step.worth_uc for step in flat) > cap_uc:
        flat = [replace(step, worth_uc=cap_uc) if step.worth_uc > cap_uc else step for step in flat]
    keys = [-2 * step.worth_uc - step.running for step in flat]
    places = sorted(range(len(flat)), key=keys.__getitem__)
    steps = [flat[place] for place in places]
    return _Market(
        bids=ordered,
        starts=list(accumulate((len(bid.steps) for bid in ordered), initial=0)),
        places=places,
        steps=steps,
        falling=[-step.worth_uc for step in steps],
        supply=supply,
        room_mw=room_mw,
        price_cap_uc=cap_uc,
    )


def _by_merit(market: _Market) -> _Served:
    """Serve in merit order, and skip what does not fit."""
    return _filled(market, ())


def _filled(market: _Market, numbers: Iterable[int]) -> _Served:
    """Add to a lawful set, in merit order, whatever still fits beside it."""
    steps, reach_mw = market.steps, market.supply.reach_mw
    kept = set(numbers)
    power = sum(steps[number].power_mw for number in kept)
    room = market.room_mw - sum(steps[number].reserve_mw for number in kept)
    value = sum(steps[number].worth_uc * steps[number].power_mw for number in kept)
    # No step may take the marginal offer above what the least worth of the kept ones is.
    bound = reach_mw(steps[max(kept)].worth_uc) if kept else market.supply.total_mw
    least = min((step.reserve_mw for step in steps), default=0)
    reach = bound
    for number, step in enumerate(steps):
        if step.reserve_mw > room or power + step.power_mw > reach or number in kept:
            continue
        # Worth falls from step to step, so the reach falls too: it need not be exact to skip.
        reach = min(bound, reach_mw(step.worth_uc))
        if reach <= 0 or room < least:
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
    cap = market.price_cap_uc
    fixed = {n for n in merit.numbers if market.steps[n].worth_uc >= cap}
    free = _searched(market, merit, fixed)
    shed = {n for n in merit.numbers if market.steps[n].running}.difference(free.numbers)
    if not shed:
        return free
    running = {n for n in merit.numbers if market.steps[n].running}
    steady = _searched(market, merit, fixed | running)
    stake = sum(abs(market.steps[n].worth_uc) * market.steps[n].power_mw for n in shed)
    return free if (free.welfare - steady.welfare) * SHED_SHARE > stake else steady


def _is_best(market: _Market, served: _Served) -> bool:
    """Tell whether nothing was refused that is worth the marginal offer's price.

    Such a set is the best: at that price each step outside it would lose, and each inside gains.
    """
    tier = market.supply.tier(served.power_mw)
    if tier is None:
        return True
    worthy = bisect_right(market.falling, -market.supply.prices_uc[tier])
    return len(served.numbers) == worthy


def _searched(market: _Market, merit: _Served, fixed: set[int]) -> _Served:
    """Search the core for a better set in which the fixed steps stay; `merit` if there is none."""
    core = _core(market, merit)
    settled_numbers = [n for n in merit.numbers if n in fixed or n not in core]
    candidates = [n for n in core if n not in fixed]
    steps = market.steps
    settled = Settled(
        power_mw=sum(steps[n].power_mw for n in settled_numbers),
        reserve_mw=sum(steps[n].reserve_mw for n in settled_numbers),
        value=sum(steps[n].worth_uc * steps[n].power_mw for n in settled_numbers),
        worth_min_uc=steps[settled_numbers[-1]].worth_uc if settled_numbers else None,
    )
    choice = best_set(
        [steps[n] for n in candidates],
        settled,
        market.supply,
        market.room_mw,
        merit.welfare,
        WORK_MAX,
    )
    exact = choice.exact and len(core) == len(steps)
    if choice.chosen is None:
        return replace(merit, exact=exact)
    better = {candidates[number] for number in choice.chosen}.union(settled_numbers)
    return replace(_filled(market, better), exact=exact)


def _core(market: _Market, merit: _Served) -> range:
    """Choose the steps that the search may move: all, or those around the first refused one."""
    count = len(market.steps)
    if count <= CORE_STEPS_MAX:
        return range(count)
    numbers = merit.numbers
    refused = bisect_left(range(len(numbers)), 1, key=lambda index: numbers[index] - index)
    start = max(0, min(refused - CORE_STEPS_MAX // 2, count - CORE_STEPS_MAX))
    return range(start, start + CORE_STEPS_MAX)


def _result(market: _Market, served: _Served, *, overcommitted: bool) -> Clearing:
    """Name the price, and say of each step what became of it."""
    supply, steps = market.supply, market.steps
    tier = None if overcommitted else supply.tier(served.power_mw)
    marginal_uc = market.price_cap_uc if tier is None else supply.prices_uc[tier]
    chosen = set(served.numbers)
    # The first refused step that is not worth more than the least served one makes the price.
    least_served = bisect_left(market.falling, market.falling[max(chosen)]) if chosen else 0
    outbid = next((n for n in range(least_served, len(steps)) if n not in chosen), None)
    price_uc = marginal_uc if outbid is None else max(marginal_uc, steps[outbid].worth_uc)
    price_uc = min(price_uc, market.price_cap_uc)
    unfit = [n for n in range(bisect_right(market.falling, -price_uc)) if n not in chosen]
    worthy = bisect_right(market.falling, -marginal_uc)
    allotted = dict.fromkeys((bid.bidder for bid in market.bids), 0)
    for number in served.numbers:
        allotted[_owner(market, number)[0]] += steps[number].reserve_mw
    return Clearing(
        price_uc=price_uc,
        scarce=tier is None or worthy > len(chosen),
        overcommitted=overcommitted,
        served=dict.fromkeys(allotted, 0) | _masks(market, served.numbers),
        unfit=_masks(market, unfit),
        allotted_mw=allotted,
        served_mw=served.power_mw,
        reserved_mw=served.reserve_mw,
        marginal="" if tier is None else supply.sources[tier],
        welfare=served.welfare,
        exact=served.exact,
    )


def _owner(market: _Market, number: int) -> tuple[NodeId, int]:
    """Find whose step it is, and its bit."""
    place = market.places[number]
    bid = bisect_right(market.starts, place) - 1
    return market.bids[bid].bidder, 1 << (place - market.starts[bid])


def _masks(market: _Market, numbers: Iterable[int]) -> dict[NodeId, int]:
    masks: dict[NodeId, int] = {}
    for number in numbers:
        bidder, bit = _owner(market, number)
        masks[bidder] = masks.get(bidder, 0) | bit
    return masks
