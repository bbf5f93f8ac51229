"""Recovery: an operator forms the roster anew when a majority is gone for good (P7).

No program can tell a dead majority from one that is merely not heard, and two halves that both
lead would share out the same watts twice. So it takes a person who has looked, and who says that
every node which is not heard here is off.
"""

from __future__ import annotations

from rackgrid.core import admission, candidate, election
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.state import LED, Recovering, State
from rackgrid.identity import NO_BOOT, NO_RACK, Stamp
from rackgrid.value import replace

PATIENCE_NS = 5 * SECOND_NS
"""So long nobody must have led: a majority that is still there has elected somebody by then."""


def asked(node: State, now_ns: int) -> None:
    """Recover, as an operator wishes, but not while the rack may only be between two brokers.

    A roster that is made then would stand above all that the next broker does, and whoever is
    admitted meanwhile would be forgotten by it, floor and all.
    """
    if _is_led(node):
        node.note(LED)
        return
    heard = frozenset((node.me, *(peer.node for peer in node.live(now_ns))))
    node.recovering = Recovering(max(now_ns, node.led_ns + PATIENCE_NS), heard)


def recover(node: State, now_ns: int) -> None:
    """Make a roster of the nodes that were heard; all of them must store it before it counts.

    Who has fallen silent since then stays on it: no operator has said that it is off. It goes on
    under the same rack's identity, with a newer stamp: a lost node that is found again is told, and
    has to be admitted.
    """
    assert node.recovering is not None, "somebody asked for it"
    heard, node.recovering = node.recovering.nodes, None
    if _is_led(node):
        node.note(LED)
        return
    if node.roster.rack == NO_RACK or node.roster.line(node.me) is None:
        node.note("nothing to recover: this node is on no roster; it waits to be admitted")
        return
    candidate.withdraw(node, now_ns, "recovers the roster")
    candidate.leave_office(node, now_ns, "recovers the roster")
    pair = candidate.next_pair(node)
    if pair is None:
        return
    lines = tuple(line for line in node.roster.lines if line.node in heard)
    pledges = tuple(pledge for pledge in node.roster.pledges if pledge.node in heard)
    stamp = Stamp(pair, node.roster.version + 1)
    roster = replace(
        node.roster, stamp=stamp, founding=True, founded=NO_BOOT, lines=lines, pledges=pledges
    )
    node.store(admission.enfranchised(roster, node.settings.voters_max))


def _is_led(node: State) -> bool:
    """Whether somebody leads the rack, and does not only wait to found it.

    Who is founding may wait in vain: for a node that was heard for the last time just before it was
    gone, and stands on the roster of a recovery.
    """
    if node.office is not None:
        return not node.office.agreement.is_founding
    follows = isinstance(node.election, election.Following)
    return follows and not (node.heartbeat is not None and node.heartbeat.founding)
