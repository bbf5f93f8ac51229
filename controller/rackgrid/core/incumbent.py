"""What a node does while it is the broker: it keeps its authority, admits, clears, and lets go."""

from __future__ import annotations

from dataclasses import replace

from rackgrid.core import admission, book, broker, candidate, membership
from rackgrid.core import agent as agents
from rackgrid.core.action import PriceSent
from rackgrid.core.authority import NEVER
from rackgrid.core.broker import Office
from rackgrid.core.election import Listening
from rackgrid.core.grant import Account
from rackgrid.core.roster import Roster
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.core.state import State
from rackgrid.identity import BootId, NodeId, Rank
from rackgrid.wire.message import (
    Ack,
    Join,
    JoinReply,
    Price,
    Remove,
    Resign,
    RosterLine,
    pair_wire,
)

INCOMPLETE_NS = 5 * SECOND_NS
"""So long after taking office a rack that is still forming is worth a word."""


def has_authority(node: State, now_ns: int) -> bool:
    """Whether this broker may issue grants now (P4)."""
    return node.office is not None and _authority_until_ns(node, node.office, now_ns) > now_ns


def lapsed(node: State, now_ns: int) -> None:
    """Give the office up if its authority has ended, or never came (tested before each event)."""
    office = node.office
    if office is None:
        return
    until_ns = _authority_until_ns(node, office, now_ns)
    if office.book.first_majority_ns is None:
        if until_ns > now_ns:
            entry = book.majority_reached(office.book, now_ns)
            node.office = replace(office, book=entry)
            node.urgent = True
        elif now_ns >= office.since_ns + 2 * node.timing.authority_ns:
            candidate.leave_office(node, now_ns, "never had a majority")
    elif until_ns <= now_ns:
        candidate.leave_office(node, now_ns, "no majority answers")


def begin(node: State) -> None:
    """Start a term that was just won: with the roster at hand, or a first one of this node."""
    assert node.office is not None, "only a broker begins a term"
    if node.roster.line(node.me) is None:
        assert node.agent.board is not None, "a node without its firmware does not stand"
        line = RosterLine(
            node.me, node.settings.name, node.settings.priority, node.agent.board.floor_mw, votes=1
        )
        node.adopt(node.roster.with_line(line))
    node.multicast(node.roster.update(node.office.pair))


def acked(node: State, sender: NodeId, boot: BootId, message: Ack, now_ns: int) -> None:
    """Take a member's ack; one of a node that is not on the roster tells it to join."""
    office = node.office
    if office is None or message.pair.pair() != office.pair or node.roster.line(sender) is None:
        return
    if message.roster_version > node.roster.version:
        # Whoever is on the newer roster and not on this one would be forgotten, floor and all.
        node.peers = membership.informed(node.peers, sender, message.roster_version)
        candidate.leave_office(node, now_ns, "a member knows a newer roster")
        return
    before = office.book.accounts.get(sender)
    was_absent = sender in office.absent
    office = broker.acked(office, sender, boot, message, now_ns, node.timing)
    node.office = office
    after = office.book.accounts.get(sender)
    if after is not None:
        node.urgent |= was_absent or _asks_for_a_round(office, before, after, now_ns)
    _enfranchise(node, sender, message, now_ns)
    lapsed(node, now_ns)


def joined(node: State, sender: NodeId, boot: BootId, message: Join, now_ns: int) -> None:
    """Admit a node, or say why not (P1)."""
    office = node.office
    if office is None:
        return
    line, account = node.roster.line(sender), office.book.accounts.get(sender)
    if line is not None and (account is None or account.boot != boot):
        # A late word of a dead boot must not lower a floor that the running one may draw; the
        # running one asks again, and has acked by then.
        message = replace(message, floor_mw=max(message.floor_mw, line.floor_mw))
    pair = pair_wire(office.pair)
    if node.is_formed and not has_authority(node, now_ns):
        # A broker that may itself be on its way out must not promise anybody a floor. (A first
        # roster is made before any authority: that needs votes, and those need a roster.)
        node.unicast(
            sender, JoinReply(message.nonce, pair, False, "not yet: no majority has acked")
        )
        return
    reason = admission.refusal(
        office, node.roster, sender, message, node.settings, now_ns, is_formed=node.is_formed
    )
    if reason is not None:
        if reason.startswith(admission.MAKING_ROOM):
            node.office = admission.making_room(office, sender, message.floor_mw, now_ns)
            node.urgent = True
        else:
            node.note(f"{message.name} is not admitted: {reason}")
        node.unicast(sender, JoinReply(message.nonce, pair, False, reason))
        return
    version = node.roster.version
    node.office, roster = admission.admitted(office, node.roster, sender, message)
    node.adopt(roster)
    node.unicast(sender, JoinReply(message.nonce, pair, True, ""))
    if node.roster.version != version:
        node.multicast(node.roster.update(office.pair))
    else:
        node.unicast(sender, node.roster.update(office.pair))


def left(node: State, sender: NodeId, boot: BootId, now_ns: int) -> None:
    """Release the floor of a node that says that it is off: the boot that acks here, no other.

    Only with authority, like every change: else two brokers would have two rosters. The node says
    it again until it is heard.
    """
    office = node.office
    if office is None or node.roster.line(sender) is None or not has_authority(node, now_ns):
        return
    account = office.book.accounts.get(sender)
    if account is None or account.boot != boot:
        return
    node.adopt(node.roster.without(sender))
    accounts = {n: a for n, a in office.book.accounts.items() if n != sender}
    node.office = replace(
        office,
        book=replace(office.book, accounts=accounts),
        absent=office.absent - {sender},
    )
    node.multicast(node.roster.update(office.pair))
    node.urgent = True


def due(node: State, now_ns: int) -> None:
    """Send the heartbeat and clear the market when their times have come."""
    office = node.office
    if office is None:
        return
    if now_ns >= office.heartbeat_ns:
        _beat(node, office, now_ns)
    office = node.office
    if office is not None and now_ns >= broker.round_due_ns(office, urgent=node.urgent):
        _clear(node, office, now_ns)


def next_deadline_ns(node: State, now_ns: int) -> int | None:
    """When `due` or `lapsed` next has something to do."""
    office = node.office
    if office is None:
        return None
    times = [office.heartbeat_ns, broker.round_due_ns(office, urgent=node.urgent)]
    until_ns = _authority_until_ns(node, office, now_ns, own_vote=False)
    if office.book.first_majority_ns is None:
        times.append(office.since_ns + 2 * node.timing.authority_ns)
    elif until_ns > now_ns:
        times.append(until_ns)
    return min(times)


def preempted(node: State, now_ns: int) -> None:
    """Pass the office to a steady node of higher rank: resign, and it is elected at once."""
    office = node.office
    if office is None or not node.timing.preempt:
        return
    if now_ns - office.since_ns < node.timing.preempt_after_ns:
        return  # whoever outranks this node has just had the chance to be elected
    for peer in node.live(now_ns):
        line = node.roster.line(peer.node)
        if line is None or Rank(line.priority, line.node) <= node.rank:
            continue
        is_steady = now_ns - peer.steady_ns >= node.timing.preempt_after_ns
        if is_steady and peer.followed == office.pair and peer.node in office.book.accounts:
            resign(node, now_ns, f"resigns in favour of {peer.name}")
            return


def resign(node: State, now_ns: int, cause: str) -> None:
    """Stop granting, say so, and let the rack elect at once."""
    assert node.office is not None, "only a broker resigns"
    node.multicast(Resign(pair_wire(node.office.pair)))
    patience = 2 * node.timing.suspect * node.timing.heartbeat_ns
    candidate.leave_office(node, now_ns, cause)
    node.election = Listening(now_ns + patience)


def apply(node: State, price: Price, now_ns: int) -> None:
    """Act on a price of the followed broker: the price for all, the allotment for this node."""
    pair = price.pair.pair()
    if pair != node.followed:
        return
    node.last_price = price
    node.agent, actions = agents.priced(node.agent, price, now_ns)
    node.out.extend(actions)
    if not node.may_vote(now_ns):
        return  # the quiet time: a grant taken now could stand beside one that is forgotten
    for allotment in price.allotments:
        if allotment.node == node.me and allotment.boot == node.boot:
            node.agent = agents.allotted(
                node.agent, pair, price.round, allotment, node.timing.grant_ns, now_ns
            )


def _beat(node: State, office: Office, now_ns: int) -> None:
    timing = node.timing
    for silent in broker.silent(office, node.roster, node.me, now_ns, timing):
        account = office.book.accounts.get(silent)
        heard_ns = account.bid_received_ns if account else office.since_ns
        silent_ms = (now_ns - heard_ns) // MS_NS
        node.multicast(Remove(pair_wire(office.pair), silent, silent_ms, "no ack"))
        office = replace(office, absent=office.absent | {silent})
        node.urgent = True
    office, heartbeat = broker.beat(office, node.roster, now_ns, timing)
    node.office = office
    node.multicast(heartbeat)
    if office.seq == 1:
        begin(node)


def _enfranchise_self(node: State, office: Office, now_ns: int) -> None:
    """Give the broker its own vote, if it was elected before it got one: it acks to nobody."""
    line = node.roster.line(node.me)
    if line is None or line.votes or not node.may_vote(now_ns):
        return
    if has_authority(node, now_ns):
        node.adopt(admission.enfranchised(node.roster, node.me))
        node.multicast(node.roster.update(office.pair))


def _clear(node: State, office: Office, now_ns: int) -> None:
    _enfranchise_self(node, office, now_ns)
    node.urgent = False
    report = node.report(now_ns)
    office = broker.own_report(office, node.me, node.boot, report, now_ns, node.timing)
    node.office = office
    grants = has_authority(node, now_ns) and office.book.first_majority_ns is not None
    office, prices = broker.cleared(
        office, node.roster, node.settings, now_ns, may_grant=grants, is_formed=node.is_formed
    )
    node.office = office
    first = prices[0]
    for price in prices:
        node.multicast(price)
    valid_ns = first.valid_for_ms * MS_NS
    node.out.append(PriceSent(office.pair, first.round, first.price_uc, valid_ns))
    for price in prices:
        apply(node, price, now_ns)
    if not node.is_formed and now_ns > office.since_ns + INCOMPLETE_NS:
        node.note(
            f"the rack is not complete: {node.roster.votes} of {node.settings.expect} expected"
            " nodes are here; until all have come once, only required loads run"
            " (lower `expect` if it is wrong)"
        )
    if first.floors_mw > first.capacity_mw:
        node.note(
            f"overcommitted: floors of {first.floors_mw / 1000:.1f} W"
            f" on a feed of {first.capacity_mw / 1000:.1f} W; no flexible load gets power"
        )


def _authority_until_ns(node: State, office: Office, now_ns: int, *, own_vote: bool = True) -> int:
    """When authority ends; its own vote never lapses while it may vote at all."""
    mine = now_ns if own_vote else now_ns + node.timing.authority_ns
    vote_ns = mine if node.may_vote(now_ns) else NEVER
    roster: Roster = node.roster
    need = node.votes_needed
    return broker.authority_until_ns(office, roster, need, node.me, vote_ns, node.timing)


def _enfranchise(node: State, sender: NodeId, ack: Ack, now_ns: int) -> None:
    """Give a member its vote once it has acked, knowing the roster of the day."""
    line = node.roster.line(sender)
    if node.office is None or line is None or line.votes or not ack.votes:
        return
    if ack.roster_version != node.roster.version:
        return
    if not node.is_formed or has_authority(node, now_ns):
        node.adopt(admission.enfranchised(node.roster, sender))
        node.multicast(node.roster.update(node.office.pair))


def _asks_for_a_round(office: Office, before: Account | None, after: Account, now_ns: int) -> bool:
    """Whether a report changes something that should not wait for the next regular clearing."""
    if before is None:
        return True
    old, new = before.report, after.report
    if (old.capacity_mw, old.offers) != (new.capacity_mw, new.offers):
        return True
    if [s.worth_uc for s in old.steps] != [s.worth_uc for s in new.steps]:
        return True
    return office.wanting and after.counted_mw(now_ns) < before.counted_mw(now_ns)
