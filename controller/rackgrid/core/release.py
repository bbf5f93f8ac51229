"""Who goes off the roster: by its own word, or an operator's; never by silence alone (P1)."""

from __future__ import annotations

from rackgrid.core import broker, franchise, presence
from rackgrid.core.office import Office
from rackgrid.core.roster import Roster
from rackgrid.core.state import State
from rackgrid.identity import NodeId
from rackgrid.value import replace
from rackgrid.wire.message import RosterLine


def next_step(node: State, office: Office, now_ns: int) -> Roster | None:
    """Release one of those that are off: by their own word, or by an operator's."""
    base = office.agreement.base
    for who in (*office.leaving, *node.forgetting):
        line = base.line(who)
        if line is None or not _is_off(node, office, who, now_ns):
            continue
        step = _inherited(node, office, line, now_ns) if line.votes else base.without(who)
        if step is not None:
            return step
    return None


def _inherited(node: State, office: Office, line: RosterLine, now_ns: int) -> Roster | None:
    """Release a voter: its last extra vote first, since the sum of votes moves by one.

    The only one that votes gives its vote to another before: a roster without votes would be the
    rack's end. None while nobody can take it.
    """
    base = office.agreement.base
    if line.votes > 1:
        return base.with_line(replace(line, votes=line.votes - 1))
    if base.votes > 1:
        return base.without(line.node)
    others = presence.present(node, office, now_ns) - {line.node}
    if not others:
        return None
    return franchise.next_step(base, others, {line.node}, node.settings.voters_max)


def _is_off(node: State, office: Office, who: NodeId, now_ns: int) -> bool:
    """Whether it is still the boot that left, or nothing is heard of one that is to be forgotten.

    A node that has started again meanwhile may draw its floor.
    """
    account = office.book.accounts.get(who)
    if account is not None and office.leaving.get(who) == account.boot:
        return True
    is_silent = broker.silence_ns(office, who, now_ns) > node.timing.absent_ns
    return who in node.forgetting and who != node.me and is_silent
