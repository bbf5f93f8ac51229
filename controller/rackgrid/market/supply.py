"""Supply: the sources' offers in merit order, as far as the floors leave them over.

Floors are not up for decision: required power takes the cheapest units first, and what is left is
for the bids. The units above the floors are numbered from 1, in mW; each has a price, and the price
never falls from one to the next. That alone is what the clearing needs to know of the sources, and
it makes the cost of energy a convex function, on which every bound in `knapsack` rests.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from rackgrid.market.offer import Offer


@dataclass(frozen=True, slots=True)
class Supply:
    """What the sources give above the floors, cheapest first.

    Attributes:
        prices_uc: price of each tier (one offer, or what is left of it), never falling.
        sources: whose tier it is.
        ends_mw: the last unit of each tier; strictly rising.
        costs: what everything before each tier costs, uc·mW.
    """

    prices_uc: tuple[int, ...]
    sources: tuple[str, ...]
    ends_mw: tuple[int, ...]
    costs: tuple[int, ...]

    @property
    def total_mw(self) -> int:
        """All that is left above the floors, mW."""
        return self.ends_mw[-1] if self.ends_mw else 0

    def tier(self, power_mw: int) -> int | None:
        """Find the marginal tier: that of the last unit used or, while none is, of the next.

        Returns:
            Its number, or None if the supply does not reach so far.
        """
        number = bisect_left(self.ends_mw, max(power_mw, 1))
        return number if number < len(self.ends_mw) else None

    def cost(self, power_mw: int) -> int:
        """Price the first `power_mw` units, uc·mW; at most `total_mw`."""
        assert 0 <= power_mw <= self.total_mw, "only what is supplied can be priced"
        if not power_mw:
            return 0
        number = bisect_left(self.ends_mw, power_mw)
        start = self.ends_mw[number - 1] if number else 0
        return self.costs[number] + self.prices_uc[number] * (power_mw - start)

    def reach_mw(self, worth_uc: int) -> int:
        """How many units cost at most `worth_uc` each, mW."""
        number = bisect_right(self.prices_uc, worth_uc)
        return self.ends_mw[number - 1] if number else 0


def supply_above(floors_mw: int, offers: Iterable[Offer], capacity_mw: int) -> Supply:
    """Put offers into merit order, cut them at the capacity, and take the floors off the front.

    Args:
        floors_mw: what the floors consume of the cheapest supply, mW.
        offers: in any order; equal prices go by source name.
        capacity_mw: what the feed carries, its reserve already taken off, mW.
    """
    prices: list[int] = []
    sources: list[str] = []
    ends: list[int] = []
    costs: list[int] = []
    passed = cost = 0
    for offer in sorted(offers, key=lambda o: (o.price_uc, o.source, o.power_mw)):
        end = min(passed + offer.power_mw, capacity_mw)
        over = end - max(passed, floors_mw)
        passed = max(passed, end)
        if over > 0:
            prices.append(offer.price_uc)
            sources.append(offer.source)
            ends.append(end - floors_mw)
            costs.append(cost)
            cost += offer.price_uc * over
    return Supply(tuple(prices), tuple(sources), tuple(ends), tuple(costs))
