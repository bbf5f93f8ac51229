"""Recovery: an operator forms the roster anew when a majority is gone for good (P7).

No program can tell a dead majority from one that is merely not heard, and two halves that both
lead would share out the same watts twice. So it takes a person who has looked, and who says that
every node which is not heard here is off.
"""

from __future__ import annotations

from dataclasses import replace

from rackgrid.core import admission, candidate, election
from rackgrid.core.state import State
from rackgrid.identity import NO_BOOT, NO_RACK, Stamp


def recover(node: State, now_ns: int) -> None:
    """Make a roster of the nodes that are heard; all of them must store it before it counts.

    It goes on under the same rack's identity, with a newer stamp: a lost node that is found again
    is told, and has to be admitted.
    """
    if node.office is not None or isinstance(node.election, election.Following):
        node.note("nothing to recover: the rack has a broker")
        return
    if node.roster.rack == NO_RACK or node.roster.line(node.me) is None:
        node.note("nothing to recover: this node is on no roster; it waits to be admitted")
        return
    candidate.withdraw(node, now_ns, "recovers the roster")
    pair = candidate.next_pair(node)
    if pair is None:
        return
    heard = {node.me, *(peer.node for peer in node.live(now_ns))}
    lines = tuple(line for line in node.roster.lines if line.node in heard)
    pledges = tuple(pledge for pledge in node.roster.pledges if pledge.node in heard)
    stamp = Stamp(pair, node.roster.version + 1)
    roster = replace(
        node.roster, stamp=stamp, founding=True, founded=NO_BOOT, lines=lines, pledges=pledges
    )
    node.store(admission.enfranchised(roster, node.settings.voters_max))
