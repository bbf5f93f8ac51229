"""Authority by acks (P4): a broker may grant only while a majority has lately answered it.

An ack counts from when the broker *sent* the heartbeat that it answers, on the broker's own clock:
counting from the ack's receipt would lend a slow network authority that the members never gave.
Authority that lapses is not regained under the same pair.

Source: Gray and Cheriton 1989 (leases; the holder counts from its own sending).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from rackgrid.core.roster import Roster
from rackgrid.identity import NodeId

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
    roster: Roster,
    need: int,
    me: NodeId,
    own_vote_ns: int,
    authority_ns: int,
) -> int:
    """When authority ends: T after the sending that a majority of votes has answered since.

    Args:
        need: votes that make a majority.
        own_vote_ns: now, if this broker may vote itself; `NEVER` during its quiet time.
        authority_ns: T.

    Returns:
        The end, ns; `NEVER` if no majority has ever answered.
    """
    got = 0
    for sent_ns, votes in sorted(_votes(authority, roster, me, own_vote_ns), reverse=True):
        got += votes
        if got >= need:
            return sent_ns + authority_ns
    return NEVER


def _votes(
    authority: Authority, roster: Roster, me: NodeId, own_vote_ns: int
) -> list[tuple[int, int]]:
    votes: list[tuple[int, int]] = []
    for line in roster.lines:
        answered = own_vote_ns if line.node == me else authority.acked.get(line.node, NEVER)
        if answered != NEVER:
            votes.append((answered, line.votes))
    return votes
