"""What a node does as a member, or to become one: it asks for admission and takes rosters."""

from __future__ import annotations

from rackgrid.core import candidate, election, roster
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.core.state import State
from rackgrid.wire.message import PROTOCOL_VERSION, Join, JoinReply, Remove, RosterUpdate

JOIN_RETRY_NS = (200 * MS_NS, 2 * SECOND_NS)
"""First and longest wait between two JOINs."""


def seek_admission(node: State, now_ns: int) -> None:
    """Ask to be admitted (again) while the followed broker's roster is not this node's."""
    if not isinstance(node.election, election.Following) or node.agent.board is None:
        return
    if node.leave_ns is not None:
        return
    line = node.roster.line(node.me)
    is_current = (
        line is not None
        and line.floor_mw == node.agent.board.floor_mw
        and node.roster.version == node.roster_heard
    )
    if is_current:
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
    name, priority = node.settings.name, node.settings.priority
    join = Join(node.jitter.next64(), name, priority, board.floor_mw, PROTOCOL_VERSION)
    node.unicast(node.followed.node, join)


def join_replied(node: State, message: JoinReply) -> None:
    """Pass a refusal on to the operator; an admission shows in the roster."""
    if message.pair.pair() == node.followed and not message.admitted:
        node.note(f"not admitted to the rack: {message.reason}")


def roster_heard(node: State, message: RosterUpdate, now_ns: int) -> None:
    """Take the followed broker's roster, and let it know at once."""
    pair = message.pair.pair()
    if pair != node.followed or node.office is not None:
        return
    if message.version < node.roster.version:
        # Overtaken on its way; or its broker missed a newer one, and this ack tells it.
        candidate.acknowledge(node, now_ns)
        return
    node.adopt(roster.taken(message))
    node.roster_heard = max(node.roster_heard, message.version)
    node.become("the roster changed", now_ns)
    seek_admission(node, now_ns)
    if node.roster.line(node.me) is not None:
        candidate.acknowledge(node, now_ns)


def removed(node: State, message: Remove, now_ns: int) -> None:
    """The broker does not hear a node; if it is this one, its acks are lost: say so."""
    if message.node == node.me and message.pair.pair() == node.followed:
        node.note("the broker does not hear this node's acks: check its unicast path")
        candidate.acknowledge(node, now_ns)
