"""Settlement: what each load has drawn, and what that cost, in integers that lose nothing.

Energy is counted in mJ, prices in micro-currency per kWh, money in nano-currency. One kWh is
3.6 · 10⁹ mJ, so E mJ at p cost E · p / 3 600 000 nano-currency. That rarely comes out even: what is
left of a division stays in the account and is part of the next row's sum, so that the money of all
rows is the exact sum of all products, rounded down once.

An account has one open row. What is read is booked into it; a new row begins when the load is
switched or its price changes, and after a quarter of an hour. Each row says where the counter stood
at its end and what was left over, so that rows can be checked one by one against their predecessor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MJ_UC_PER_NC = 3_600_000
"""So many mJ · uc/kWh make one nano-currency: 3.6e9 mJ per kWh, 1000 nano in a micro."""
PJ_PER_MJ = 1_000_000_000
"""mW · ns in one mJ."""
ROW_NS = 900_000_000_000
"""A row is no longer than a quarter of an hour, ns."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a load draws at a moment: a new row begins when any of these change.

    Attributes:
        on: whether it is switched on.
        price_uc: the price in force, per kWh; None while it is unknown.
        reference_uc: what a kWh would cost without rackgrid; None if nobody has said.
    """

    on: bool
    price_uc: int | None
    reference_uc: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of a load at a moment.

    Attributes:
        counter_mj: of the meter that sees it alone, mJ since that counter began; None without one,
            and while it does not answer.
        estimated_mj: the part of that counter that was estimated, mJ.
        power_mw: what it counts with while no meter sees it, mW.
    """

    counter_mj: int | None = None
    estimated_mj: int = 0
    power_mw: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What one load drew in a span of time, on the same terms throughout.

    Attributes:
        start_ns, end_ns: CLOCK_MONOTONIC of this kernel boot, ns.
        term, round: of the last price that was in force.
        energy_mj: drawn, mJ; estimated_mj: the part of it that no meter saw.
        cost_nc: at the price in force, nano-currency; None where that was not known.
        reference_nc: at the reference price; None without one.
        counter_mj: where the load's counter stood at the end, mJ; grows from row to row.
        meter_mj: where its own meter's counter stood; None without one.
        cost_left, reference_left: what the divisions have left over, mJ · uc.
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


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of rows.

    Attributes:
        priced_mj: the energy whose price was known, mJ; cost and reference are of that alone.
    """

    energy_mj: int = 0
    estimated_mj: int = 0
    priced_mj: int = 0
    cost_nc: int = 0
    reference_nc: int = 0

    def plus(self, row: Row) -> Totals:
        """Add a row."""
        is_priced = row.cost_nc is not None
        return Totals(
            self.energy_mj + row.energy_mj,
            self.estimated_mj + row.estimated_mj,
            self.priced_mj + (row.energy_mj if is_priced else 0),
            self.cost_nc + (row.cost_nc or 0),
            self.reference_nc + (row.reference_nc or 0 if is_priced else 0),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """One load's account.

    Attributes:
        since_ns: when the open row began; at_ns: when it was last booked.
        seen_mj: the meter's counter at `at_ns`, None before it was seen.
        is_blind: no meter saw it at the last look.
        energy_mj, estimated_mj: in the open row.
        counter_mj: of the account, at the end of its last closed row; never falls.
        left_pj: of an estimate, not yet a mJ.
    """

    load: str
    terms: Terms
    since_ns: int
    at_ns: int
    term: int = 0
    round: int = 0
    seen_mj: int | None = None
    seen_estimated_mj: int = 0
    is_blind: bool = False
    energy_mj: int = 0
    estimated_mj: int = 0
    counter_mj: int = 0
    cost_left: int = 0
    reference_left: int = 0
    left_pj: int = 0


def opened(load: str, terms: Terms, now_ns: int, last: Row | None = None) -> Account:
    """Open an account, or go on with one where its last row ended.

    What its meter has counted since then is booked with the next look, on these terms.

    Args:
        last: its newest row, of whatever boot.
    """
    account = Account(load, terms, now_ns, now_ns)
    if last is None:
        return account
    return replace(
        account,
        seen_mj=last.meter_mj,
        counter_mj=last.counter_mj,
        cost_left=last.cost_left,
        reference_left=last.reference_left,
    )


def booked(
    account: Account, seen: Seen, terms: Terms, term: int, round_: int, now_ns: int
) -> tuple[Account, Row | None]:
    """Book what was drawn since the last call on the terms that held since then.

    Args:
        seen: of the load now.
        terms: from now on.
        term, round_: of the price that is in force from now on.
        now_ns: CLOCK_MONOTONIC, ns; not before the last call.

    Returns:
        The account, and the row that has ended, if one has.
    """
    assert now_ns >= account.at_ns, "time does not go back"
    account = _drawn(account, seen, now_ns)
    row = None
    is_long = now_ns - account.since_ns >= ROW_NS
    if terms != account.terms or is_long:
        account, row = closed(account)
        account = replace(account, terms=terms)
    return replace(account, term=term, round=round_), row


def closed(account: Account) -> tuple[Account, Row | None]:
    """End the open row; None if it would say nothing."""
    if account.at_ns == account.since_ns and account.energy_mj == 0:
        return account, None
    return _ended(account)


def anchor(account: Account) -> Row:
    """Make a row of nothing: it says where the meter stands as an account begins.

    Whoever goes on after a crash before the first row was written books from there.
    """
    assert account.energy_mj == 0, "an account is anchored before anything is booked"
    return _ended(account)[1]


def _ended(account: Account) -> tuple[Account, Row]:
    terms, energy_mj = account.terms, account.energy_mj
    cost_nc, cost_left = _money(energy_mj, terms.price_uc, account.cost_left)
    reference_nc, reference_left = _money(energy_mj, terms.reference_uc, account.reference_left)
    counter_mj = account.counter_mj + energy_mj
    row = Row(
        load=account.load,
        start_ns=account.since_ns,
        end_ns=account.at_ns,
        terms=terms,
        term=account.term,
        round=account.round,
        energy_mj=energy_mj,
        estimated_mj=account.estimated_mj,
        cost_nc=cost_nc,
        reference_nc=reference_nc,
        counter_mj=counter_mj,
        meter_mj=account.seen_mj,
        cost_left=cost_left,
        reference_left=reference_left,
    )
    fresh = replace(
        account,
        since_ns=account.at_ns,
        energy_mj=0,
        estimated_mj=0,
        counter_mj=counter_mj,
        cost_left=cost_left,
        reference_left=reference_left,
    )
    return fresh, row


def objection(row: Row, before: Row | None) -> str:
    """Say what is wrong with a row, seen by itself and after its predecessor; "" if nothing is.

    This is the checker's arithmetic: it multiplies out what booking has divided.
    """
    counter_mj, cost_left, reference_left = 0, 0, 0
    if before is not None:
        counter_mj, cost_left = before.counter_mj, before.cost_left
        reference_left = before.reference_left
    if row.end_ns < row.start_ns:
        return "it ends before it begins"
    if not 0 <= row.estimated_mj <= row.energy_mj:
        return f"{row.estimated_mj} mJ of {row.energy_mj} mJ are estimated"
    if row.counter_mj != counter_mj + row.energy_mj:
        missing_mj = row.counter_mj - counter_mj - row.energy_mj
        return f"the counter moved by {missing_mj:+} mJ that are in no row"
    if wrong := _wrong_sum("cost", row, row.terms.price_uc, row.cost_nc, cost_left, row.cost_left):
        return wrong
    reference = (row.terms.reference_uc, row.reference_nc, reference_left, row.reference_left)
    return _wrong_sum("reference", row, *reference)


def _wrong_sum(
    name: str, row: Row, price_uc: int | None, money_nc: int | None, before: int, after: int
) -> str:
    if (price_uc is None) != (money_nc is None):
        return f"the {name} stands without a price, or the price without it"
    product = row.energy_mj * (price_uc or 0)
    if not 0 <= after < MJ_UC_PER_NC or (money_nc or 0) * MJ_UC_PER_NC + after != before + product:
        return f"the {name} is not energy times price"
    return ""


def _drawn(account: Account, seen: Seen, now_ns: int) -> Account:
    """Add what was drawn since the last look: what the meter counted, or what it may have been.

    The look that finds a meter again still estimates: what that counts for the time in which nobody
    could read it is its own estimate, or nothing, and would count twice or not at all.
    """
    if seen.counter_mj is None or account.is_blind:
        # On what held until now; what no meter sees counts with its nameplate.
        power_mw = seen.power_mw if account.terms.on else 0
        drawn_pj = account.left_pj + power_mw * (now_ns - account.at_ns)
        drawn_mj, left_pj = divmod(drawn_pj, PJ_PER_MJ)
        guessed_mj = drawn_mj
    else:
        drawn_mj, left_pj = _delta(account.seen_mj, seen.counter_mj), account.left_pj
        guessed_mj = 0
        if account.seen_mj is not None:
            guessed_mj = min(drawn_mj, _delta(account.seen_estimated_mj, seen.estimated_mj))
    return replace(
        account,
        at_ns=now_ns,
        seen_mj=seen.counter_mj,
        seen_estimated_mj=seen.estimated_mj,
        is_blind=seen.counter_mj is None,
        energy_mj=account.energy_mj + drawn_mj,
        estimated_mj=account.estimated_mj + guessed_mj,
        left_pj=left_pj,
    )


def _delta(before_mj: int | None, now_mj: int) -> int:
    """How far a counter went; one that stands lower than before has begun anew."""
    if before_mj is None:
        return 0
    return now_mj - before_mj if now_mj >= before_mj else now_mj


def _money(energy_mj: int, price_uc: int | None, left: int) -> tuple[int | None, int]:
    """Multiply, and keep what the division leaves over; a negative price is exact, too."""
    if price_uc is None:
        return None, left
    return divmod(left + energy_mj * price_uc, MJ_UC_PER_NC)
