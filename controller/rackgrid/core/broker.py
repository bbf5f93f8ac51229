"""The broker: heartbeats, admissions, and rounds of clearing.

The broker is an ordinary member for its own watts: its own report goes into its book like any
other, and its own allotment comes out of its price like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

from rackgrid.core import agreement as agreements
from rackgrid.core import authority, book, pledge, tender
from rackgrid.core import limit as limits
from rackgrid.core import trust as trusts
from rackgrid.core.action import RoundCleared
from rackgrid.core.agreement import Agreement
from rackgrid.core.authority import Authority
from rackgrid.core.grant import Account, issued, opened
from rackgrid.core.office import Office
from rackgrid.core.roster import Roster
from rackgrid.core.settings import MS_NS, NodeSettings, Timing
from rackgrid.core.trust import Judgement, Looks
from rackgrid.identity import BootId, Limit, NodeId, Pair, Round
from rackgrid.market.clearing import Clearing, clear
from rackgrid.value import replace
from rackgrid.wire.message import (
    ALLOTMENTS_MAX,
    Ack,
    Allotment,
    Heartbeat,
    Price,
    Report,
)

ROUND_GAP_NS = 20 * MS_NS
"""At least this long between two rounds that events, not the clock, ask for."""
JOIN_PATIENCE_NS = 5_000_000_000
"""Room is made for a joiner's floor this long after its last JOIN; they are 2.5 s apart at most."""
WATTS_MAX_MW = (1 << 32) - 1
"""Largest power on the wire, mW: what peers claim is added up before it is known to be sane."""


def taken(pair: Pair, roster: Roster, supports: Mapping[NodeId, Report], now_ns: int) -> Office:
    """Take office: a heartbeat and a first price are due at once."""
    begun = agreements.begun(roster)
    return Office(pair, now_ns, 0, 0, now_ns, now_ns, agreement=begun, supports=supports)


def beat(office: Office, now_ns: int, timing: Timing) -> tuple[Office, Heartbeat]:
    """Send the next heartbeat."""
    seq = office.seq + 1
    following = max(office.heartbeat_ns + timing.heartbeat_ns, now_ns + timing.heartbeat_ns // 2)
    office = replace(
        office,
        seq=seq,
        heartbeat_ns=following,
        authority=authority.sent(office.authority, seq, now_ns),
    )
    agreed, newest = office.agreement.agreed_version, office.agreement.newest
    version = newest.version if newest.stamp.pair == office.pair else 0
    pair, round_ = office.pair, Round(office.round)
    founding = office.agreement.is_founding
    return office, Heartbeat(pair, seq, newest.rack, founding, version, agreed, round_)


def acked(
    office: Office, node: NodeId, boot: BootId, ack: Ack, now_ns: int, timing: Timing
) -> Office:
    """Take a member's ack: a vote for authority, and a report for the book."""
    sent_ns = office.authority.sent.get(ack.seq)
    if sent_ns is None:
        return office
    entry = book.reported(office.book, node, boot, ack.report, sent_ns, now_ns, timing)
    left, marks, agreement = _vote(office, node, ack)
    absent = office.absent - {node}
    return replace(
        office, left=left, authority=marks, agreement=agreement, book=entry, absent=absent
    )


def voted(office: Office, node: NodeId, ack: Ack) -> Office:
    """Take the vote in an ack, what it says of the roster that its node has stored, and its report.

    Nothing is granted on that: there is no rack yet.
    """
    left, marks, agreement = _vote(office, node, ack)
    supports = {**office.supports, node: ack.report}
    return replace(office, left=left, authority=marks, agreement=agreement, supports=supports)


def _vote(
    office: Office, node: NodeId, ack: Ack
) -> tuple[Mapping[NodeId, Pair], Authority, Agreement]:
    left, agreement = office.left, office.agreement
    if node not in left:
        left = {**left, node: ack.left}
    if not ack.votes:
        return left, office.authority, agreement
    stamp = ack.roster
    if stamp.pair == office.pair:
        agreement = agreements.stored(agreement, node, stamp.version)
    return left, authority.acked(office.authority, node, ack.seq), agreement


def own_report(
    office: Office, node: NodeId, boot: BootId, report: Report, now_ns: int, timing: Timing
) -> Office:
    """Take the broker's own report."""
    entry = book.reported(office.book, node, boot, report, now_ns, now_ns, timing)
    return replace(office, book=entry)


def authority_until_ns(office: Office, me: NodeId, own_vote_ns: int, timing: Timing) -> int:
    """When this office's authority ends, or `NEVER` if it never had any."""
    rosters = office.agreement.authorities
    return authority.until_ns(office.authority, rosters, me, own_vote_ns, timing.authority_ns)


def silence_ns(office: Office, node: NodeId, now_ns: int) -> int:
    """How long nothing has come from a node, as far as this term goes."""
    account = office.book.accounts.get(node)
    return now_ns - (account.bid_received_ns if account else office.since_ns)


def silent(office: Office, me: NodeId, now_ns: int, timing: Timing) -> list[NodeId]:
    """List the rostered nodes that have just fallen silent."""
    return [
        line.node
        for line in office.agreement.base.lines
        if line.node not in office.absent
        and line.node != me
        and silence_ns(office, line.node, now_ns) > timing.absent_ns
    ]


def round_due_ns(office: Office, *, urgent: bool) -> int:
    """When the next clearing is due: by the clock, or as soon as the gap allows if urgent."""
    return min(office.round_ns, office.rounded_ns + ROUND_GAP_NS) if urgent else office.round_ns


def cleared(
    office: Office, settings: NodeSettings, now_ns: int, *, may_grant: bool
) -> tuple[Office, list[Price], RoundCleared]:
    """Clear the market and issue what the promises allow.

    Args:
        may_grant: whether the broker has authority now; without it a price goes out and no grant.

    Returns:
        The office, what is to be sent, and what it was made of.
    """
    timing = settings.timing
    office = replace(
        office,
        joining={n: j for n, j in office.joining.items() if now_ns - j.asked_ns < JOIN_PATIENCE_NS},
    )
    live = _counting(office, _live(office, now_ns, timing))
    said = _with_supports(live, office, now_ns, timing)
    floors_mw = reserved_mw(office) + pledged_mw(office, now_ns)
    usable_mw = capacity_mw(office, settings) - settings.reserve_mw
    offers = tender.offers(said)
    supply_mw = _supplied_mw(said, usable_mw, settings)
    bids = tuple(tender.bid(account) for account in said)
    room_mw = supply_mw - floors_mw - _unavailable_mw(office, said, now_ns)
    clearing = clear(bids, offers, floors_mw, usable_mw, room_mw, settings.price_cap_uc)
    office = replace(
        office,
        round=office.round + 1,
        rounded_ns=now_ns,
        round_ns=now_ns + timing.round_ns,
        wanting=False,
    )
    allotments: list[Allotment] = []
    if may_grant:
        nodes = frozenset(line.node for line in office.agreement.reserved.lines)
        entry = book.settled(office.book, nodes, now_ns, timing)
        office = replace(office, book=entry)
        # An opening book lowers what may be renewed.
        live = _counting(office, _live(office, now_ns, timing))
        office, allotments = _allot(office, live, clearing, supply_mw, now_ns, timing)
    shares = trusts.shares(office.trusts, (account.node for account in live))
    round_ = RoundCleared(
        pair=office.pair,
        round=office.round,
        bids=bids,
        offers=tuple(offers),
        floors_mw=floors_mw,
        capacity_mw=usable_mw,
        room_mw=room_mw,
        price_cap_uc=settings.price_cap_uc,
        clearing=clearing,
        granting=may_grant,
        allotments=tuple(allotments),
        shares=shares,
        said={node: office.book.accounts[node].report.steps for node in shares},
        lasts_ms=trusts.lasts_ms(office.trusts, (each.node for each in allotments), now_ns),
    )
    prices = _announced(office, said, clearing, supply_mw, allotments, now_ns, timing)
    return office, prices, round_


def _allot(
    office: Office,
    live: list[Account],
    clearing: Clearing,
    supply_mw: int,
    now_ns: int,
    timing: Timing,
) -> tuple[Office, list[Allotment]]:
    """Issue grants, those that raise nothing first; what is issued is counted before it is sent."""
    entry, trusted = office.book, office.trusts
    budget_mw = supply_mw - reserved_mw(office) - joining_mw(office)
    allotments: list[Allotment] = []
    wanting = False
    pledges = office.agreement.reserved.pledges
    for account in sorted(live, key=lambda a: tender.merit(a, clearing, now_ns)):
        counted_mw = entry.counted_mw(now_ns) + pledge.beside_mw(pledges, entry, now_ns)
        room_mw = budget_mw - counted_mw
        held_mw = account.renewable_mw(now_ns)
        if room_mw >= 0:
            held_mw = max(held_mw, pledge.title_mw(pledges, account, now_ns))
        choice = book.choose(
            account.report.steps,
            clearing.served.get(account.node, 0),
            held_mw,
            room_mw,
            book.limit_mw(entry, account.node, timing),
        )
        wanting = wanting or choice.wanting
        known = entry.accounts[account.node]  # its bid as it was said, not as it counts
        counted = issued(known, office.round, choice.power_mw, timing)
        entry = replace(entry, accounts={**entry.accounts, account.node: counted})
        trusted = trusts.granted(trusted, counted, choice.power_mw)
        allotments.append(
            Allotment(account.node, account.boot, account.bid_seq, choice.power_mw, choice.mask)
        )
    return replace(office, book=entry, wanting=wanting, trusts=trusted), allotments


def judged(
    office: Office, now_ns: int, timing: Timing
) -> tuple[Office, tuple[Judgement, ...], Looks]:
    """Hold what each node draws against what it was granted, before the next round is cleared."""
    pledges, live = office.agreement.reserved.pledges, _live(office, now_ns, timing)
    known, round_ = office.trusts, office.round + 1
    trusted, said, looks = trusts.looked(known, live, pledges, round_, now_ns, timing)
    return replace(office, trusts=trusted), said, looks


def _counting(office: Office, accounts: list[Account]) -> list[Account]:
    """Let the bids of flagged nodes count with their shares."""
    return [trusts.counting(office.trusts, account) for account in accounts]


def _announced(
    office: Office,
    said: list[Account],
    clearing: Clearing,
    supply_mw: int,
    allotments: list[Allotment],
    now_ns: int,
    timing: Timing,
) -> list[Price]:
    def price(part: tuple[Allotment, ...]) -> Price:
        return Price(
            pair=office.pair,
            round=Round(office.round),
            price_uc=clearing.price_uc,
            valid_for_ms=timing.price_valid_ns // MS_NS,
            capacity_mw=max(0, supply_mw),
            floors_mw=min(reserved_mw(office) + pledged_mw(office, now_ns), WATTS_MAX_MW),
            granted_mw=min(office.book.counted_mw(now_ns), WATTS_MAX_MW),
            drawn_mw=min(sum(account.report.draw_mw for account in said), WATTS_MAX_MW),
            scarce=clearing.scarce,
            allotments=part,
        )

    starts = range(0, max(1, len(allotments)), ALLOTMENTS_MAX)
    return [price(tuple(allotments[at : at + ALLOTMENTS_MAX])) for at in starts]


def reserved_mw(office: Office) -> int:
    """What may be drawn without any grant, mW: the floors, and what exceeds them (P1, P8).

    The silent count with the excess that they had: it has not been seen to end. Who is released
    does not: it has gone, or `reserve_mw` covers it.
    """
    accounts, reserved = office.book.accounts, office.agreement.reserved
    known = (accounts.get(line.node) for line in reserved.lines)
    return reserved.floors_mw + sum(account.report.excess_mw for account in known if account)


def pledged_mw(office: Office, now_ns: int) -> int:
    """What nodes that restart may hold beyond what their accounts still count, mW."""
    return pledge.beside_mw(office.agreement.reserved.pledges, office.book, now_ns)


def joining_mw(office: Office) -> int:
    """Floors that are kept free for nodes which are about to be admitted, mW."""
    known = office.agreement.reserved
    extra_mw = 0
    for node, joining in office.joining.items():
        line = known.line(node)
        extra_mw += max(0, joining.join.floor_mw - (line.floor_mw if line else 0))
    return extra_mw


def _live(office: Office, now_ns: int, timing: Timing) -> list[Account]:
    """Accounts of rostered nodes whose bid is recent."""
    roster = office.agreement.base
    return [
        account
        for node, account in sorted(office.book.accounts.items())
        if roster.line(node)
        and not roster.has_expelled(node)
        and now_ns - account.bid_received_ns <= timing.absent_ns
    ]


def _with_supports(
    live: list[Account], office: Office, now_ns: int, timing: Timing
) -> list[Account]:
    """Add what voters said with their support, until their first ack in this term.

    No grant rests on it, but a price and an offer do: a source whose node has voted and not acked
    yet has not vanished.
    """
    if now_ns - office.since_ns > timing.absent_ns:
        return live
    roster = office.agreement.base
    known = {account.node for account in live}
    return live + [
        opened(node, BootId(0), report, now_ns, now_ns, timing)
        for node, report in sorted(office.supports.items())
        if node not in known and node not in office.book.accounts and roster.line(node)
    ]


def capacity_mw(office: Office, settings: NodeSettings) -> int:
    """The least capacity in any node's settings, the silent ones' too, within an operator's limit.

    Both limits count while a new one is on its way to being agreed.
    """
    reserved, accounts = office.agreement.reserved, office.book.accounts
    known = (account for line in reserved.lines if (account := accounts.get(line.node)))
    least_mw = min((account.report.capacity_mw for account in known), default=settings.capacity_mw)
    return limits.bounded_mw(least_mw, (reserved.limit, limit(office)))


def limit(office: Office) -> Limit:
    """The latest operator's word on the feed that any node has brought."""
    reports = [account.report for account in office.book.accounts.values()]
    words = (report.limit for report in (*reports, *office.supports.values()))
    return limits.latest((office.agreement.base.limit, *words))


def supplied_mw(office: Office, settings: NodeSettings, now_ns: int) -> int:
    """What the sources give for all that is drawn, as far as the feed carries it, mW."""
    live = _live(office, now_ns, settings.timing)
    said = _with_supports(live, office, now_ns, settings.timing)
    return _supplied_mw(said, capacity_mw(office, settings) - settings.reserve_mw, settings)


def _supplied_mw(said: list[Account], usable_mw: int, settings: NodeSettings) -> int:
    offered_mw = sum(offer.power_mw for offer in tender.offers(said))
    return min(usable_mw, offered_mw - settings.reserve_mw)


def is_short(office: Office, settings: NodeSettings, now_ns: int) -> bool:
    """Whether more is counted than the sources give now: somebody has to give way."""
    counted_mw = reserved_mw(office) + pledged_mw(office, now_ns) + office.book.counted_mw(now_ns)
    return counted_mw > supplied_mw(office, settings, now_ns)


def _unavailable_mw(office: Office, said: list[Account], now_ns: int) -> int:
    """Watts that no clearing can dispose of now: the silent, the dead boots, the joiners, mW.

    A restarted controller adopts what its outputs hold and reports it, so here (where nothing is
    promised) a dead boot counts only with what it held beyond: else each restart would make a
    shortage, and shed somebody.
    """
    alive = {account.node for account in said}
    accounts = office.book.accounts
    silent_mw = sum(a.copper_mw(now_ns) for node, a in accounts.items() if node not in alive)
    dead_mw = sum(a.copper_mw(now_ns) - a.running_mw(now_ns) for a in said)
    return silent_mw + dead_mw + office.book.handed_mw(now_ns) + joining_mw(office)
