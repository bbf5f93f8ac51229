"""The ledgers of a rack's nodes, held against each other and against the feed's meter.

Hour by hour the rows of all nodes are balanced (`market.balance`). Only hours that every node has
booked from end to end are: one that was down, or whose rows nobody could date or were summed up by
the day, would look as if its energy had gone astray. What could not be checked is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from rackgrid.adapters.ledger_columns import Entry
from rackgrid.market.balance import (
    ELECTRONICS,
    EXPORT,
    FEED,
    LOSS,
    RENT,
    Agreement,
    Part,
    balanced,
    is_source,
    joined,
    objections,
    part_of,
)

HOUR_NS: Final = 3_600_000_000_000
COVERED_NS: Final = HOUR_NS - 5_000_000_000
"""A node has booked an hour if its rows are of so much of it, ns."""
FINDINGS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class RackReport:
    """What came of balancing a rack.

    Attributes:
        findings: what is wrong, a sentence each, at most `FINDINGS_MAX`.
        unchecked: what could not be checked, and why.
        hours: so many were balanced.
        paid_nc: by loads; earned_nc: by sources; rent_nc: the scarcity rent, nano-currency.
        drawn_mj: by loads; loss_mj: what the feed's meter saw beyond that, mJ; None without one.
        sold_mj: what exporting sources gave and nobody here took, and sold_nc: what that brought;
            below nought: what it cost.
    """

    findings: tuple[str, ...]
    unchecked: tuple[str, ...]
    hours: int
    paid_nc: int
    earned_nc: int
    rent_nc: int
    drawn_mj: int
    loss_mj: int | None
    sold_mj: int = 0
    sold_nc: int = 0


@dataclass(slots=True)
class _Hour:
    """What all nodes have of an hour.

    Attributes:
        covered_ns: how much of it each node has booked.
    """

    loads: dict[str, Part] = field(default_factory=dict[str, Part])
    offers: list[Part] = field(default_factory=list[Part])
    feed: dict[str, list[Part]] = field(default_factory=dict[str, list[Part]])
    covered_ns: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, other: _Hour) -> None:
        """Add what another node has of it: its accounts have names of their own."""
        self.loads.update(other.loads)
        self.offers += other.offers
        self.feed.update(other.feed)
        self.covered_ns.update(other.covered_ns)


class Gathering:
    """What the ledger of one node says of each hour.

    Args:
        node: a name for it.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self.hours: dict[int, _Hour] = {}
        self.undated = self.summed = 0

    def take(self, entry: Entry) -> None:
        """Take a row."""
        if entry.wall_ns is None:
            self.undated += 1
        elif entry.row.mixed is not None:
            self.summed += 1
        else:
            _sort(self.hours, self.node, entry, entry.wall_ns)


def examine(ledgers: Mapping[str, Iterable[Entry]]) -> RackReport:
    """Balance a rack.

    Args:
        ledgers: the rows of every node of it, by a name for the node.
    """
    found: list[Gathering] = []
    for node, entries in ledgers.items():
        gathering = Gathering(node)
        for entry in entries:
            gathering.take(entry)
        found.append(gathering)
    return settled(found)


def settled(gatherings: Sequence[Gathering]) -> RackReport:
    """Balance a rack by what the ledger of each of its nodes says of each hour."""
    ledgers = [each.node for each in gatherings]
    undated = sum(each.undated for each in gatherings)
    summed = sum(each.summed for each in gatherings)
    hours: dict[int, _Hour] = {}
    for gathering in gatherings:
        for number, part in gathering.hours.items():
            hours.setdefault(number, _Hour()).add(part)
    whole = [number for number in sorted(hours) if _is_whole(hours[number], ledgers)]
    unchecked: list[str] = []
    if undated:
        unchecked.append(f"{undated} rows are not dated: no clock was set")
    if summed:
        unchecked.append(f"{summed} rows sum up others: which hour they are of is not known")
    if len(whole) < len(hours):
        count = len(hours) - len(whole)
        unchecked.append(
            f"{count} of {len(hours)} hours are not booked by all nodes from end to end"
        )
    return _report([(number, hours[number]) for number in whole], unchecked)


def _sort(hours: dict[int, _Hour], node: str, entry: Entry, offset_ns: int) -> None:
    row = entry.row
    first = (row.start_ns + offset_ns) // HOUR_NS
    last = max(first, (row.end_ns + offset_ns - 1) // HOUR_NS)
    for number in range(first, last + 1):
        from_ns, until_ns = number * HOUR_NS, (number + 1) * HOUR_NS
        part = part_of(row, f"{row.load} of {node}", offset_ns, from_ns, until_ns)
        if part is None:
            continue
        hour = hours.setdefault(number, _Hour())
        if row.load == FEED:
            hour.feed.setdefault(node, []).append(part)
        elif is_source(row.load):
            hour.offers.append(part)
        else:
            before = hour.loads.get(part.account)
            hour.loads[part.account] = part if before is None else joined(before, part)
        if row.load == ELECTRONICS:
            start_ns = max(row.start_ns + offset_ns, from_ns)
            end_ns = min(row.end_ns + offset_ns, until_ns)
            hour.covered_ns[node] = hour.covered_ns.get(node, 0) + end_ns - start_ns


def _is_whole(hour: _Hour, nodes: Iterable[str]) -> bool:
    return all(hour.covered_ns.get(node, 0) >= COVERED_NS for node in nodes)


def _report(hours: Sequence[tuple[int, _Hour]], unchecked: list[str]) -> RackReport:
    findings: list[str] = []
    paid_nc = earned_nc = rent_nc = drawn_mj = loss_mj = sold_mj = sold_nc = 0
    blind = unoffered = unknown = 0
    for number, hour in hours:
        if len(hour.feed) > 1:
            findings.append(f"hour {_date(number)}: {len(hour.feed)} nodes say they meter the feed")
        feed = [part for parts in hour.feed.values() for part in parts]
        balance = balanced(hour.loads.values(), hour.offers, feed)
        blind += not feed
        unoffered += not hour.offers
        unknown += bool(feed) and balance.agreement is Agreement.UNKNOWN
        wrong = objections(balance) if hour.offers else []
        if balance.agreement is Agreement.BEYOND:
            assert balance.loss_mj is not None
            assert balance.doubt_mj is not None
            wrong.append(
                f"the feed's meter and the loads' differ by {balance.loss_mj / 3.6e6:+.3f} Wh, "
                f"and their stated error is {balance.doubt_mj / 3.6e6:.3f} Wh"
            )
        findings += [f"hour {_date(number)}: {each}" for each in wrong]
        drawn_mj += sum(part.energy_mj for part in hour.loads.values())
        paid_nc += sum(part.cost_nc for part in hour.loads.values())
        earned_nc += sum(each.money_nc for each in balance.postings if is_source(each.account))
        rent_nc += balance.money_nc(RENT) if hour.offers else 0
        loss_mj += balance.energy_mj(LOSS)
        sold_mj += balance.energy_mj(EXPORT)
        sold_nc -= balance.money_nc(EXPORT)
    for count, what in (
        (blind, "nobody metered the feed"),
        (unknown, "not all meters state an accuracy: the feed's meter was not compared"),
        (unoffered, "nobody booked what sources offered: what they earned was not checked"),
    ):
        if count:
            unchecked.append(f"in {count} of {len(hours)} hours {what}")
    return RackReport(
        tuple(findings[:FINDINGS_MAX]),
        tuple(unchecked),
        len(hours),
        paid_nc,
        earned_nc,
        rent_nc,
        drawn_mj,
        None if blind == len(hours) else loss_mj,
        sold_mj,
        sold_nc,
    )


def _date(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:00Z")
