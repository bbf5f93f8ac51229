"""What the broker does about the roster: it founds the rack, admits, releases, and gives votes.

Each change is announced, stored by the nodes, and in force once it is agreed (`agreement`). One is
under way at a time; who asks for another asks again, or waits in `Office.joining`.
"""

from __future__ import annotations

from rackgrid.core import (
    admission,
    allowance,
    book,
    broker,
    candidate,
    expulsion,
    franchise,
    membership,
    presence,
    release,
)
from rackgrid.core import agreement as agreements
from rackgrid.core import limit as limits
from rackgrid.core import pledge as pledges
from rackgrid.core.allowance import NO_ALLOWANCE
from rackgrid.core.office import Joining, Office
from rackgrid.core.roster import Roster
from rackgrid.core.state import State
from rackgrid.identity import NO_RACK, BootId, NodeId, RackId
from rackgrid.value import replace
from rackgrid.wire.message import Ack, Join, JoinReply, Pledge, PledgeLine, RosterLine

JOINING_MAX = 8
"""Most nodes that wait for room or their turn: room is kept for each of them."""


def is_known(office: Office, who: NodeId) -> bool:
    """Whether a node is on the roster, or on the one that is being agreed."""
    return office.agreement.reserved.line(who) is not None


def is_overtaken(node: State, sender: NodeId, message: Ack, now_ns: int) -> bool:
    """Give the office up if a member knows a newer roster (P7).

    Whoever is on the newer one and not on this one would be forgotten, floor and all.
    """
    office, stamp = node.office, message.roster
    if office is None or not office.agreement.is_newer(stamp, office.pair):
        return False
    rack = node.peers[sender].rack
    node.peers = membership.informed(node.peers, sender, rack, stamp)
    candidate.leave_office(node, now_ns, "a member knows a newer roster")
    return True


def caught_up(node: State, sender: NodeId, message: Ack, now_ns: int) -> None:
    """After a member's ack: a change may be agreed now; else it may need the roster again."""
    office = node.office
    assert office is not None, "only a broker hears acks"
    tell_again(node, office, sender, message, now_ns)
    if office.agreement.is_free:
        agreed(node, node.office or office, now_ns)


def tell_again(node: State, office: Office, sender: NodeId, message: Ack, now_ns: int) -> None:
    """Send the roster to a node that acks and has an older one, be it no longer on it."""
    newest = office.agreement.newest
    if newest.stamp.pair == office.pair and message.roster < newest.stamp:
        told_ns = office.told_ns.get(sender, office.announced_ns)
        if now_ns - told_ns >= 2 * node.timing.heartbeat_ns:
            node.office = replace(office, told_ns={**office.told_ns, sender: now_ns})
            node.unicast(sender, newest.update(office.agreement.agreed_version))


def stored(node: State, now_ns: int) -> None:
    """This broker's own disk has the roster: its own vote for it counts."""
    office = node.office
    assert office is not None, "only a broker's own store is a vote"
    stamp = node.roster.stamp
    if stamp.pair == office.pair and node.votes(now_ns, founding=office.agreement.is_founding):
        agreement = agreements.stored(office.agreement, node.me, stamp.version)
        node.office = replace(office, agreement=agreement)
        agreed(node, node.office, now_ns)


def agreed(node: State, office: Office, now_ns: int) -> None:
    """Follow up an agreement, if there is a new one: clear by it, and begin what waits."""
    if office.agreement.agreed_version == office.cleared_version:
        return
    if node.roster.founding:
        office = replace(office, founded_ns=now_ns)
    node.is_lost = False
    node.office = replace(office, cleared_version=office.agreement.agreed_version)
    node.urgent = True


def amend(node: State, now_ns: int) -> None:
    """Begin the next change of the roster, if one is wanted and none is under way."""
    office = node.office
    if office is None or office.agreement.proposed is not None:
        return
    base = office.agreement.base
    if office.agreement.is_founding:
        if base.lines:
            _refound(node, office, base, now_ns)
        else:
            _found(node, now_ns)  # whoever is expected alone hears nobody who would ask for it
    elif not node.has_authority(now_ns):
        pass
    elif office.agreement.agreed_version == 0:
        announce(node, base, now_ns)
    elif node.roster.founding and node.roster.stamp == base.stamp:
        announce(node, base.settled(), now_ns)
    else:
        _change(node, office, base, now_ns)


def _change(node: State, office: Office, base: Roster, now_ns: int) -> None:
    """One node moves: those that go first, then those that come, then the votes."""
    word = limits.latest((broker.limit(office), node.agent.limit))
    if base.limit.yields_to(word):
        announce(node, base.with_limit(word), now_ns)
        return
    if _allow(node, office, base, now_ns) or _expel(node, office, now_ns):
        return
    if _outlive(node, office, base, now_ns) or _release(node, office, now_ns):
        return
    for who, waiting in office.joining.items():
        if _admit(node, office, who, waiting, now_ns):
            return
    present, gone = presence.present(node, office, now_ns), presence.gone(node, office, now_ns)
    step = franchise.next_step(base, present, gone, node.settings.voters_max)
    if step is not None:
        announce(node, step, now_ns)


def announce(node: State, roster: Roster, now_ns: int) -> None:
    """Propose a roster under this broker's pair, store it here, and have all others store it."""
    office = node.office
    assert office is not None, "only a broker proposes"
    roster = roster.under(office.pair)
    agreement = agreements.proposed(office.agreement, roster)
    node.office = replace(office, agreement=agreement, announced_ns=now_ns, told_ns={})
    node.store(roster)
    node.multicast(roster.update(agreement.agreed_version))


# --- those who come -------------------------------------------------------------------------------


def joined(node: State, sender: NodeId, boot: BootId, message: Join, now_ns: int) -> None:
    """Admit a node, or say why not (P1)."""
    office = node.office
    if office is None or not _is_meant(office, message):
        return
    if office.agreement.is_founding:
        if not office.agreement.reserved.lines:
            _founder(node, office, sender, message, now_ns)
        return
    known = office.agreement.reserved.line(sender)
    if known is not None:
        last_boot, last_seq = office.join_seqs.get(sender, (boot, 0))
        if last_boot == boot and message.seq <= last_seq:
            return  # heard already, or overtaken by a later one: somebody may say it again
        seqs = {**office.join_seqs, sender: (boot, message.seq)}
        office = node.office = replace(office, join_seqs=seqs)
    account = office.book.accounts.get(sender)
    if known is not None and (account is None or account.boot != boot):
        # A late word of a dead boot must not lower a floor that the running one may draw; the
        # running one asks again, and has acked by then.
        message = replace(message, floor_mw=max(message.floor_mw, known.floor_mw))
    waiting = Joining(boot, message, now_ns)
    if not node.has_authority(now_ns):
        # A broker that may itself be on its way out must not promise anybody a floor.
        _refuse(node, office, sender, message, "not yet: no majority has acked")
    elif not _admit(node, office, sender, waiting, now_ns):
        node.urgent = True


def _is_meant(office: Office, join: Join) -> bool:
    """Whether a JOIN was said to this broker in this term, and not to one before."""
    return (join.pair, join.rack) == (office.pair, office.agreement.newest.rack)


def _admit(node: State, office: Office, who: NodeId, waiting: Joining, now_ns: int) -> bool:
    """Begin to admit a node if it can be now; else refuse it, or keep room for its next turn."""
    join, base = waiting.join, office.agreement.base
    reason = admission.refusal(office, who, join, node.settings, now_ns)
    rest = {n: j for n, j in office.joining.items() if n != who}
    if reason is not None and not reason.startswith(admission.MAKING_ROOM):
        node.office = replace(office, joining=rest)
        node.note(f"{join.name} is not admitted: {reason}")
        _refuse(node, office, who, join, reason)
        return False
    if who not in office.joining and len(office.joining) >= JOINING_MAX:
        reason = f"{JOINING_MAX} others join at this moment: it will ask again"
        _refuse(node, office, who, join, reason)
        return False
    if reason is not None or not office.agreement.is_free:
        node.office = replace(office, joining={**rest, who: waiting})
        return False
    node.office = replace(office, joining=rest)
    allowed = office.allowed.get(who, NO_ALLOWANCE)
    roster = admission.admitted(base, who, join, allowed, node.settings)
    if roster is base:
        node.unicast(who, base.update(office.agreement.agreed_version))
        return False
    announce(node, roster, now_ns)
    return True


def _allow(node: State, office: Office, base: Roster, now_ns: int) -> bool:
    """Begin the next change that an operator has asked for; who is still to come waits for it."""
    for who, word in office.allowed.items():
        if base.line(who) is not None:
            node.office = replace(office, allowed=allowance.without(office.allowed, who))
            changed = allowance.applied(base, who, word)
            if changed is not base:
                announce(node, changed, now_ns)
            return True
    return False


def _expel(node: State, office: Office, now_ns: int) -> bool:
    """Begin to put out the next node that is to go."""
    step = expulsion.next_step(node, office, now_ns)
    if step is not None:
        announce(node, step, now_ns)
    return step is not None


def _refuse(node: State, office: Office, who: NodeId, join: Join, reason: str) -> None:
    node.unicast(who, JoinReply(join.nonce, office.pair, False, reason))


# --- the founding ---------------------------------------------------------------------------------


def _founder(node: State, office: Office, sender: NodeId, join: Join, now_ns: int) -> None:
    """Take note of one who would found a rack with this node."""
    if wrong := admission.misfit(join):
        _refuse(node, office, sender, join, wrong)
        return
    line = admission.line_of(sender, join)
    node.office = replace(office, founders={**office.founders, sender: line})
    _found(node, now_ns)


def founder_acked(node: State, office: Office, sender: NodeId, message: Ack, now_ns: int) -> None:
    """Take the vote of one who has no roster yet either: it will take none of an older broker."""
    if not office.agreement.reserved.lines:
        node.office = broker.voted(office, sender, message)
        _found(node, now_ns)
    elif node.peers[sender].rack != NO_RACK:
        tell_again(node, office, sender, message, now_ns)


def _refound(node: State, office: Office, base: Roster, now_ns: int) -> None:
    """Go on with a founding that another broker began: when all on its roster have acked."""
    acked = {node.me, *office.authority.acked}
    if all(line.node in acked for line in base.trusted):
        announce(node, base, now_ns)


def complain(node: State, office: Office) -> None:
    """Say for whom the founding waits in vain."""
    agreement = office.agreement
    answers = office.authority.acked if agreement.proposed is None else agreement.stored
    there = {node.me, *answers}
    missing = [line.name for line in agreement.reserved.trusted if line.node not in there]
    who = f"{', '.join(missing)} did not answer" if missing else "too few nodes joined in"
    node.note(
        f"the rack could not be founded: {who}; {node.settings.expect} nodes are expected:"
        " start them, or correct `expect`; if one is gone for good: rackgrid recover"
    )


def _found(node: State, now_ns: int) -> None:
    """Found the rack once all who are expected have acked this broker and asked to be in it."""
    office, board = node.office, node.agent.board
    assert office is not None, "only a broker founds a rack"
    acked = office.authority.acked
    founders = [line for who, line in office.founders.items() if who in acked]
    if board is None or 1 + len(founders) < node.settings.expect:
        return
    me = node.settings
    floor_mw = board.floor_mw
    mine = RosterLine(node.me, me.name, me.priority, floor_mw, floor_mw, 0, me.meters_feed)
    founders.append(mine)
    said = [office.supports[line.node] for line in founders if line.node in office.supports]
    least_mw = min([me.capacity_mw, *(report.capacity_mw for report in said)])
    # An operator may have said less than the files since the start, to any of them.
    word = limits.latest((node.agent.limit, *(report.limit for report in said)))
    capacity_mw = limits.bounded_mw(least_mw, [word]) - me.reserve_mw
    floors_mw = sum(line.floor_mw for line in founders)
    if floors_mw > capacity_mw:
        worst = max(founders, key=lambda line: line.floor_mw)
        what = admission.too_much(worst.floor_mw, floors_mw, capacity_mw)
        node.note(f"the rack cannot be founded; of {worst.name}: {what}")
        return
    rack = RackId(node.jitter.next64() | 1)
    roster = admission.founded(rack, office.pair, founders, me.voters_max)
    announce(node, roster, now_ns)


# --- those who go ---------------------------------------------------------------------------------


def left(node: State, sender: NodeId, boot: BootId, now_ns: int) -> None:
    """Release the floor of a node that says that it is off: the boot that acks here, no other.

    Only with authority, like every change. The node says it again until the roster is without it.
    """
    office = node.office
    if office is None or not node.has_authority(now_ns):
        return
    account = office.book.accounts.get(sender)
    if account is None or account.boot != boot:
        return
    node.office = replace(office, leaving={**office.leaving, sender: boot})
    if office.agreement.is_free:
        _release(node, node.office, now_ns)


def _release(node: State, office: Office, now_ns: int) -> bool:
    """Begin to release one of those that are off."""
    step = release.next_step(node, office, now_ns)
    if step is not None:
        announce(node, step, now_ns)
    return step is not None


# --- those who restart ----------------------------------------------------------------------------


def pledged(node: State, who: NodeId, boot: BootId, asked: Pledge, now_ns: int) -> None:
    """Begin or end a node's pledge, if the boot that runs asks for it; else it asks again."""
    office = node.office
    if office is None or not office.agreement.is_free or not node.has_authority(now_ns):
        return
    base, account = office.agreement.base, office.book.accounts.get(who)
    if account is None or account.boot != boot:
        return  # a late word of a dead boot, or of one that has not acked here yet
    known = base.pledge(who)
    if node.urgent and asked.power_mw:
        return  # something has changed that is not counted yet: a round comes first
    if known is not None and pledges.is_given_back(known, asked, boot):
        announce(node, base.without_pledge(who), now_ns)
    if not asked.power_mw or (known is not None and known.boot == boot):
        return
    limit_mw = book.limit_mw(office.book, who, node.timing)
    reason = pledges.refusal(base, who, asked, account, limit_mw, now_ns)
    if reason is None and broker.is_short(office, node.settings, now_ns):
        reason = "the feed is short: what it holds may have to be shed"
    if reason is not None:
        known_as = base.line(who)
        name = known_as.name if known_as else f"{who:016x}"
        node.note(f"no pledge for {name}, which restarts: {reason}")
        return
    line = PledgeLine(who, boot, asked.power_mw, asked.span_ms)
    node.office = replace(office, pledged_ns={**office.pledged_ns, who: now_ns})
    announce(node, base.with_pledge(line), now_ns)


def _outlive(node: State, office: Office, base: Roster, now_ns: int) -> bool:
    """Begin to end a pledge whose outputs have certainly opened.

    It began before this broker knew of it: before its own proposal, or before its term.
    """
    for pledge in base.pledges:
        since_ns = office.pledged_ns.get(pledge.node, office.since_ns)
        if now_ns >= since_ns + pledges.lasts_ns(pledge, node.timing):
            announce(node, base.without_pledge(pledge.node), now_ns)
            return True
    return False
