"""Authority by acks (P4): a broker may grant only while a majority has lately answered it.

An ack counts from when the broker *sent* the heartbeat that it answers, on the broker's own clock:
counting from the ack's receipt would lend a slow network authority that the members never gave.
Authority that lapses is not regained under the same pair.

Source: Gray and Cheriton 1989 (leases; the holder counts from its own sending).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from rackgrid.core.roster import Roster
from rackgrid.identity import NodeId
from rackgrid.value import replace

SENT_MAX = 64
"""Heartbeats whose sending is remembered; an ack to an older one carries no authority."""

NEVER = -1


@dataclass(frozen=True, slots=True)
class Authority:
    """When heartbeats were sent, and the newest that each voter has answered.

    Attributes:
        sent: sequence → when it was sent, ns.
        acked: voter → when the newest heartbeat that it answered was sent, ns.
    """

    sent: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    acked: Mapping[NodeId, int] = field(default_factory=lambda: MappingProxyType({}))


def sent(authority: Authority, seq: int, now_ns: int) -> Authority:
    """Note that heartbeat `seq` goes out now."""
    kept = {s: t for s, t in authority.sent.items() if s > seq - SENT_MAX}
    return replace(authority, sent={**kept, seq: now_ns})


def acked(authority: Authority, node: NodeId, seq: int) -> Authority:
    """Note a voter's answer to heartbeat `seq`."""
    sent_ns = authority.sent.get(seq)
    if sent_ns is None or sent_ns <= authority.acked.get(node, NEVER):
        return authority
    return replace(authority, acked={**authority.acked, node: sent_ns})


def until_ns(
    authority: Authority,
    rosters: Sequence[Roster],
    me: NodeId,
    own_vote_ns: int,
    authority_ns: int,
) -> int:
    """When authority ends: T after the sending that a majority of votes has answered since.

    Args:
        rosters: each of them must back the broker; two while a change is on its way.
        own_vote_ns: now, if this broker may vote itself; `NEVER` during its quiet time.
        authority_ns: T.

    Returns:
        The end, ns; `NEVER` if no majority has ever answered.
    """
    ends_ns = [_backed_ns(authority, roster, me, own_vote_ns) for roster in rosters]
    first_ns = min(ends_ns, default=NEVER)
    return NEVER if first_ns == NEVER else first_ns + authority_ns


def _backed_ns(authority: Authority, roster: Roster, me: NodeId, own_vote_ns: int) -> int:
    """Find the latest moment since which a majority has answered."""
    assert not roster.founding, "founding has no authority, and needs no majority"
    acked = authority.acked
    answered = [
        (own_vote_ns if line.node == me else acked.get(line.node, NEVER), line.votes)
        for line in roster.lines
        if line.votes
    ]
    answered.sort(reverse=True)
    missing = roster.votes // 2 + 1
    for sent_ns, votes in answered:
        missing -= votes
        if missing <= 0:
            return sent_ns
    return NEVER
