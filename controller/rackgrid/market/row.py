"""A row of the ledger: what one load drew in a span of time, and whether it adds up.

Energy is counted in mJ, prices in micro-currency per kWh, revenue in micro-currency per hour, money
in nano-currency. What a division leaves over stands in the row, so that each can be checked against
its predecessor alone: this module multiplies out what `settlement` has divided.

Two rows of a load can become one (`merged`): exactly, where their terms are the same; otherwise as
a row of mixed terms, whose energy and money are the sums to the last unit, and of which only the
prices are no longer known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

MJ_UC_PER_NC = 3_600_000
"""So many mJ · uc/kWh make one nano-currency: 3.6e9 mJ per kWh, 1000 nano in a micro."""
NS_UC_PER_NC = 3_600_000_000
"""So many ns · uc/h make one nano-currency: 3.6e12 ns per hour, 1000 nano in a micro."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a load draws at a moment: a new row begins when any of these change.

    Attributes:
        on: whether it is switched on.
        price_uc: the price in force, per kWh; None while it is unknown.
        reference_uc: what a kWh would cost without rackgrid; None if nobody has said.
        revenue_uc: what an hour of a task brings while it is on; None of what is no task.
    """

    on: bool
    price_uc: int | None
    reference_uc: int | None
    revenue_uc: int | None = None


@dataclass(frozen=True, slots=True)
class Mixed:
    """Of a row that sums up rows on different terms: what the sums alone would not tell.

    Attributes:
        priced_mj: the energy whose price was known, mJ.
        reference_nc: the reference cost of that energy.
        saving_nc: reference less cost, where both were known.
        profit_nc: revenue less cost, where both were known.
    """

    priced_mj: int = 0
    reference_nc: int = 0
    saving_nc: int = 0
    profit_nc: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What one load drew in a span of time, on the same terms throughout unless `mixed`.

    Attributes:
        start_ns, end_ns: CLOCK_MONOTONIC of this kernel boot, ns.
        term, round: of the last price that was in force.
        energy_mj: drawn, mJ; estimated_mj: the part of it that no meter saw.
        cost_nc: at the price in force, nano-currency; None where that was not known.
        reference_nc: at the reference price; None without one.
        counter_mj: where the load's counter stood at the end, mJ; grows from row to row.
        meter_mj: where its own meter's counter stood; None without one.
        cost_left, reference_left: what the divisions have left over, mJ · uc.
        revenue_nc: of a task, for the time it was on; None of what is no task.
        revenue_left: what that division has left over, ns · uc.
        doubt_mj: the uncertainty of the energy (k = 2), mJ; None where no accuracy is stated.
        mixed: of a row that sums up rows on different terms, whose prices are then None.
        granted_mj: what grants let it draw, for as long as they were in force, mJ; None of what
            takes no grant, and where nobody knows of all of its time.
    """

    load: str
    start_ns: int
    end_ns: int
    terms: Terms
    term: int
    round: int
    energy_mj: int
    estimated_mj: int
    cost_nc: int | None
    reference_nc: int | None
    counter_mj: int
    meter_mj: int | None
    cost_left: int
    reference_left: int
    revenue_nc: int | None = None
    revenue_left: int = 0
    doubt_mj: int | None = None
    mixed: Mixed | None = None
    granted_mj: int | None = None

    @property
    def parts(self) -> Mixed:
        """The sums that depend on what of its terms was known."""
        if self.mixed is not None:
            return self.mixed
        cost_nc, reference_nc, revenue_nc = self.cost_nc, self.reference_nc, self.revenue_nc
        if cost_nc is None:
            return Mixed()
        return Mixed(
            self.energy_mj,
            reference_nc or 0,
            0 if reference_nc is None else reference_nc - cost_nc,
            0 if revenue_nc is None else revenue_nc - cost_nc,
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of rows.

    Attributes:
        priced_mj: the energy whose price was known, mJ; cost and reference are of that alone.
        revenue_nc: of tasks, for the time they were on.
        saving_nc: reference less cost, of rows that have both.
        profit_nc: revenue less cost, of rows that have both.
        granted_mj: what grants let it draw, mJ; taken_mj: what it drew of that, which is the
            energy of the rows that say what was granted.
    """

    energy_mj: int = 0
    estimated_mj: int = 0
    priced_mj: int = 0
    cost_nc: int = 0
    reference_nc: int = 0
    revenue_nc: int = 0
    saving_nc: int = 0
    profit_nc: int = 0
    granted_mj: int = 0
    taken_mj: int = 0

    def plus(self, row: Row) -> Totals:
        """Add a row."""
        parts = row.parts
        return Totals(
            self.energy_mj + row.energy_mj,
            self.estimated_mj + row.estimated_mj,
            self.priced_mj + parts.priced_mj,
            self.cost_nc + (row.cost_nc or 0),
            self.reference_nc + parts.reference_nc,
            self.revenue_nc + (row.revenue_nc or 0),
            self.saving_nc + parts.saving_nc,
            self.profit_nc + parts.profit_nc,
            self.granted_mj + (row.granted_mj or 0),
            self.taken_mj + (0 if row.granted_mj is None else row.energy_mj),
        )


def follows(row: Row, before: Row) -> bool:
    """Whether a row goes on where another of its load ended: nothing was counted in between."""
    return row.load == before.load and row.counter_mj == before.counter_mj + row.energy_mj


def merged(first: Row, second: Row) -> Row:
    """Make one row of two of the same load and kernel boot, the second of which follows the first.

    Energy, money, counters and what divisions have left over are the sums to the last unit.
    """
    assert follows(second, first), "only rows that follow each other make one"
    sums = replace(
        second,
        start_ns=first.start_ns,
        energy_mj=first.energy_mj + second.energy_mj,
        estimated_mj=first.estimated_mj + second.estimated_mj,
        cost_nc=_sum(first.cost_nc, second.cost_nc),
        reference_nc=_sum(first.reference_nc, second.reference_nc),
        revenue_nc=_sum(first.revenue_nc, second.revenue_nc),
        doubt_mj=_both(first.doubt_mj, second.doubt_mj),
        granted_mj=_both(first.granted_mj, second.granted_mj),
    )
    is_mixed = first.mixed is not None or second.mixed is not None
    if not is_mixed and first.terms == second.terms and first.end_ns == second.start_ns:
        return sums
    one, other = first.parts, second.parts
    mixed = Mixed(
        one.priced_mj + other.priced_mj,
        one.reference_nc + other.reference_nc,
        one.saving_nc + other.saving_nc,
        one.profit_nc + other.profit_nc,
    )
    return replace(sums, terms=Terms(first.terms.on or second.terms.on, None, None), mixed=mixed)


def coalesced(rows: Iterable[Row]) -> list[Row]:
    """Make one of every two rows of a load, to need less room; the order stays.

    Args:
        rows: of one kernel boot, each load's in the order in which they ended.
    """
    found: list[Row | None] = []
    places: dict[str, int] = {}
    for row in rows:
        place = places.pop(row.load, None)
        before = None if place is None else found[place]
        if place is not None and before is not None and follows(row, before):
            found[place] = None
            found.append(merged(before, row))
        else:
            places[row.load] = len(found)
            found.append(row)
    return [row for row in found if row is not None]


def objection(row: Row, before: Row | None) -> str:
    """Say what is wrong with a row, seen by itself and after its predecessor; "" if nothing is.

    This is the checker's arithmetic: it multiplies out what booking has divided. Of a row of mixed
    terms it can check the energy and the counter; that its money is what it was rests on the hash.
    """
    counter_mj, cost_left, reference_left, revenue_left = 0, 0, 0, 0
    if before is not None:
        counter_mj, cost_left = before.counter_mj, before.cost_left
        reference_left, revenue_left = before.reference_left, before.revenue_left
    if row.end_ns < row.start_ns:
        return "it ends before it begins"
    if not 0 <= row.estimated_mj <= row.energy_mj:
        return f"{row.estimated_mj} mJ of {row.energy_mj} mJ are estimated"
    if row.granted_mj is not None and row.granted_mj < 0:
        return f"{row.granted_mj} mJ were granted"
    if row.counter_mj != counter_mj + row.energy_mj:
        missing_mj = row.counter_mj - counter_mj - row.energy_mj
        return f"the counter moved by {missing_mj:+} mJ that are in no row"
    if row.mixed is not None:
        return _wrong_mixture(row, row.mixed)
    terms, energy_mj, per_nc = row.terms, row.energy_mj, MJ_UC_PER_NC
    lefts = cost_left, row.cost_left
    if wrong := _wrong_sum("cost", energy_mj, terms.price_uc, row.cost_nc, lefts, per_nc):
        return wrong
    lefts, price_uc = (reference_left, row.reference_left), terms.reference_uc
    if wrong := _wrong_sum("reference", energy_mj, price_uc, row.reference_nc, lefts, per_nc):
        return wrong
    on_ns = row.end_ns - row.start_ns if terms.on else 0
    lefts = revenue_left, row.revenue_left
    return _wrong_sum("revenue", on_ns, terms.revenue_uc, row.revenue_nc, lefts, NS_UC_PER_NC)


def _wrong_sum(
    name: str,
    amount: int,
    price_uc: int | None,
    money_nc: int | None,
    lefts: tuple[int, int],
    per_nc: int,
) -> str:
    if (price_uc is None) != (money_nc is None):
        return f"the {name} stands without a price, or the price without it"
    before, after = lefts
    product = before + amount * (price_uc or 0)
    if not 0 <= after < per_nc or (money_nc or 0) * per_nc + after != product:
        what = "time on times revenue per hour" if name == "revenue" else "energy times price"
        return f"the {name} is not {what}"
    return ""


def _wrong_mixture(row: Row, mixed: Mixed) -> str:
    if not 0 <= mixed.priced_mj <= row.energy_mj:
        return f"{mixed.priced_mj} mJ of {row.energy_mj} mJ had a price"
    if row.cost_nc is None and mixed != Mixed():
        return "it sums up money without a cost"
    is_left = 0 <= row.cost_left < MJ_UC_PER_NC and 0 <= row.reference_left < MJ_UC_PER_NC
    if not is_left or not 0 <= row.revenue_left < NS_UC_PER_NC:
        return "what its divisions have left over is more than they can leave"
    return ""


def _both(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


def _sum(first: int | None, second: int | None) -> int | None:
    if first is None and second is None:
        return None
    return (first or 0) + (second or 0)
