"""Which steps to serve: the 0/1 knapsack inside the clearing, solved exactly where work allows.

Loads are indivisible, so serving them by merit and skipping what does not fit can waste most of
the feed (one dear little load may keep out a big one). Choosing the set of steps that is worth most
is a knapsack with two weights (what steps reserve of the feed, what they take of the supply), a
convex cost, and the rule that nobody pays more than it finds worth it.

**One problem per tier.** All energy has one price, at least that of the marginal tier. So a set
whose marginal tier is `k` holds only steps worth `price_k`, and takes at most what the tiers up to
`k` give. The best set overall is the best among these problems.

**Dynamic programming over undominated states** (Nemhauser and Ullmann 1969). A state is (reserved,
value, taken): one is dropped if another is no worse in all three. Unlike a table over integer watts
this rounds nothing, and twenty equal loads make twenty-one states, whatever the feed's size.
A state is also dropped if even a fractional filling of what is left (Dantzig 1957; the cost of the
tiers below `k` replaced by its tangent at `price_k`, which never overstates it) cannot beat the
best set known. Both rules keep an optimum.

**The work is bounded.** Where the states would outgrow `work_max`, only the most promising go on: a
beam search, whose answer is a lawful set and no worse than the one to beat, but not proven best.
Work is counted in states, not seconds, so that every broker comes to the same answer.

Rejected: a table over integer watts (rounds, and costs steps x watts even when nothing is close);
branch and bound (equal loads, which racks are full of, defeat it).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from rackgrid.market.curve import Step
from rackgrid.market.supply import Supply

BEAM_PARTS = (16, 4, 1)
"""Each tier is tried with these parts of the work: a narrow beam finds a good set to beat, which
then leaves the wide one far less to look at (160 random steps: proven in 30 of 32 cases, not 8)."""

BEAM_MIN = 8
"""Fewest states that go on, however little work is left."""

_State = tuple[int, int, int, int]
"""Reserved mW, value below zero, taken mW, chosen steps' mask below zero.

The two stand below zero so that plain sorting puts, at equal reserve, the most valuable first and,
of the equally good, the one that comes first in merit order.
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """Steps that are served in any case: what they use, and the price that they can bear.

    Attributes:
        power_mw, reserve_mw: their sums.
        value: the sum of worth times power, uc·mW.
        worth_min_uc: the lowest worth among them; None without any.
    """

    power_mw: int
    reserve_mw: int
    value: int
    worth_min_uc: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """The best set found.

    Attributes:
        chosen: numbers of the chosen steps, ascending; None if nothing beats the set to beat.
        welfare: of the chosen with the settled steps, uc·mW; that of the set to beat if None.
        exact: whether no set is better.
    """

    chosen: tuple[int, ...] | None
    welfare: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Problem:
    """The problem of one tier; its items are densest first in the weight that binds more.

    Attributes:
        numbers: of the items among the candidates.
        steps_count: how many candidates there are.
        items: (reserve, value net of the cheapest price, power) of each.
        surplus: each item's value net of this tier's price.
        weights_sum, surplus_sum: running sums, from 0, for the fractional filling.
        by_power: whether the binding weight is power (else reserve).
        weight_max: what all together may weigh.
        offset: welfare of the settled steps at this tier's price, tangent included, uc·mW.
        steep_uc: this tier's price above the cheapest.
        power_max: what the tiers up to this one give, mW.
        power_matters: whether states must be told apart by power.
    """

    numbers: tuple[int, ...]
    steps_count: int
    items: tuple[tuple[int, int, int], ...]
    surplus: tuple[int, ...]
    weights_sum: tuple[int, ...]
    surplus_sum: tuple[int, ...]
    by_power: bool
    weight_max: int
    offset: int
    steep_uc: int
    power_max: int
    power_matters: bool

    def filling(self, start: int, weight: int) -> int:
        """Fill what is left with items from `start` on, the last one in part: an upper bound."""
        sums = self.weights_sum
        target = sums[start] + self.weight_max - weight
        end = bisect_right(sums, target, lo=start) - 1
        whole = self.surplus_sum[end] - self.surplus_sum[start]
        if end == len(self.items):
            return whole
        part = (target - sums[end]) * self.surplus[end] // (sums[end + 1] - sums[end])
        return whole + part


def best_set(
    steps: Sequence[Step],
    settled: Settled,
    supply: Supply,
    room_mw: int,
    to_beat: int,
    work_max: int,
) -> Choice:
    """Find the set of steps that, with the settled ones, has the highest welfare.

    Args:
        steps: the candidates, in merit order (which decides between equally good sets).
        settled: what is served in any case; fits.
        supply: what the sources give above the floors.
        room_mw: what all may reserve together, mW.
        to_beat: welfare of a lawful set that is known already, uc·mW.
        work_max: about how many states may be made.
    """
    best, work = Choice(None, to_beat, exact=True), work_max
    for price_uc in _tier_prices(supply, settled):
        if work <= 0:
            return Choice(best.chosen, best.welfare, exact=False)
        problem = _problem(steps, settled, supply, room_mw, price_uc)
        best, spent = _widened(problem, settled, supply, room_mw, best, work)
        work -= spent + len(steps) // 4 + 1
    return best


def _widened(
    problem: _Problem, settled: Settled, supply: Supply, room_mw: int, best: Choice, work: int
) -> tuple[Choice, int]:
    """Search one tier with an ever wider beam, until it is proven or the work is done."""
    bound = problem.offset + problem.filling(0, _weight(problem, settled))
    others_exact, exact, spent = best.exact, True, 0
    for part in BEAM_PARTS:
        if bound <= best.welfare:
            exact = True
            break
        best, made, exact = _solve(problem, settled, supply, room_mw, best, (work - spent) // part)
        spent += made
        if exact:
            break
    return Choice(best.chosen, best.welfare, others_exact and exact), spent


def _tier_prices(supply: Supply, settled: Settled) -> list[int]:
    """List the prices that the settled steps can bear, of tiers that they do not outrun."""
    first = supply.tier(settled.power_mw)
    bearable = settled.worth_min_uc
    prices = [] if first is None else sorted(set(supply.prices_uc[first:]))
    return [price for price in prices if bearable is None or price <= bearable]


def _weight(problem: _Problem, settled: Settled) -> int:
    return settled.power_mw if problem.by_power else settled.reserve_mw


def _problem(
    steps: Sequence[Step], settled: Settled, supply: Supply, room_mw: int, price_uc: int
) -> _Problem:
    """State the problem of the tiers up to `price_uc`, by whichever weight bounds it tighter."""
    power_max = supply.reach_mw(price_uc)
    power_left, room_left = power_max - settled.power_mw, room_mw - settled.reserve_mw
    fitting = [
        number
        for number, step in enumerate(steps)
        if step.worth_uc >= price_uc and 0 < step.power_mw <= power_left
        if step.reserve_mw <= room_left
    ]
    stated = [_stated(fitting, steps, settled, supply, room_mw, price_uc, by_power=False)]
    if power_max < room_mw:
        stated.append(_stated(fitting, steps, settled, supply, room_mw, price_uc, by_power=True))
    return min(stated, key=lambda problem: problem.filling(0, _weight(problem, settled)))


def _stated(
    fitting: list[int],
    steps: Sequence[Step],
    settled: Settled,
    supply: Supply,
    room_mw: int,
    price_uc: int,
    *,
    by_power: bool,
) -> _Problem:
    def density(number: int) -> int:
        step = steps[number]
        if by_power:
            return step.worth_uc
        # 64 bits below the point tell any two fractions of 32-bit weights apart.
        return ((step.worth_uc - price_uc) * step.power_mw << 64) // max(1, step.reserve_mw)

    numbers = sorted(fitting, key=density, reverse=True)
    chosen = [steps[number] for number in numbers]
    surplus = [(step.worth_uc - price_uc) * step.power_mw for step in chosen]
    weights = [step.power_mw if by_power else step.reserve_mw for step in chosen]
    cheapest_uc = supply.prices_uc[0]
    power_max = supply.reach_mw(price_uc)
    return _Problem(
        numbers=tuple(numbers),
        steps_count=len(steps),
        items=tuple(
            (s.reserve_mw, (s.worth_uc - cheapest_uc) * s.power_mw, s.power_mw) for s in chosen
        ),
        surplus=tuple(surplus),
        weights_sum=tuple(accumulate(weights, initial=0)),
        surplus_sum=tuple(accumulate(surplus, initial=0)),
        by_power=by_power,
        weight_max=power_max if by_power else room_mw,
        offset=settled.value - supply.cost(power_max) + price_uc * (power_max - settled.power_mw),
        steep_uc=price_uc - cheapest_uc,
        power_max=power_max,
        # Room binds before power does, unless something takes power that it does not reserve.
        power_matters=price_uc > cheapest_uc
        or power_max < room_mw
        or settled.power_mw > settled.reserve_mw
        or any(step.power_mw > step.reserve_mw for step in chosen),
    )


def _solve(
    problem: _Problem, settled: Settled, supply: Supply, room_mw: int, best: Choice, work: int
) -> tuple[Choice, int, bool]:
    """Run the dynamic programme of one tier.

    Returns:
        The best set so far, the number of states made, and whether the tier has no better one.
    """
    states: list[_State] = [(settled.reserve_mw, 0, settled.power_mw, 0)]
    exact, made, count = True, 0, len(problem.items)
    undominated = _undominated if problem.power_matters else _undominated_flat
    for index, (reserve, value, power) in enumerate(problem.items):
        bit = _bit(problem, index)
        reserve_most, power_most = room_mw - reserve, problem.power_max - power
        grown = [
            (r + reserve, v - value, p + power, mask - bit)
            for r, v, p, mask in states
            if r <= reserve_most and p <= power_most
        ]
        made += len(states) + len(grown)
        kept = undominated(sorted(states + grown))
        bounded = _promising(problem, settled, kept, index + 1, best.welfare)
        beam = max(BEAM_MIN, (work - made) // (2 * (count - index)))
        if len(bounded) > beam:
            exact = False
            bounded = sorted(bounded, reverse=True)[:beam]
            bounded.sort(key=lambda pair: pair[1])
        states = [state for _, state in bounded]
    return _best_of(problem, settled, supply, states, best), made, exact


def _bit(problem: _Problem, index: int) -> int:
    """Give an item its bit in the masks: the earlier in merit, the higher."""
    return 1 << (problem.steps_count - problem.numbers[index])


def _promising(
    problem: _Problem, settled: Settled, states: list[_State], start: int, to_beat: int
) -> list[tuple[int, _State]]:
    """Keep, with their upper bounds, the states that may still lead above `to_beat`."""
    kept: list[tuple[int, _State]] = []
    for state in states:
        reserve, value, power, _ = state
        taken = power - settled.power_mw
        filling = problem.filling(start, power if problem.by_power else reserve)
        bound = problem.offset - value - problem.steep_uc * taken + filling
        if bound > to_beat:
            kept.append((bound, state))
    return kept


def _undominated_flat(merged: list[_State]) -> list[_State]:
    """Drop states that another beats in reserve and value; `merged` is sorted."""
    kept: list[_State] = []
    best = 1
    for state in merged:
        if state[1] < best:
            best = state[1]
            kept.append(state)
    return kept


def _undominated(merged: list[_State]) -> list[_State]:
    """Drop states that another beats in reserve, value and power; `merged` is sorted.

    Going up in reserve, a staircase of (power, value) holds the best value at each power so far.
    """
    kept: list[_State] = []
    powers: list[int] = []
    values: list[int] = []
    for state in merged:
        _, value, power, _ = state
        place = bisect_right(powers, power)
        if place and values[place - 1] <= value:
            continue
        kept.append(state)
        end = place
        while end < len(values) and values[end] >= value:
            end += 1
        powers[place:end] = [power]
        values[place:end] = [value]
    return kept


def _best_of(
    problem: _Problem, settled: Settled, supply: Supply, states: list[_State], best: Choice
) -> Choice:
    """Weigh the last states at their true cost; the first of the best is the earliest in merit."""
    cheapest_uc = supply.prices_uc[0]
    top, top_mask = best.welfare, 0
    for _, value, power, mask in states:
        worth = settled.value - value + cheapest_uc * (power - settled.power_mw)
        welfare = worth - supply.cost(power)
        if welfare > top or (welfare == top and mask < top_mask < 0):
            top, top_mask = welfare, mask
    if not top_mask:
        return best
    chosen = [n for i, n in enumerate(problem.numbers) if -top_mask & _bit(problem, i)]
    return Choice(tuple(sorted(chosen)), top, best.exact)
