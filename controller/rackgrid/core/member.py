"""What a node does as a member, or to become one: it asks for admission and takes rosters."""

from __future__ import annotations

from rackgrid.core import allowance, candidate, election, registrar
from rackgrid.core.event import AllowRequested
from rackgrid.core.roster import NO_ROSTER, Roster, announced
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.core.state import State
from rackgrid.identity import NO_RACK, NodeId, RackId, Stamp
from rackgrid.value import replace
from rackgrid.wire.message import (
    PROTOCOL_VERSION,
    Forget,
    Heartbeat,
    Join,
    JoinReply,
    Remove,
    RosterUpdate,
)

JOIN_RETRY_NS = (200 * MS_NS, 2 * SECOND_NS)
"""First and longest wait between two JOINs."""
FORGET_NS = 10 * SECOND_NS
"""So long the operator's word is told to the broker again."""
EXPELLED = "an operator has expelled this node from the rack: it gets no grant any more"


def seek_admission(node: State, now_ns: int) -> None:
    """Ask to be admitted (again) while this node's own line is not as it should be."""
    if not isinstance(node.election, election.Following) or node.agent.board is None:
        return
    if node.leave_ns is not None:
        return
    line = node.roster.line(node.me)
    if line is not None and line.priority != node.settings.priority:
        node.note(
            f"this node ranks by its line on the roster, with priority {line.priority}; its own"
            f" configuration says {node.settings.priority}; to change the line: rackgrid node"
            f" {node.settings.name} --priority {node.settings.priority}, on the broker"
        )
    wanted = (node.agent.board.floor_mw, node.settings.meters_feed)
    if line is not None and (line.floor_mw, line.meters_feed) == wanted:
        node.join_ns = None
    elif node.join_ns is None:
        node.join_ns, node.join_attempt = now_ns, 0


def join(node: State, now_ns: int) -> None:
    """Send a JOIN, and say when to try again."""
    board = node.agent.board
    if not isinstance(node.election, election.Following) or board is None:
        node.join_ns = None
        return
    first, longest = JOIN_RETRY_NS
    wait = min(first << min(node.join_attempt, 8), longest)
    node.join_ns = now_ns + wait + node.jitter.between(0, wait // 4)
    node.join_attempt += 1
    node.join_seq += 1
    me, pair = node.settings, node.followed
    join = Join(
        nonce=node.jitter.next64(),
        name=me.name,
        priority=me.priority,
        floor_mw=board.floor_mw,
        meters_feed=me.meters_feed,
        protocol=PROTOCOL_VERSION,
        pair=pair,
        rack=node.heartbeat.rack if node.heartbeat else NO_RACK,
        seq=node.join_seq,
    )
    node.unicast(pair.node, join)


def join_replied(node: State, message: JoinReply) -> None:
    """Pass a refusal on to the operator; an admission shows in the roster."""
    if message.pair == node.followed and not message.admitted:
        node.note(f"not admitted to the rack: {message.reason}")


def roster_heard(node: State, sender: NodeId, message: RosterUpdate, now_ns: int) -> None:
    """Have the followed broker's roster stored: this node's own rack, or one that admits it."""
    roster = announced(message)
    if sender != roster.stamp.pair.node:
        _passed_on(node, roster, now_ns)
        return
    if roster.stamp.pair != node.followed or node.office is not None:
        return
    if roster.line(node.me) is None and node.roster.rack == NO_RACK:
        return
    if roster.stamp.pair != node.fence:
        return  # acked first, stored then: the ack tells the broker whether this node knows more
    candidate.learn_agreed(node, roster.stamp.pair, message.agreed_version)
    newest = node.storing or node.roster
    if roster.stamp > newest.stamp:
        node.store(roster)


def _passed_on(node: State, roster: Roster, now_ns: int) -> None:
    """Have a newer roster stored that another node holds, and whose broker is gone (P7).

    The only one that holds it may have no vote: then nobody else would lead by it, and nobody could
    lead without. It comes too late to count for its own broker, to whom this node is not bound any
    more; and what a later broker has agreed is newer than it.
    """
    newest, office = node.storing or node.roster, node.office
    if roster.founding or roster.rack != newest.rack:
        return  # whoever founds or joins a rack is given its roster by the broker
    if roster.stamp <= newest.stamp or roster.stamp.pair > node.fence:
        return
    if office is not None:
        if not office.agreement.is_newer(roster.stamp, office.pair):
            return
        candidate.leave_office(node, now_ns, "another node knows a newer roster")
    node.store(roster)


def roster_stored(node: State, stamp: Stamp, now_ns: int) -> None:
    """Take the roster that is on the disk now, and let the broker know at once."""
    roster = node.storing
    if roster is None or roster.stamp != stamp:
        return  # a newer one is on its way behind it
    node.is_lost = roster.rack == NO_RACK or (node.is_lost and not roster.proves(node.roster))
    node.roster, node.storing = roster, None
    node.become("the roster changed", now_ns)
    if node.office is not None:
        registrar.stored(node, now_ns)
        return
    if roster.has_expelled(node.me):
        node.note(EXPELLED)
    seek_admission(node, now_ns)
    candidate.acknowledge(node, now_ns)


def let_go(node: State, message: Heartbeat) -> None:
    """Forget a founding roster that can never be complete, for the rack that came to be (P7).

    It needs all its nodes, and one of them is in another rack: the broker that wanted them was cut
    off in the middle, and others have founded without this node since. To forget a roster is what a
    lost disk does, so it is as safe: there is no vote until the rack has given one again.
    """
    mine = node.roster
    if not mine.founding or message.founding or node.office is not None:
        return
    if node.storing is not None and node.storing.rack == NO_RACK:
        return
    gone = [
        line.name
        for line in mine.lines
        if line.node != node.me and _rack_of(node, line.node) == message.rack
    ]
    if gone:
        node.note(
            f"lets go of the rack that was never founded: {', '.join(gone)} has founded another;"
            " asks to be admitted there"
        )
        node.store(NO_ROSTER)


def _rack_of(node: State, who: NodeId) -> RackId:
    peer = node.peers.get(who)
    return peer.rack if peer else NO_RACK


def removed(node: State, message: Remove, now_ns: int) -> None:
    """The broker does not hear a node; if it is this one, its acks are lost: say so."""
    if message.node == node.me and message.pair == node.followed:
        node.note("the broker does not hear this node's acks: check its unicast path")
        candidate.acknowledge(node, now_ns)


def forget(node: State, who: NodeId, now_ns: int) -> None:
    """Have a silent node's floor released, as an operator says that it is off for good (P1)."""
    if node.roster.line(who) is None:
        node.note("nothing to forget: that node is not on the roster")
    elif who == node.me or who in {peer.node for peer in node.live(now_ns)}:
        node.note("not forgotten: that node is heard; take it out with `rackgrid leave` there")
    else:
        node.forgetting = {**node.forgetting, who: now_ns + FORGET_NS}


def allow(node: State, asked: AllowRequested) -> None:
    """Have a node's rank or its largest floor changed, as an operator says at the broker."""
    if node.office is None:
        node.note("not changed: only the broker changes a node's line; ask there")
        return
    word = allowance.Allowance(asked.priority, asked.floor_max_mw)
    node.office = replace(
        node.office, allowed=allowance.said(node.office.allowed, asked.node, word)
    )
    node.urgent = True


def press(node: State, now_ns: int) -> None:
    """Tell the broker again which nodes are to be forgotten, until the roster has done so."""
    node.forgetting = {
        who: until_ns
        for who, until_ns in node.forgetting.items()
        if node.roster.line(who) is not None and now_ns < until_ns
    }
    if node.office is None and node.followed.node:
        for who in node.forgetting:
            node.unicast(node.followed.node, Forget(who))
