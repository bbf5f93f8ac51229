"""Admission: who gets a line on the roster, and when there is room for its floor (P1).

A floor is a promise without an end: whoever is admitted may draw it whatever happens. So it must
fit beside all other floors for good, and beside every grant that is in force at that moment; where
it fits for good and not yet, room is made first.
"""

from __future__ import annotations

from dataclasses import replace

from rackgrid.core import broker
from rackgrid.core.broker import Office
from rackgrid.core.roster import Roster
from rackgrid.core.settings import NodeSettings
from rackgrid.identity import NodeId
from rackgrid.wire.message import NODES_MAX, PROTOCOL_VERSION, Join, RosterLine

MAKING_ROOM = "making room: "
"""A refusal that begins so ends by itself: the joiner asks again."""


def refusal(
    office: Office,
    roster: Roster,
    node: NodeId,
    join: Join,
    settings: NodeSettings,
    now_ns: int,
    *,
    is_formed: bool,
) -> str | None:
    """Say why a node cannot be admitted (now), or None if it can (P1).

    Args:
        is_formed: whether the roster has ever been complete: before, nobody holds a grant yet.
    """
    if join.protocol != PROTOCOL_VERSION:
        return f"speaks protocol {join.protocol}, this rack speaks {PROTOCOL_VERSION}: upgrade it"
    line = roster.line(node)
    if line is not None and join.floor_mw <= line.floor_mw:
        return None
    if line is None and len(roster.lines) >= NODES_MAX:
        return f"the roster is full ({NODES_MAX} nodes)"
    capacity_mw = broker.capacity_mw(office, settings) - settings.reserve_mw
    floors_mw = roster.floors_mw - (line.floor_mw if line else 0) + join.floor_mw
    if floors_mw > capacity_mw:
        return (
            f"its floor of {join.floor_mw / 1000:.1f} W does not fit: floors would be"
            f" {floors_mw / 1000:.1f} W of {capacity_mw / 1000:.1f} W;"
            " lower its required loads or raise the feed's capacity"
        )
    if is_formed and not office.book.opened:
        return MAKING_ROOM + "the new broker does not know yet what all nodes hold"
    if floors_mw + office.book.counted_mw(now_ns) > capacity_mw:
        return MAKING_ROOM + "grants must come down first"
    return None


def admitted(office: Office, roster: Roster, node: NodeId, join: Join) -> tuple[Office, Roster]:
    """Admit a node, at first without a vote; the same line again changes nothing.

    A vote that is given before its node has acked would take authority away while it waits.
    """
    known = roster.line(node)
    votes = known.votes if known else 0
    line = RosterLine(node, join.name, join.priority, join.floor_mw, votes)
    office = replace(office, joining={n: j for n, j in office.joining.items() if n != node})
    return office, roster if roster.line(node) == line else roster.with_line(line)


def enfranchised(roster: Roster, node: NodeId) -> Roster:
    """Give a member that has acked its vote."""
    line = roster.line(node)
    assert line is not None, "only a member votes"
    return roster if line.votes else roster.with_line(replace(line, votes=1))


def making_room(office: Office, node: NodeId, floor_mw: int, now_ns: int) -> Office:
    """Keep watts from being granted again until the joiner fits."""
    return replace(office, joining={**office.joining, node: (floor_mw, now_ns)})
