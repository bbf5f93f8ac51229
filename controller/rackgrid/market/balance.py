"""The balance of a rack: double entry over an interval, in energy and in money, in integers.

What loads pay = what sources earn + scarcity rent + metering loss. Each interval is a set of
postings whose energy (mJ) and money (nano-currency) both sum to nought:

- a **load** takes energy and pays what its rows say;
- a **source** gives energy and earns its own offer's price for it;
- the **export** takes what metered sources gave and nobody here took, and pays for it what the
  exporting ones ask, the dearest first: below nought, it is paid for taking it;
- the **metering loss** takes what the feed's meter saw and no load's meter did: what cables and
  converters warm, what nobody meters, and the meters' own errors. It is valued at the price that
  loads paid on average, and nobody pays that: the account shows it (below nought where the loads'
  meters show more than the feed's);
- the **unpaid** account owes the sources for energy that flowed while the price was unknown;
- the **scarcity rent** is what is left: the clearing price is uniform, so cheap sources and scarce
  power leave a surplus. It is below nought only where loads paid less than sources asked.

Which source gave how much, where no meter says so, follows from the offers in merit order, as in
the clearing: metered sources gave what their meters saw, the rest came from the cheapest offers.

Rows that reach over the bounds of an interval are shared out by time. Parts of one row sum to the
row; as much as the smaller part is in doubt, for nobody knows when in the row its energy flowed.

Meters disagree. Their errors are independent of each other, and each one's is the same all the
time: so doubts of one account add up, and those of different accounts by their squares.

Source: JCGM 100:2008 (GUM), 5.1.2 (independent contributions), 5.2.2 (correlated ones).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import isqrt

from rackgrid.market.row import MJ_UC_PER_NC, Row

ELECTRONICS = "(electronics)"
"""The account of what a node itself draws; no load can have a name like this."""
FEED = "(feed)"
"""The account of the meter that sees the whole feed."""
_SOURCE = "(source "
_EXPORTS = ", exports)"

LOSS = "metering loss"
RENT = "scarcity rent"
UNPAID = "unpaid"
EXPORT = "export"
UNOFFERED = "no offer"
"""Gave what no source had offered."""


class Agreement(Enum):
    """Whether the feed's meter and the loads' agree."""

    WITHIN = "within the stated error"
    BEYOND = "beyond the stated error"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Part:
    """What an account has of an interval.

    Attributes:
        account: a load with its node, or a source.
        price_uc: of a source's offer; of anything else it does not matter.
        estimated_mj: the part of the energy that no meter saw; all of it, of a source without one:
            then the energy is what it could have given.
        priced_mj, cost_nc: what was paid for, and what was paid.
        doubt_mj: uncertainty of the energy (k = 2); None where no accuracy is stated.
    """

    account: str
    energy_mj: int
    estimated_mj: int = 0
    priced_mj: int = 0
    cost_nc: int = 0
    doubt_mj: int | None = None
    price_uc: int | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """A line of the double entry.

    Attributes:
        energy_mj: taken; below nought: given.
        money_nc: earned; below nought: paid.
    """

    account: str
    energy_mj: int
    money_nc: int


@dataclass(frozen=True, slots=True)
class Balance:
    """An interval, balanced.

    Attributes:
        postings: their energy sums to nought, and so does their money.
        loss_mj: what the feed's meter saw beyond the loads' meters; None without such a meter.
        doubt_mj: the uncertainty of that difference (k = 2); None where it is not known.
        agreement: whether the difference is within that.
    """

    postings: tuple[Posting, ...]
    loss_mj: int | None
    doubt_mj: int | None
    agreement: Agreement

    def money_nc(self, account: str) -> int:
        """What an account has earned, nano-currency."""
        return sum(each.money_nc for each in self.postings if each.account == account)

    def energy_mj(self, account: str) -> int:
        """What an account has taken, mJ."""
        return sum(each.energy_mj for each in self.postings if each.account == account)


def source_account(name: str, *, exports: bool = False) -> str:
    """Name the account of a source; the account says whether the rest of it is sold."""
    return f"{_SOURCE}{name}{_EXPORTS if exports else ')'}"


def _exports(account: str) -> bool:
    return is_source(account) and _EXPORTS in account  # its node may stand behind it


def is_load(account: str) -> bool:
    """Whether an account is of something that draws and pays: a load, or a node's electronics."""
    return account != FEED and not is_source(account)


def is_source(account: str) -> bool:
    """Whether an account is of a source."""
    return account.startswith(_SOURCE)


def part_of(row: Row, account: str, offset_ns: int, from_ns: int, until_ns: int) -> Part | None:
    """Cut out of a row what falls into an interval; None if nothing does.

    Args:
        account: to whom it goes.
        offset_ns: of the row's clock: what is added to its times, ns.
        from_ns, until_ns: the interval, half-open.
    """
    start_ns, end_ns = row.start_ns + offset_ns, row.end_ns + offset_ns
    parts, is_point = row.parts, start_ns == end_ns
    if is_point and not from_ns <= start_ns < until_ns:
        return None
    if not is_point and (end_ns <= from_ns or start_ns >= until_ns):
        return None
    if is_point or (from_ns <= start_ns and end_ns <= until_ns):
        cost_nc, price_uc = row.cost_nc or 0, row.terms.price_uc
        energy_mj, doubt_mj = row.energy_mj, row.doubt_mj
        return Part(
            *(account, energy_mj, row.estimated_mj, parts.priced_mj, cost_nc, doubt_mj, price_uc)
        )
    # Shares of the whole up to each bound, so that parts that meet sum to the row.
    span_ns = end_ns - start_ns
    before_ns, after_ns = max(from_ns - start_ns, 0), min(until_ns - start_ns, span_ns)

    def share(whole: int) -> int:
        return whole * after_ns // span_ns - whole * before_ns // span_ns

    energy_mj = share(row.energy_mj)
    doubt_mj = row.doubt_mj
    if doubt_mj is not None:
        doubt_mj = share(doubt_mj) + min(energy_mj, row.energy_mj - energy_mj)
    return Part(
        account,
        energy_mj,
        min(share(row.estimated_mj), energy_mj),
        min(share(parts.priced_mj), energy_mj),
        share(row.cost_nc or 0),
        doubt_mj,
        row.terms.price_uc,
    )


def joined(one: Part, other: Part) -> Part:
    """Make one part of two of the same load, or of the feed's meter."""
    assert one.account == other.account, "parts of one account make one"
    doubt_mj = None
    if one.doubt_mj is not None and other.doubt_mj is not None:
        doubt_mj = one.doubt_mj + other.doubt_mj
    return Part(
        one.account,
        one.energy_mj + other.energy_mj,
        one.estimated_mj + other.estimated_mj,
        one.priced_mj + other.priced_mj,
        one.cost_nc + other.cost_nc,
        doubt_mj,
    )


def balanced(loads: Iterable[Part], offers: Iterable[Part], feed: Iterable[Part]) -> Balance:
    """Balance an interval.

    Args:
        loads: what each load had of it, in any number of parts.
        offers: of sources.
        feed: of the meter that sees the whole feed; none if there is no such meter.
    """
    taken, metered = _summed(loads), _summed(feed)
    drawn_mj = sum(part.energy_mj for part in taken)
    feed_mj = sum(part.energy_mj for part in metered) if metered else None
    given_mj = drawn_mj if feed_mj is None else feed_mj
    loss_mj = given_mj - drawn_mj
    postings = [Posting(part.account, part.energy_mj, -part.cost_nc) for part in taken]
    gave = _delivered(given_mj, list(offers))
    postings += gave
    if feed_mj is not None:
        postings.append(Posting(LOSS, loss_mj, -_at_mean(loss_mj, taken)))
    earned_nc = sum(each.money_nc for each in gave)  # less what the export has paid
    unpaid_mj = sum(part.energy_mj - part.priced_mj for part in taken)
    if unpaid_mj and given_mj:
        postings.append(Posting(UNPAID, 0, -(earned_nc * unpaid_mj // given_mj)))
    postings.append(Posting(RENT, 0, -sum(each.money_nc for each in postings)))
    doubt_mj = _doubt((*taken, *metered)) if feed_mj is not None else None
    agreement = Agreement.UNKNOWN
    if feed_mj is not None and doubt_mj is not None:
        agreement = Agreement.WITHIN if abs(loss_mj) <= doubt_mj else Agreement.BEYOND
    return Balance(tuple(postings), None if feed_mj is None else loss_mj, doubt_mj, agreement)


def objections(balance: Balance) -> list[str]:
    """Say what is wrong with a balance; nothing if it is one, and nobody was paid too little.

    The rent may be short by what rounding takes, a unit a posting, and by a hundredth of what the
    sources earn: a price follows an offer within a round, not at once.
    """
    found: list[str] = []
    if energy_mj := sum(each.energy_mj for each in balance.postings):
        found.append(f"its energy is out of balance by {energy_mj:+} mJ")
    if money_nc := sum(each.money_nc for each in balance.postings):
        found.append(f"its money is out of balance by {money_nc:+} nano-currency")
    rent_nc = balance.money_nc(RENT)
    earned_nc = sum(abs(each.money_nc) for each in balance.postings if is_source(each.account))
    if rent_nc < -len(balance.postings) - earned_nc // 100:
        found.append(f"loads paid {-rent_nc / 1e9:.9f} less than the sources that served them ask")
    if missing_mj := -balance.energy_mj(UNOFFERED):
        found.append(f"{missing_mj / 3.6e6:.3f} Wh came from no source that offered")
    return found


def _summed(parts: Iterable[Part]) -> list[Part]:
    """Make one part of each account's."""
    sums: dict[str, Part] = {}
    for part in parts:
        before = sums.get(part.account)
        sums[part.account] = part if before is None else joined(before, part)
    return list(sums.values())


def _delivered(given_mj: int, offers: Sequence[Part]) -> list[Posting]:
    """Share out what was given among the sources: the metered ones first, then by merit order."""
    amounts: dict[tuple[str, int], int] = {}
    sold: dict[tuple[str, int], int] = {}
    left_mj = given_mj
    for part in sorted(
        offers, key=lambda part: (_is_guess(part), part.price_uc or 0, part.account)
    ):
        takes_mj = min(left_mj, part.energy_mj) if _is_guess(part) else part.energy_mj
        if takes_mj:
            key = part.account, part.price_uc or 0
            amounts[key] = amounts.get(key, 0) + takes_mj
            left_mj -= takes_mj
            if not _is_guess(part) and _exports(part.account):
                sold[key] = sold.get(key, 0) + takes_mj
    postings = [
        Posting(account, -energy_mj, energy_mj * price_uc // MJ_UC_PER_NC)
        for (account, price_uc), energy_mj in amounts.items()
    ]
    exported = _exported(-left_mj, sold)
    left_mj += exported.energy_mj
    if exported.energy_mj:
        postings.append(exported)
    if left_mj:
        # Below nought where the sources' meters show more than was taken, and nobody sells it.
        postings.append(Posting(UNOFFERED, -left_mj, 0))
    return postings


def _exported(surplus_mj: int, sold: Mapping[tuple[str, int], int]) -> Posting:
    """Sell what is left over: of the exporting sources, the dearest first."""
    taken_mj = paid_nc = 0
    for (_, price_uc), energy_mj in sorted(sold.items(), key=lambda each: -each[0][1]):
        takes_mj = min(max(0, surplus_mj - taken_mj), energy_mj)
        taken_mj += takes_mj
        paid_nc += takes_mj * price_uc // MJ_UC_PER_NC
    return Posting(EXPORT, taken_mj, -paid_nc)


def _is_guess(part: Part) -> bool:
    return part.estimated_mj >= part.energy_mj


def _at_mean(energy_mj: int, taken: Iterable[Part]) -> int:
    """Value energy at what loads paid on average, nano-currency."""
    paid_nc, priced_mj = 0, 0
    for part in taken:
        paid_nc, priced_mj = paid_nc + part.cost_nc, priced_mj + part.priced_mj
    return energy_mj * paid_nc // priced_mj if priced_mj else 0


def _doubt(parts: Iterable[Part]) -> int | None:
    squares = 0
    for part in parts:
        if part.doubt_mj is None:
            return None
        squares += part.doubt_mj**2
    root = isqrt(squares)
    return root if root * root == squares else root + 1
