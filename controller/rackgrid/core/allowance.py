"""What an operator allows a node: its rank, and how large its floor may become.

Both are facts of the roster. A node's own word for them would let anybody who holds the group key
reserve the feed, or talk itself into office. So they are said to the broker, by an operator who is
at its machine: a datagram from another node is no operator's word, since any key-holder can send
one. (Who *is* the broker can announce any roster; decision 14 says what that means.)

A word about a node that is on the roster is the broker's next change of it. One about a node that
is still to come waits for its JOIN, as long as this broker leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackgrid.core.roster import Roster
from rackgrid.core.settings import NodeSettings
from rackgrid.identity import NodeId
from rackgrid.value import replace
from rackgrid.wire.message import NODES_MAX

ALLOWANCES_MAX = NODES_MAX
"""Most words that wait; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """An operator's word about one node; None leaves as it is.

    Attributes:
        priority: its rank in elections.
        floor_max_mw: the most that its floor may be, mW.
    """

    priority: int | None = None
    floor_max_mw: int | None = None

    def priority_max(self, settings: NodeSettings) -> int:
        """Return the highest priority that a newcomer gets."""
        return settings.newcomer_priority if self.priority is None else self.priority

    def floor_max(self, settings: NodeSettings) -> int:
        """Return the largest floor that a newcomer gets, mW."""
        if self.floor_max_mw is not None:
            return self.floor_max_mw
        return settings.newcomer_floor_mw


NO_ALLOWANCE = Allowance()

Allowances = Mapping[NodeId, Allowance]


def said(allowed: Allowances, node: NodeId, word: Allowance) -> Allowances:
    """Take a word; what it leaves open stays as an earlier one had it."""
    old = allowed.get(node, NO_ALLOWANCE)
    merged = Allowance(
        old.priority if word.priority is None else word.priority,
        old.floor_max_mw if word.floor_max_mw is None else word.floor_max_mw,
    )
    others = {who: kept for who, kept in allowed.items() if who != node}
    if len(others) >= ALLOWANCES_MAX:
        del others[next(iter(others))]
    return {**others, node: merged}


def without(allowed: Allowances, node: NodeId) -> Allowances:
    """Drop a word that has been followed."""
    return {who: kept for who, kept in allowed.items() if who != node}


def applied(roster: Roster, node: NodeId, word: Allowance) -> Roster:
    """Follow a word about a node on the roster; the same line again changes nothing.

    No line allows less than the floor that it reserves: a floor comes down by its node's own word.
    """
    line = roster.line(node)
    assert line is not None, "only a line can be changed"
    most_mw = line.floor_max_mw if word.floor_max_mw is None else word.floor_max_mw
    changed = replace(
        line,
        priority=line.priority if word.priority is None else word.priority,
        floor_max_mw=max(line.floor_mw, most_mw),
    )
    return roster if changed == line else roster.with_line(changed)
