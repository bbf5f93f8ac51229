"""Expulsion: an operator puts a node out that must not be trusted any more (`rackgrid expel`).

Two things make a node part of a rack: its line on the roster, and the group key. This is about the
line. The node is marked on the roster, loses its votes one by one, and whoever has stored that
hears it no more: not its acks, so it gets no grant; not its candidature, its heartbeats, its JOINs.
As it still has the key, it can speak under another id: so the key is to be rotated next, without
it.

Its floor stays reserved, and so does what it was granted, until that has run out by the broker's
count: an expelled node may go on drawing, and nobody can stop it but a hand at the plug. Once it is
off, an operator says so, as of any other (`rackgrid forget`).

Only the broker takes the word, at its own machine, and not about itself: any key-holder could send
it about anybody. A broker that is to be expelled is switched off or cut off first; the rack elects
another.
"""

from __future__ import annotations

from rackgrid.core import presence
from rackgrid.core.office import Office
from rackgrid.core.roster import Roster
from rackgrid.core.state import State
from rackgrid.identity import NodeId
from rackgrid.value import replace
from rackgrid.wire.message import EXPELLED_MAX


def asked(node: State, who: NodeId, now_ns: int) -> None:
    """Take an operator's word that a node is to be put out."""
    office = node.office
    if office is None:
        node.note("not expelled: only the broker changes the roster; ask there")
        return
    if reason := refusal(node, office, who, now_ns):
        node.note(f"not expelled: {reason}")
        return
    node.office = replace(office, expelling=office.expelling | {who})
    node.urgent = True


def refusal(node: State, office: Office, who: NodeId, now_ns: int) -> str | None:
    """Say why a node is not put out, or None if it can be."""
    base = office.agreement.base
    if who == node.me:
        return "it is the broker: cut it off, and expel it where the next one leads"
    if base.has_expelled(who):
        return "it has been already"
    if len(base.expelled) >= EXPELLED_MAX and all(base.line(x.node) for x in base.expelled):
        return (
            f"{EXPELLED_MAX} expelled nodes still have a line: rackgrid forget those that are off"
        )
    others = presence.heard(node, office, now_ns) - {who}
    if not all(roster.is_backed(others) for roster in office.agreement.authorities):
        return "without it no majority answers: bring the others back first, or switch it off"
    return None


def next_step(node: State, office: Office, now_ns: int) -> Roster | None:
    """Mark the next of those that are to be put out; its votes go by `franchise`."""
    base = office.agreement.base
    for who in sorted(office.expelling):
        if refusal(node, office, who, now_ns) is None:
            return base.with_expelled(who)
    return None


def is_deaf_to(node: State, sender: NodeId) -> bool:
    """Whether this node hears a sender no more; an expelled one itself still hears all others."""
    return node.roster.has_expelled(sender)
