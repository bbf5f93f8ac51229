"""Admission: who gets a line on the roster, and when there is room for its floor (P1).

A floor is a promise without an end: whoever is admitted may draw it whatever happens. So it must
fit beside all other floors for good, and beside every grant that is in force at that moment; where
it fits for good and not yet, room is made first.

How much that may be, and how high a node ranks, is the roster's word and not the node's own:
whoever holds the group key could else reserve the feed, or talk itself into office. Those who found
a rack are as they say, since an operator sets all of them up at once. Who comes later gets no more
than the settings allow a newcomer; and what a line allows is changed by an operator alone
(`allowance`).
"""

from __future__ import annotations

from collections.abc import Iterable

from rackgrid.core import broker, franchise
from rackgrid.core.allowance import NO_ALLOWANCE, Allowance
from rackgrid.core.office import Office
from rackgrid.core.roster import Roster
from rackgrid.core.settings import NodeSettings
from rackgrid.identity import NodeId, Pair, RackId, Stamp
from rackgrid.value import replace
from rackgrid.wire.message import NODES_MAX, PROTOCOL_VERSION, Join, RosterLine

MAKING_ROOM = "making room: "
"""A refusal that begins so ends by itself: the joiner asks again."""


def refusal(
    office: Office, node: NodeId, join: Join, settings: NodeSettings, now_ns: int
) -> str | None:
    """Say why a node cannot be admitted (now), or None if it can (P1)."""
    if wrong := misfit(join):
        return wrong
    roster = office.agreement.reserved
    if roster.has_expelled(node):
        return "it was expelled from this rack"
    line = roster.line(node)
    if line is not None and join.floor_mw <= line.floor_mw:
        return None
    allowed = office.allowed.get(node, NO_ALLOWANCE)
    if line is None and len(roster.lines) >= NODES_MAX:
        return f"the roster is full ({NODES_MAX} nodes)"
    capacity_mw = broker.capacity_mw(office, settings) - settings.reserve_mw
    extra_mw = join.floor_mw - (line.floor_mw if line else 0)
    floors_mw = roster.floors_mw + extra_mw
    if floors_mw > capacity_mw:
        return too_much(join.floor_mw, floors_mw, capacity_mw)
    most_mw = line.floor_max_mw if line else allowed.floor_max(settings)
    if join.floor_mw > most_mw:
        return not_allowed(node, join, most_mw)
    if not office.book.opened:
        return MAKING_ROOM + "the new broker does not know yet what all nodes hold"
    drawn_mw = broker.reserved_mw(office) + broker.pledged_mw(office, now_ns)
    drawn_mw += office.book.counted_mw(now_ns)
    if drawn_mw + extra_mw > capacity_mw:
        return MAKING_ROOM + "grants must come down first"
    return None


def misfit(join: Join) -> str | None:
    """Say why a node cannot speak with this rack at all, or None if it can."""
    if join.protocol == PROTOCOL_VERSION:
        return None
    return f"speaks protocol {join.protocol}, this rack speaks {PROTOCOL_VERSION}: upgrade it"


def too_much(floor_mw: int, floors_mw: int, capacity_mw: int) -> str:
    """Say that the feed is too small for all floors."""
    return (
        f"its floor of {floor_mw / 1000:.1f} W does not fit: floors would be"
        f" {floors_mw / 1000:.1f} W of {capacity_mw / 1000:.1f} W;"
        " lower its required loads or raise the feed's capacity"
    )


def not_allowed(node: NodeId, join: Join, most_mw: int) -> str:
    """Say that a node wants a larger floor than it may have without an operator's word."""
    return (
        f"its floor of {join.floor_mw / 1000:.1f} W is above the {most_mw / 1000:.1f} W that it may"
        f" have; if that is right: rackgrid node {node:016x} --floor-max"
        f" {join.floor_mw / 1000:g}, on the broker"
    )


def admitted(
    roster: Roster, node: NodeId, join: Join, allowed: Allowance, settings: NodeSettings
) -> Roster:
    """Admit a node, at first without a vote; the same line again changes nothing.

    A vote that is given before its node has acked would take authority away while it waits. Of one
    that is known, its priority and what its floor may be stay as they are.
    """
    known = roster.line(node)
    if known is None:
        priority = min(join.priority, allowed.priority_max(settings))
        return roster.with_line(replace(line_of(node, join), priority=priority))
    line = replace(known, name=join.name, floor_mw=join.floor_mw, meters_feed=join.meters_feed)
    return roster if known == line else roster.with_line(line)


def line_of(node: NodeId, join: Join) -> RosterLine:
    """Make the line that a JOIN asks for."""
    floor_mw = join.floor_mw
    return RosterLine(node, join.name, join.priority, floor_mw, floor_mw, 0, join.meters_feed)


def founded(rack: RackId, pair: Pair, lines: Iterable[RosterLine], voters_max: int) -> Roster:
    """Make the first roster of a rack, with its votes."""
    ordered = tuple(sorted(lines, key=lambda x: x.node))
    return enfranchised(Roster(rack, Stamp(pair, 1), founding=True, lines=ordered), voters_max)


def enfranchised(roster: Roster, voters_max: int) -> Roster:
    """Give every node the votes that it should have, all at once: only a founding roster may."""
    assert roster.founding, "any other roster moves one vote at a time"
    present = frozenset(line.node for line in roster.trusted)
    gone = frozenset(each.node for each in roster.expelled)
    votes = franchise.fair(roster, present, gone, voters_max)
    lines = tuple(replace(line, votes=votes[line.node]) for line in roster.lines)
    return replace(roster, lines=lines)
