"""Slow, obvious answers to compare the clearing with; shares no line with it.

Supply is a list with one price per mW, sets of steps are tried one by one: good for toy sizes only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rackgrid.market.curve import Bid, Step
from rackgrid.market.offer import Offer


@dataclass(frozen=True, slots=True)
class Book:
    """All that a clearing is asked."""

    bids: tuple[Bid, ...]
    offers: tuple[Offer, ...]
    floors_mw: int
    capacity_mw: int
    room_mw: int | None = None

    @property
    def steps(self) -> list[Step]:
        return [step for bid in self.bids for step in bid.steps]

    @property
    def room(self) -> int:
        left = max(0, self.capacity_mw - self.floors_mw)
        return left if self.room_mw is None else max(0, min(left, self.room_mw))


def unit_prices(book: Book) -> list[int]:
    """Price of each mW above the floors, cheapest first."""
    units: list[int] = []
    for offer in sorted(book.offers, key=lambda offer: offer.price_uc):
        units += [offer.price_uc] * offer.power_mw
    return units[: max(book.capacity_mw, 0)][book.floors_mw :]


def welfare_of(steps: Sequence[Step], units: Sequence[int]) -> int:
    """Worth of the steps less the cost of the units that they use."""
    power = sum(step.power_mw for step in steps)
    return sum(step.worth_uc * step.power_mw for step in steps) - sum(units[:power])


def is_lawful(steps: Sequence[Step], units: Sequence[int], room_mw: int) -> bool:
    """Whether the steps fit, and none is worth less than any unit that is used."""
    power = sum(step.power_mw for step in steps)
    if sum(step.reserve_mw for step in steps) > room_mw or power > len(units):
        return False
    dearest = max(units[:power], default=None)
    return dearest is None or all(step.worth_uc >= dearest for step in steps)


def subsets(steps: Sequence[Step]) -> Iterator[list[Step]]:
    for mask in range(1 << len(steps)):
        yield [step for number, step in enumerate(steps) if mask >> number & 1]


def optimum(book: Book) -> int:
    """The highest welfare of any lawful set."""
    units = unit_prices(book)
    return max(
        welfare_of(chosen, units)
        for chosen in subsets(book.steps)
        if is_lawful(chosen, units, book.room)
    )


def plain_merit(book: Book) -> int:
    """Welfare of merit order with skipping: the design that the clearing must not fall behind."""
    units = unit_prices(book)
    ranked = sorted(
        (-step.worth_uc, not step.running, bid.received_mj, bid.bidder, number)
        for bid in book.bids
        for number, step in enumerate(bid.steps)
    )
    steps = {bid.bidder: bid.steps for bid in book.bids}
    served: list[Step] = []
    for *_, bidder, number in ranked:
        tried = [*served, steps[bidder][number]]
        power = sum(step.power_mw for step in tried)
        affordable = bool(units) and tried[-1].worth_uc >= units[0]
        if affordable and power <= len(units) and is_lawful(tried, units, book.room):
            served = tried
    return welfare_of(served, units)
