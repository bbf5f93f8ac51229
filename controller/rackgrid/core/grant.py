"""Grants, seen from both ends: what a node holds (P2), and what the broker must count (P3).

A grant answers one numbered bid of one boot of one node and dies G after the node *sent* that bid,
on the node's clock: delay, duplication, replay and reboot cannot stretch it. The broker knows only
when it *received* the bid, which is later, and that clocks may run at rates that differ by ρ; so it
counts each grant for G·(1+ρ)/(1−ρ) + margin from the receipt. Between the two lies the whole safety
of the feed: what the broker counts is never less than what a node may hold.

An `Account` is the broker's count for one node. It is the largest of what the node last reported
and of every grant that the node may yet take, and beside it whatever an earlier boot of the node
may still hold. Nothing but an expiry or the node's own later report lowers it: not a REMOVE, not
silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rackgrid.core.settings import MS_NS, Timing
from rackgrid.identity import BootId, NodeId, Pair
from rackgrid.value import replace
from rackgrid.wire.message import ClaimReport, Report

ISSUED_MAX = 16
"""Grants remembered one by one; beyond it two are merged into their pessimistic union."""
DEAD_MAX = 16
"""Dead boots remembered, so that their late datagrams are known as such."""
OLD_MAX = 8
"""Dead boots counted one by one; beyond it two are merged."""
TOLD_MAX = (1 << 32) - 1
"""Largest power, mW, and time, ms, on the wire: what peers claim is added up unchecked."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An allotment in force at this node.

    Attributes:
        pair, round, bid_seq: whose, and what it answers.
        power_mw: above the floor, mW.
        loads: the loads that it serves.
        stages: how many stages of a load it serves, where that is more than one.
        deadline_ns: G after the bid was sent; the firmware gets this very number.
    """

    pair: Pair
    round: int
    bid_seq: int
    power_mw: int
    loads: frozenset[str]
    deadline_ns: int
    stages: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Claim:
    """Power that a node may draw until an instant, as the broker counts it."""

    power_mw: int
    until_ns: int
    round: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """The broker's pessimistic count for one node.

    Attributes:
        boot: the running boot.
        old: what each boot before it may still hold, one claim a boot.
        dead: the boots before it; what they said arrives late, and counts for nothing.
        answered_ns: when the newest heartbeat that it has answered was sent. An ack of another boot
            that answers no later one is a dead boot's, late: the dead answer nothing new.
        bid_seq, bid_received_ns: the newest bid, which the next grant answers.
        reported: what the node said that it holds.
        issued: grants of later rounds than the last that it reported taking.
        report: its newest report.
        kept_mw: the part of the reported holding that was counted without a gap, mW. A node may
            report what has ended long ago (its process stood still, its word was late): that
            counts, to be safe, and it is no title to a new grant: its watts may be others' now.
    """

    node: NodeId
    boot: BootId
    bid_seq: int
    bid_received_ns: int
    reported: Claim
    issued: tuple[Claim, ...]
    old: tuple[Claim, ...]
    report: Report
    dead: tuple[BootId, ...] = ()
    answered_ns: int = 0
    kept_mw: int = 0

    def renewable_mw(self, now_ns: int) -> int:
        """What may be granted again without new room, mW: nobody else can have these watts."""
        reported_mw = _largest((self.reported,), now_ns)
        return max(min(reported_mw, self.kept_mw), _largest(self.issued, now_ns))

    def running_mw(self, now_ns: int) -> int:
        """Count what the running boot holds or may yet take, mW."""
        return _largest((self.reported, *self.issued), now_ns)

    def counted_mw(self, now_ns: int) -> int:
        """Count everything: the running boot, and the dead ones beside it, mW."""
        return self.running_mw(now_ns) + self.old_mw(now_ns)

    def copper_mw(self, now_ns: int) -> int:
        """What the outputs can be expected to draw, mW: all boots command the same copper by turns.

        An expectation for the market, and no promise: what may be granted rests on `counted_mw`.
        """
        return max(self.running_mw(now_ns), _largest(self.old, now_ns))

    def old_mw(self, now_ns: int) -> int:
        """Count what the dead boots may still hold, mW: each beside the others."""
        return sum(c.power_mw for c in self.old if c.until_ns > now_ns)


@dataclass(frozen=True, slots=True)
class Handed:
    """What a predecessor counted for a node, in a book that was handed over.

    Attributes:
        running: of the boot that it knew; old: of the boots before it.
    """

    node: NodeId
    boot: BootId
    running: Claim
    old: Claim

    def counted_mw(self, now_ns: int) -> int:
        """Count everything, mW."""
        return sum(c.power_mw for c in (self.running, self.old) if c.until_ns > now_ns)

    def beside(self, boot: BootId, now_ns: int) -> tuple[Claim, ...]:
        """What stands beside the own report of this boot: all that other boots may hold."""
        claims = (self.old,) if boot == self.boot else (self.running, self.old)
        return _alive(claims, now_ns)

    def told(self, now_ns: int) -> ClaimReport:
        """Hand it on."""
        return _claim_report(self.node, self.boot, (self.running,), (self.old,), now_ns)


def handed(line: ClaimReport, received_ns: int, timing: Timing) -> Handed:
    """Read a line of a predecessor's table; its clock may have been the slower one."""

    def claim(power_mw: int, rest_ms: int) -> Claim:
        return Claim(power_mw, received_ns + timing.stretched(rest_ms * MS_NS))

    running, old = claim(line.running_mw, line.running_ms), claim(line.old_mw, line.old_ms)
    return Handed(line.node, line.boot, running, old)


def told(account: Account, now_ns: int) -> ClaimReport:
    """Write down what is counted for a node."""
    running = (account.reported, *account.issued)
    return _claim_report(account.node, account.boot, running, account.old, now_ns)


def _claim_report(
    node: NodeId,
    boot: BootId,
    running: tuple[Claim, ...],
    old: tuple[Claim, ...],
    now_ns: int,
) -> ClaimReport:
    def rest_ms(claims: tuple[Claim, ...]) -> int:
        ends_ns = [c.until_ns for c in claims if c.until_ns > now_ns and c.power_mw > 0]
        return holding_ms(max(ends_ns, default=now_ns), now_ns)

    running_mw = _largest(running, now_ns)
    old_mw = sum(c.power_mw for c in old if c.until_ns > now_ns)
    told = (running_mw, rest_ms(running), old_mw, rest_ms(old))
    return ClaimReport(node, boot, *(min(number, TOLD_MAX) for number in told))


def opened(
    node: NodeId,
    boot: BootId,
    report: Report,
    heartbeat_sent_ns: int,
    now_ns: int,
    timing: Timing,
) -> Account:
    """Open an account with a node's first report."""
    return Account(
        node=node,
        boot=boot,
        bid_seq=report.bid_seq,
        bid_received_ns=now_ns,
        reported=_reported(report, now_ns, timing),
        issued=(),
        old=(),
        report=report,
        answered_ns=heartbeat_sent_ns,
        kept_mw=report.holding_mw,
    )


def kept(account: Account, most_mw: int) -> Account:
    """Let no more than this be renewed of what the node reports."""
    return replace(account, kept_mw=min(account.kept_mw, most_mw))


def reported(
    account: Account,
    boot: BootId,
    report: Report,
    heartbeat_sent_ns: int,
    now_ns: int,
    timing: Timing,
) -> Account:
    """Take a later report into account.

    A bid older than the newest of its boot is ignored, and so is a boot that another has followed.
    A new boot's first report stands beside the old boot's claims: a report of nothing must not
    erase what the dead boot's outputs may still draw.
    """
    if boot != account.boot:
        if not _follows(account, boot, heartbeat_sent_ns, now_ns, timing):
            return account
        fresh = opened(account.node, boot, report, heartbeat_sent_ns, now_ns, timing)
        fresh = kept(fresh, account.renewable_mw(now_ns))
        dead = tuple(one for one in account.dead if one != boot)
        dead = (*dead, account.boot)[-DEAD_MAX:]
        return replace(fresh, old=_with_dead_boot(account, now_ns), dead=dead)
    if report.bid_seq <= account.bid_seq:
        return account
    issued = tuple(c for c in account.issued if c.round > report.round_taken)
    return replace(
        account,
        bid_seq=report.bid_seq,
        bid_received_ns=now_ns,
        reported=_reported(report, now_ns, timing),
        issued=_alive(issued, now_ns),
        old=_alive(account.old, now_ns),
        report=report,
        answered_ns=max(account.answered_ns, heartbeat_sent_ns),
        kept_mw=min(report.holding_mw, account.renewable_mw(now_ns)),
    )


def issued(account: Account, round_: int, power_mw: int, timing: Timing) -> Account:
    """Count a grant that is about to be sent."""
    until_ns = account.bid_received_ns + timing.stretched(timing.grant_ns) + timing.margin_ns
    return replace(account, issued=_bounded((*account.issued, Claim(power_mw, until_ns, round_))))


def holding_ms(until_ns: int, now_ns: int) -> int:
    """How long a holding may still be in force, ms, rounded up."""
    return max(0, -(-(until_ns - now_ns) // MS_NS))


def _reported(report: Report, now_ns: int, timing: Timing) -> Claim:
    if report.holding_mw == 0:
        return Claim(0, now_ns)
    rest_ns = timing.stretched(report.holding_ms * MS_NS) + timing.margin_ns
    return Claim(report.holding_mw, now_ns + rest_ns)


def _largest(claims: tuple[Claim, ...], now_ns: int) -> int:
    largest_mw = 0
    for claim in claims:
        if claim.power_mw > largest_mw and claim.until_ns > now_ns:
            largest_mw = claim.power_mw
    return largest_mw


def _alive(claims: tuple[Claim, ...], now_ns: int) -> tuple[Claim, ...]:
    return tuple(c for c in claims if c.until_ns > now_ns and c.power_mw > 0)


def _follows(
    account: Account, boot: BootId, heartbeat_sent_ns: int, now_ns: int, timing: Timing
) -> bool:
    """Whether another boot than the one that is believed to run is the one that does.

    One that was taken for dead may yet be: its first ack answered a heartbeat that was late, and so
    the last word of its forebear looked newer. It has to wait until the other is silent: two that
    both speak are two nodes of one identity, and the later one counts.
    """
    if heartbeat_sent_ns <= account.answered_ns:
        return False
    is_silent = now_ns - account.bid_received_ns > timing.absent_ns
    return is_silent or boot not in account.dead


def _with_dead_boot(account: Account, now_ns: int) -> tuple[Claim, ...]:
    """Add all that the boot which has just died may hold, as one claim."""
    claims = _alive((account.reported, *account.issued), now_ns)
    ends_ns = max((c.until_ns for c in claims), default=now_ns)
    old = _alive((Claim(account.running_mw(now_ns), ends_ns), *account.old), now_ns)
    if len(old) <= OLD_MAX:
        return old
    *kept, first, second = old
    both = Claim(first.power_mw + second.power_mw, max(first.until_ns, second.until_ns))
    return (*kept, both)


def _bounded(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    if len(claims) <= ISSUED_MAX:
        return claims
    first, second, *rest = claims
    union = Claim(
        max(first.power_mw, second.power_mw),
        max(first.until_ns, second.until_ns),
        max(first.round, second.round),
    )
    return _bounded((union, *rest))
