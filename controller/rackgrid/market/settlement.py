"""Settlement: what each load has drawn, and what that cost, in integers that lose nothing.

Energy is counted in mJ, prices in micro-currency per kWh, money in nano-currency. One kWh is
3.6 · 10⁹ mJ, so E mJ at p cost E · p / 3 600 000 nano-currency. That rarely comes out even: what is
left of a division stays in the account and is part of the next row's sum, so that the money of all
rows is the exact sum of all products, rounded down once. What a task brings in is booked likewise,
for the time that it was on.

Beside what was drawn stands what grants let the load draw, while they were in force: what it has
bought. That costs nothing by itself (energy is paid for as metered), and says how much of the feed
was held for a load that did not take it.

An account has one open row. What is read is booked into it; a new row begins when the load is
switched or its price changes, and after a quarter of an hour. Each row says where the counter stood
at its end and what was left over, so that rows can be checked one by one against their predecessor.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.market.row import MJ_UC_PER_NC, NS_UC_PER_NC, Row, Terms
from rackgrid.value import replace

PJ_PER_MJ = 1_000_000_000
"""mW · ns in one mJ."""
ROW_NS = 900_000_000_000
"""A row is no longer than a quarter of an hour, ns."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of a load at a moment.

    Attributes:
        counter_mj: of the meter that sees it alone, mJ since that counter began; None without one,
            and while it does not answer.
        estimated_mj: the part of that counter that was estimated, mJ.
        power_mw: what it counts with while no meter sees it, mW.
        doubt_mw: the uncertainty of the power that the meter shows, mW; None if nobody states one.
    """

    counter_mj: int | None = None
    estimated_mj: int = 0
    power_mw: int = 0
    doubt_mw: int | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """What a load may draw by its node's grant, mW, until an instant, CLOCK_MONOTONIC in ns."""

    power_mw: int
    until_ns: int


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
        doubt_pj: the uncertainty of the open row's energy, 1e-9 mJ; None if it is not known.
        granted: what it may draw from `at_ns` on; None of what takes no grant.
        granted_pj: what it might draw in the open row, 1e-9 mJ; None if that is not known of all of
            the row's time. What is not yet a mJ goes into the next row.
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
    revenue_left: int = 0
    left_pj: int = 0
    doubt_pj: int | None = 0
    granted: Granted | None = None
    granted_pj: int | None = None


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
        revenue_left=last.revenue_left,
    )


def booked(
    account: Account,
    seen: Seen,
    terms: Terms,
    term: int,
    round_: int,
    now_ns: int,
    *,
    ends: bool = False,
    granted: Granted | None = None,
) -> tuple[Account, Row | None]:
    """Book what was drawn since the last call on the terms that held since then.

    Args:
        seen: of the load now.
        terms: from now on.
        term, round_: of the price that is in force from now on.
        now_ns: CLOCK_MONOTONIC, ns; not before the last call.
        ends: the open row ends in any case.
        granted: what it may draw from now on; None of what takes no grant.

    Returns:
        The account, and the row that has ended, if one has.
    """
    assert now_ns >= account.at_ns, "time does not go back"
    account = _drawn(account, seen, now_ns)
    row = None
    is_long = now_ns - account.since_ns >= ROW_NS
    if terms != account.terms or is_long or ends:
        if is_long or ends or not _is_idle(account, terms):
            account, row = closed(account)
        account = replace(account, terms=terms)
    granted_pj = account.granted_pj
    if account.since_ns == now_ns and not account.energy_mj:  # A row begins.
        granted_pj = None if granted is None else granted_pj or 0
    account = replace(account, granted=granted, granted_pj=granted_pj)
    return replace(account, term=term, round=round_), row


def _is_idle(account: Account, terms: Terms) -> bool:
    """Whether a price changes for a load that is off and draws nothing: no row would say more."""
    return not (account.terms.on or terms.on or account.energy_mj or account.left_pj)


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
    on_ns = account.at_ns - account.since_ns if terms.on else 0
    left = account.revenue_left
    revenue_nc, revenue_left = _money(on_ns, terms.revenue_uc, left, NS_UC_PER_NC)
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
        revenue_nc=revenue_nc,
        revenue_left=revenue_left,
        doubt_mj=None if account.doubt_pj is None else -(-account.doubt_pj // PJ_PER_MJ),
        granted_mj=None if account.granted_pj is None else account.granted_pj // PJ_PER_MJ,
    )
    fresh = replace(
        account,
        since_ns=account.at_ns,
        energy_mj=0,
        estimated_mj=0,
        counter_mj=counter_mj,
        cost_left=cost_left,
        reference_left=reference_left,
        revenue_left=revenue_left,
        doubt_pj=0,
        granted_pj=None if account.granted_pj is None else account.granted_pj % PJ_PER_MJ,
    )
    return fresh, row


def _drawn(account: Account, seen: Seen, now_ns: int) -> Account:
    """Add what was drawn since the last look: what the meter counted, or what it may have been.

    The look that finds a meter again still estimates: what that counts for the time in which nobody
    could read it is its own estimate, or nothing, and would count twice or not at all.
    """
    doubt_pj: int | None
    if seen.counter_mj is None or account.is_blind:
        # On what held until now; what no meter sees counts with its nameplate.
        power_mw = seen.power_mw if account.terms.on else 0
        drawn_pj = account.left_pj + power_mw * (now_ns - account.at_ns)
        drawn_mj, left_pj = divmod(drawn_pj, PJ_PER_MJ)
        guessed_mj, doubt_pj = drawn_mj, drawn_mj * PJ_PER_MJ
    else:
        drawn_mj, left_pj = gained_mj(account.seen_mj, seen.counter_mj), account.left_pj
        guessed_mj = 0
        if account.seen_mj is not None:
            guessed_mj = min(drawn_mj, gained_mj(account.seen_estimated_mj, seen.estimated_mj))
        doubt_pj = _doubt_pj(seen, drawn_mj, guessed_mj, now_ns - account.at_ns)
    return replace(
        account,
        at_ns=now_ns,
        seen_mj=seen.counter_mj,
        seen_estimated_mj=seen.estimated_mj,
        is_blind=seen.counter_mj is None,
        energy_mj=account.energy_mj + drawn_mj,
        estimated_mj=account.estimated_mj + guessed_mj,
        left_pj=left_pj,
        doubt_pj=None
        if account.doubt_pj is None or doubt_pj is None
        else account.doubt_pj + doubt_pj,
        granted_pj=_granted_pj(account, now_ns),
    )


def _granted_pj(account: Account, now_ns: int) -> int | None:
    """Add what it might draw since the last look: a grant ends by itself, looked at or not."""
    granted, granted_pj = account.granted, account.granted_pj
    if now_ns == account.at_ns:
        return granted_pj
    if granted is None or granted_pj is None:
        return None
    ends_ns = max(account.at_ns, min(now_ns, granted.until_ns))
    return granted_pj + granted.power_mw * (ends_ns - account.at_ns)


def _doubt_pj(seen: Seen, drawn_mj: int, guessed_mj: int, span_ns: int) -> int | None:
    """How far the energy of a look may be off, 1e-9 mJ.

    A meter's error is the same from look to look, so it grows with the time and does not average
    out. All of what was guessed is in doubt; so is what was drawn while nobody looked.
    """
    if seen.doubt_mw is None:
        return None
    if not span_ns:
        return drawn_mj * PJ_PER_MJ
    return seen.doubt_mw * span_ns + guessed_mj * PJ_PER_MJ


def gained_mj(before_mj: int | None, now_mj: int) -> int:
    """How far a counter went; one that stands lower than before has begun anew."""
    if before_mj is None:
        return 0
    return now_mj - before_mj if now_mj >= before_mj else now_mj


def _money(
    amount: int, price_uc: int | None, left: int, per_nc: int = MJ_UC_PER_NC
) -> tuple[int | None, int]:
    """Multiply, and keep what the division leaves over; a negative price is exact, too."""
    if price_uc is None:
        return None, left
    return divmod(left + amount * price_uc, per_nc)
