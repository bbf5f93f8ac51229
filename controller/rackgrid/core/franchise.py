"""Who votes: an odd handful of the admitted nodes, given and taken one vote at a time (P7).

Few voters keep the quorum small in a large rack; an odd number of votes lets one half lead when the
rack splits. Where the voters are even in number, the node that meters the feed has two votes, so
that a rack of two survives the loss of the other one; without such a node the lowest rank gives its
vote back, or one that is silent. Whoever has a vote keeps it while it is heard: votes do not follow
the rank of the day. And nobody gets one who is not heard: it could be the vote that is missing.

A node that was silent for long loses its vote, so that the next loss does not cost the majority;
its floor stays reserved.
"""

from __future__ import annotations

from collections.abc import Container

from rackgrid.core.roster import Roster
from rackgrid.identity import NodeId, Rank
from rackgrid.value import replace
from rackgrid.wire.message import RosterLine

VOTERS_MAX = 5


def next_step(
    roster: Roster,
    present: Container[NodeId],
    gone: Container[NodeId],
    voters_max: int = VOTERS_MAX,
) -> Roster | None:
    """Give or take the next vote, or None if every vote is where it belongs.

    Args:
        present: nodes that are heard, have stored the newest roster and may vote.
        gone: nodes that have been silent for so long that they lose their vote.
        voters_max: an odd number.
    """
    wanted = fair(roster, present, gone, voters_max)
    # A vote is given before another is taken: the sum never falls below what it will be.
    raised = [x for x in roster.lines if x.votes < wanted[x.node]]
    lowered = [x for x in roster.lines if x.votes > wanted[x.node]]
    if raised:
        line = max(raised, key=_rank)
        return roster.with_line(replace(line, votes=line.votes + 1))
    if lowered:
        line = min(lowered, key=lambda x: (x.node not in gone, x.node in present, _rank(x)))
        return roster.with_line(replace(line, votes=line.votes - 1))
    return None


def fair(
    roster: Roster,
    present: Container[NodeId],
    gone: Container[NodeId],
    voters_max: int = VOTERS_MAX,
) -> dict[NodeId, int]:
    """Say how many votes each admitted node should have."""
    kept = [x for x in roster.lines if x.votes and x.node not in gone]
    new = [x for x in roster.lines if not x.votes and x.node in present]
    kept.sort(key=lambda x: (x.node in present, _rank(x)), reverse=True)
    voters = kept + sorted(new, key=_rank, reverse=True)
    voters = voters[:voters_max]
    twice: NodeId | None = None
    if len(voters) % 2 == 0 and voters:
        meters = (x for x in voters if x.meters_feed and (x.node in present or x.votes == 2))
        twice = next((x.node for x in meters), None)
        if twice is None:
            voters.pop()
    wanted = {line.node: 0 for line in roster.lines}
    for line in voters:
        wanted[line.node] = 2 if line.node == twice else 1
    return wanted


def _rank(line: RosterLine) -> Rank:
    return Rank(line.priority, line.node)
