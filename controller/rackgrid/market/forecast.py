"""Forecasts: what a kWh will cost a load, by the tariff ahead and by how the feed stood yesterday.

A tariff says what a source asks. It does not say whether anything will be left of what is cheap:
a feed carries so much, a panel gives so much, and others want it too. Nobody knows what they will
do today; the best guess that needs no guessing is that they do what they did a day ago. So each
quarter of an hour is remembered with what it would have cost this load *then*:

- the rack's price, if the load was on or would have fitted in;
- more, if it takes a dearer source to give that much beside what was drawn;
- more, if the feed was full: the worth of what would have had to give way. Loads that can wait
  give way at their worth; required loads, and those that would come back dearer (a deadline, a
  refrigerator), do not. Where they leave no room the slot was not to be had, and is not counted on.

Of a quarter of an hour counts what was enough for three quarters of it. Today's slot then costs
what the tariff says, and as much more as it was dearer yesterday than yesterday's tariff. Where it
was cheaper (the sun shone) it costs what it cost, and where no tariff says anything, too. Where
nobody remembers yesterday, the tariff alone counts.

What the load itself drew is not held against it: else it would flee tomorrow from where it was well
off today, and come back the day after.

A day is 24 hours, also where the clocks are changed: slots are half-open intervals of Unix time.
A Monday is guessed by a Sunday. Rejected: means over many days, and days of the week (weeks until
they say anything, and nobody could tell from the outside why a load waits).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rackgrid.market.offer import Offer
from rackgrid.market.tariff import DAY_S, SECOND_NS, Interval

SLOT_NS = 900 * SECOND_NS
DAY_NS = DAY_S * SECOND_NS


@dataclass(frozen=True, slots=True)
class Taker:
    """A load that was on and could have waited: what it was worth, uc per kWh, and took, mW."""

    worth_uc: int
    power_mw: int


@dataclass(frozen=True, slots=True)
class Glance:
    """How the feed stood at a moment.

    Attributes:
        price_uc: the rack's price.
        drawn_mw: what all took; taken_mw: what they took or were promised, if that is more.
        capacity_mw: what the market may give.
        takers: those who would have given way, in any order.
        offers: those that this node knows; perhaps not all, or none.
    """

    price_uc: int
    drawn_mw: int
    taken_mw: int
    capacity_mw: int
    takers: tuple[Taker, ...] = ()
    offers: tuple[Offer, ...] = ()

    @property
    def room_mw(self) -> int:
        """What is left, mW; below nought: less than nothing."""
        return self.capacity_mw - self.taken_mw


@dataclass(frozen=True, slots=True)
class Slot:
    """A quarter of an hour, as it was.

    Attributes:
        start_ns: Unix time, a multiple of `SLOT_NS`.
        tariff_uc: what the tariff said; None if it said nothing, or not all the time.
        room_mw: what the feed had left for three quarters of the time.
        costs_uc: for how much a kWh was to be had by each load for three quarters of the time;
            None: not to be had.
    """

    start_ns: int
    tariff_uc: int | None
    room_mw: int
    costs_uc: Mapping[str, int | None]


def cost_uc(glance: Glance, power_mw: int, price_cap_uc: int, *, running: bool) -> int | None:
    """What a kWh costs a load at this moment, uc; None: it is not to be had.

    Args:
        power_mw: what the load takes.
        price_cap_uc: at this price nothing is left: whoever bids it has to run.
        running: whether it is on, so that price and room have it in them.
    """
    cost = glance.price_uc
    if not running:
        dearest_uc = _entry_uc(glance, power_mw)
        if dearest_uc is None:
            return None
        wanted_mw = min(glance.drawn_mw + power_mw, glance.capacity_mw)
        cost = max(cost, dearest_uc, _marginal_uc(glance.offers, wanted_mw, cost))
    return None if cost >= price_cap_uc else cost


def enough_uc(costs: Iterable[int | None]) -> int | None:
    """What would have been enough for three quarters of the time; None: nothing would.

    A mean would be a price that never was: of a panel that gives now and then, neither the sun's
    nor the grid's.

    Args:
        costs: as `cost_uc`, at even distances; at least one.
    """
    ordered = sorted(costs, key=lambda each: (each is None, each or 0))
    return ordered[-(-3 * len(ordered) // 4) - 1]


def expected(
    known: Sequence[Interval],
    yesterday: Mapping[int, Slot],
    load: str,
    from_ns: int,
    until_ns: int,
) -> tuple[Interval, ...] | None:
    """List what a kWh will probably cost a load, in order; what is not counted on is left out.

    Args:
        known: prices ahead, in order and apart.
        yesterday: what is remembered, by `Slot.start_ns`.
        from_ns, until_ns: the time asked for, Unix time, ns; its end excluded.

    Returns:
        None if nobody remembers anything of this time a day ago.
    """
    found: list[Interval] = []
    remembers = False
    for start_ns in range(from_ns // SLOT_NS * SLOT_NS, until_ns, SLOT_NS):
        low_ns, high_ns = max(start_ns, from_ns), min(start_ns + SLOT_NS, until_ns)
        slot = yesterday.get(start_ns - DAY_NS)
        is_known = slot is not None and load in slot.costs_uc
        remembers |= is_known
        for begin_ns, end_ns, tariff_uc in _pieces(known, low_ns, high_ns):
            price_uc = _as_then_uc(slot, load, tariff_uc) if slot and is_known else tariff_uc
            if price_uc is not None:
                found.append(Interval(begin_ns, end_ns, price_uc))
    return tuple(found) if remembers else None


def _as_then_uc(slot: Slot, load: str, tariff_uc: int | None) -> int | None:
    """What it will cost if all is as it was, uc per kWh; None: not to be had."""
    cost = slot.costs_uc[load]
    if cost is None or tariff_uc is None:
        return cost
    if slot.tariff_uc is None:
        return tariff_uc
    more_uc = cost - slot.tariff_uc
    return tariff_uc + more_uc if more_uc >= 0 else min(tariff_uc, cost)


def _pieces(
    known: Sequence[Interval], low_ns: int, high_ns: int
) -> Iterator[tuple[int, int, int | None]]:
    """Cut a slot where its price changes: from, until, price (None: not known)."""
    at_ns = low_ns
    place = bisect_right(known, low_ns, key=lambda each: each.end_ns)
    while place < len(known) and known[place].start_ns < high_ns:
        each = known[place]
        if each.start_ns > at_ns:
            yield at_ns, each.start_ns, None
        yield max(at_ns, each.start_ns), min(each.end_ns, high_ns), each.price_uc
        at_ns, place = each.end_ns, place + 1
    if at_ns < high_ns:
        yield at_ns, high_ns, None


def _entry_uc(glance: Glance, power_mw: int) -> int | None:
    """What the dearest is worth that has to give way to a load; None: not enough would."""
    room_mw, dearest_uc = glance.room_mw, glance.price_uc
    for taker in sorted(glance.takers, key=lambda each: each.worth_uc):
        if room_mw >= power_mw:
            break
        room_mw += taker.power_mw
        dearest_uc = max(dearest_uc, taker.worth_uc)
    return dearest_uc if room_mw >= power_mw else None


def _marginal_uc(offers: Iterable[Offer], power_mw: int, otherwise_uc: int) -> int:
    """What the last of so much power costs by these offers, if they reach so far."""
    passed_mw = 0
    for offer in sorted(offers, key=lambda each: each.price_uc):
        passed_mw += offer.power_mw
        if passed_mw >= power_mw:
            return offer.price_uc
    return otherwise_uc
