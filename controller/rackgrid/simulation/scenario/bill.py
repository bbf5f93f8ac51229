"""The bill of a scenario: what the sources gave, what the loads paid, and what else it might cost.

Money of the sources is counted in mJ times uc per kWh, exactly. What loads pay is booked by the
ledger's own settlement, row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rackgrid.market.offer import Offer
from rackgrid.market.row import Row, Terms
from rackgrid.market.settlement import Account, Seen, booked, closed, opened
from rackgrid.simulation.scenario.work import MINUTE_S

MJ_UC_PER_UNIT = 3_600_000_000 * 1_000_000
"""mJ · uc/kWh in one unit of currency."""
NC_PER_UNIT = 1_000_000_000
UNOFFERED = "no offer"


def given(offers: Iterable[Offer], energy_mj: int) -> dict[str, int]:
    """Share what was drawn in a minute out among the sources, in merit order, mJ each.

    What no source had offered stands under `UNOFFERED`.
    """
    shares: dict[str, int] = {}
    left_mj = energy_mj
    for offer in sorted(offers, key=lambda o: (o.price_uc, o.source, o.power_mw)):
        share = min(left_mj, offer.power_mw * MINUTE_S)
        if share:
            shares[offer.source] = shares.get(offer.source, 0) + share
            left_mj -= share
    if left_mj:
        shares[UNOFFERED] = left_mj
    return shares


def cost_of(offers: Sequence[Offer], energy_mj: int) -> int:
    """What that costs at the sources' own prices, mJ · uc; the unoffered at the dearest of them."""
    prices = {offer.source: offer.price_uc for offer in offers}
    dearest = max(prices.values(), default=0)
    shares = given(offers, energy_mj)
    return sum(prices.get(source, dearest) * share for source, share in shares.items())


@dataclass(slots=True)
class Books:
    """The accounts of all loads, and the sums of the rows that have ended."""

    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    rows: int = 0
    energy_mj: int = 0
    cost_nc: int = 0
    reference_nc: int = 0
    revenue_nc: int = 0

    def book(self, name: str, counter_mj: int, terms: Terms, round_: int, now_ns: int) -> None:
        """Book what a load has drawn so far on the old terms; the new ones hold from now on."""
        account = self.accounts.get(name)
        if account is None:
            account = opened(name, terms, now_ns)
        account, row = booked(account, Seen(counter_mj=counter_mj), terms, 1, round_, now_ns)
        self.accounts[name] = account
        self._add(row)

    def close(self, counters_mj: Mapping[str, int], round_: int, now_ns: int) -> None:
        """End every row."""
        for name, counter_mj in counters_mj.items():
            self.book(name, counter_mj, self.accounts[name].terms, round_, now_ns)
            self.accounts[name], row = closed(self.accounts[name])
            self._add(row)

    def _add(self, row: Row | None) -> None:
        if row is None:
            return
        self.rows += 1
        self.energy_mj += row.energy_mj
        self.cost_nc += row.cost_nc or 0
        self.reference_nc += row.reference_nc or 0
        self.revenue_nc += row.revenue_nc or 0


@dataclass(slots=True)
class Flat:
    """What a schedule would cost that spreads each day's energy evenly over the day.

    It buys from the same sources at the same prices in the same minutes, but for the battery.
    """

    offers: list[list[Offer]] = field(default_factory=list[list[Offer]])
    energy_mj: int = 0
    cost: int = 0

    def minute(self, offers: list[Offer], energy_mj: int) -> None:
        """Note a minute of the day: what there was to buy, and what the rack took."""
        if offers:
            self.offers.append(offers)
        self.energy_mj += energy_mj

    def end_day(self) -> None:
        """Spread the day's energy over those minutes that had a feed."""
        count = len(self.offers)
        for place, offers in enumerate(self.offers):
            share = self.energy_mj * (place + 1) // count - self.energy_mj * place // count
            self.cost += cost_of(offers, share)
        self.offers, self.energy_mj = [], 0
