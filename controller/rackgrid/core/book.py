"""The broker's book: one account per node, and how much may still be granted.

`room` is the promise in one line: capacity less the reserve, less Σ floors, less Σ of what is
counted. Grants are issued lower before raise: a watt goes to another node only when it is free by
this count.

Takeover (P6). A new broker does not know what its predecessor granted in its last moments. Until
every predecessor's authority and then its grants have certainly run out, it renews only what nodes
reported holding in their first ack of its term, and only holdings that were still to last beyond
the predecessor's authority (no predecessor can have given those watts away). It opens earlier if
every node on the roster has acked it: then all are fenced against older brokers, and what they
reported is all that there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rackgrid.core import grant
from rackgrid.core.grant import Account, Handed
from rackgrid.core.settings import MS_NS, Timing
from rackgrid.identity import BootId, NodeId
from rackgrid.value import replace
from rackgrid.wire.message import ClaimReport, Report, StepReport


@dataclass(frozen=True, slots=True)
class Inherited:
    """A holding from a node's first ack of this term; it lasts at least until `lasts_ns`."""

    power_mw: int
    lasts_ns: int


@dataclass(frozen=True, slots=True)
class Book:
    """All accounts, and the state of the takeover.

    Attributes:
        first_majority_ns: τ, when authority was first complete; None before.
        opened: whether the takeover's waits are over.
        handed: what a predecessor that resigned counted for nodes that have not reported since.
    """

    accounts: Mapping[NodeId, Account] = field(default_factory=lambda: MappingProxyType({}))
    inherited: Mapping[NodeId, Inherited] = field(default_factory=lambda: MappingProxyType({}))
    first_majority_ns: int | None = None
    opened: bool = False
    handed: Mapping[NodeId, Handed] = field(default_factory=lambda: MappingProxyType({}))

    def counted_mw(self, now_ns: int) -> int:
        """Σ of all accounts, mW."""
        counted_mw = sum(account.counted_mw(now_ns) for account in self.accounts.values())
        return counted_mw + self.handed_mw(now_ns)

    def counted_of_mw(self, node: NodeId, now_ns: int) -> int:
        """What is counted of one node, mW."""
        known = self.accounts.get(node) or self.handed.get(node)
        return known.counted_mw(now_ns) if known else 0

    def handed_mw(self, now_ns: int) -> int:
        """Σ of what was handed over and not reported since, mW."""
        return sum(handed.counted_mw(now_ns) for handed in self.handed.values())


def reported(
    book: Book,
    node: NodeId,
    boot: BootId,
    report: Report,
    heartbeat_sent_ns: int,
    now_ns: int,
    timing: Timing,
) -> Book:
    """Take a node's report into its account; the first one of this term may be inherited.

    Args:
        heartbeat_sent_ns: when the heartbeat that the report answers was sent: the reported rest
            is counted from there, because it was measured no earlier.
    """
    known = book.accounts.get(node)
    if known is None:
        handed = book.handed.get(node)
        old = handed.beside(boot, now_ns) if handed else ()
        account = grant.opened(node, boot, report, heartbeat_sent_ns, now_ns, timing)
        account = replace(account, old=old)
        if book.opened:
            # What nobody counted is no title: those watts have been shared out.
            account = grant.kept(account, handed.counted_mw(now_ns) if handed else 0)
        book = replace(book, handed={n: h for n, h in book.handed.items() if n != node})
        rest_ns = max(0, report.holding_ms - 1) * MS_NS
        first = Inherited(report.holding_mw, heartbeat_sent_ns + rest_ns)
        book = replace(book, inherited={**book.inherited, node: first})
    else:
        account = grant.reported(known, boot, report, heartbeat_sent_ns, now_ns, timing)
        if account.boot != known.boot:
            book = _inherited_by(book, node, report.holding_mw)
    return replace(book, accounts={**book.accounts, node: account})


def _inherited_by(book: Book, node: NodeId, holding_mw: int) -> Book:
    """Let a new boot inherit no more than it has adopted: the dead one's watts still count."""
    first = book.inherited[node]
    kept = replace(first, power_mw=min(first.power_mw, holding_mw))
    return replace(book, inherited={**book.inherited, node: kept})


def majority_reached(book: Book, now_ns: int) -> Book:
    """Note τ, once."""
    return book if book.first_majority_ns is not None else replace(book, first_majority_ns=now_ns)


def handed_over(
    book: Book, table: tuple[ClaimReport, ...], received_ns: int, timing: Timing
) -> Book:
    """Open the book with what the predecessor counted when it resigned (DESIGN, handover).

    The caller has made sure that nobody has granted in between. Who has acked this term has said
    itself what its running boot holds; of all others the predecessor's word counts, until its end.

    Args:
        received_ns: when the table came; what it says of time counts from there, which is later.
    """
    counted = {line.node: line.running_mw + line.old_mw for line in table}
    accounts = {n: grant.kept(a, counted.get(n, 0)) for n, a in book.accounts.items()}
    handed = dict(book.handed)
    for line in table:
        claims = grant.handed(line, received_ns, timing)
        account = accounts.get(line.node)
        if account is None:
            handed[line.node] = claims
        else:
            old = (*account.old, *claims.beside(account.boot, received_ns))
            accounts[line.node] = replace(account, old=old)
    return replace(book, accounts=accounts, handed=handed, opened=True)


def table(book: Book, now_ns: int) -> tuple[ClaimReport, ...]:
    """Write down what is counted, for a successor."""
    lines = [grant.told(account, now_ns) for account in book.accounts.values()]
    lines += [handed.told(now_ns) for handed in book.handed.values()]
    return tuple(line for line in lines if line.running_mw or line.old_mw)


def opens_ns(book: Book, timing: Timing) -> int | None:
    """When the takeover's waits end by time alone; None before τ."""
    if book.first_majority_ns is None:
        return None
    return _authority_ends_ns(book, timing) + timing.stretched(timing.grant_ns) + timing.margin_ns


def settled(book: Book, nodes: frozenset[NodeId], now_ns: int, timing: Timing) -> Book:
    """Open the book when the waits are over, or when every rostered node has acked this term."""
    opens = opens_ns(book, timing)
    if book.opened or opens is None:
        return book
    if now_ns < opens and not nodes <= book.accounts.keys():
        return book
    ends_ns = min(now_ns, _authority_ends_ns(book, timing))
    accounts = {
        node: account if _lasts(book, node, ends_ns) else grant.kept(account, 0)
        for node, account in book.accounts.items()
    }
    return replace(book, opened=True, accounts=accounts)


def limit_mw(book: Book, node: NodeId, timing: Timing) -> int | None:
    """The most that may be granted to `node` while the book is closed; None once it is open."""
    if book.opened:
        return None
    if not _lasts(book, node, _authority_ends_ns(book, timing)):
        return 0
    return book.inherited[node].power_mw


def _authority_ends_ns(book: Book, timing: Timing) -> int:
    """When every predecessor's authority is certainly over."""
    assert book.first_majority_ns is not None, "nothing is granted without authority"
    return book.first_majority_ns + timing.stretched(timing.authority_ns)


def _lasts(book: Book, node: NodeId, until_ns: int) -> bool:
    """Whether what a node first reported lasted so long: nobody can have given it away before."""
    first = book.inherited.get(node)
    return first is not None and first.lasts_ns >= until_ns


@dataclass(frozen=True, slots=True)
class Choice:
    """Which steps of a node's bid a grant can cover now, mW and mask."""

    power_mw: int
    mask: int
    wanting: bool
    """Some wanted step must wait until watts are free."""


def choose(
    steps: tuple[StepReport, ...], wanted: int, held_mw: int, room_mw: int, limit: int | None
) -> Choice:
    """Cover as many wanted steps as the promises allow: running ones first, then by worth.

    Under a takeover's limit only what runs is renewed. What a node reports to hold may be what a
    meter misread, or what a load draws beyond its grant: no predecessor has counted that, and it is
    no title to start anything.

    Args:
        wanted: mask of the steps that the clearing serves.
        held_mw: what may be renewed without new room.
        room_mw: what may be granted beyond everything counted; negative when overbooked.
        limit: the takeover's limit, or None.
    """
    most = held_mw + max(0, room_mw)
    if limit is not None:
        most = min(most, limit)
    power = mask = 0
    order = sorted(
        (
            index
            for index, step in enumerate(steps)
            if wanted >> index & 1 and (limit is None or step.running)
        ),
        key=lambda index: (not steps[index].running, -steps[index].worth_uc, index),
    )
    for index in order:
        if power + steps[index].reserve_mw <= most:
            power += steps[index].reserve_mw
            mask |= 1 << index
    return Choice(power, mask, mask != wanted)
