"""The roster: the admitted nodes, their floors and votes.

First depth: the broker of the day decides alone, every change takes the next version, and members
take a roster only from the broker that they follow. A floor stays reserved while its node is
silent: silence is no proof that it draws nothing (P1). Only the node's own word (LEAVE) releases
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rackgrid.identity import NodeId, Pair
from rackgrid.wire.message import NODES_MAX, RosterLine, RosterUpdate, pair_wire


@dataclass(frozen=True, slots=True)
class Roster:
    """The admitted nodes at one version; version 0 is empty: the node knows no roster."""

    version: int
    lines: tuple[RosterLine, ...]

    def line(self, node: NodeId) -> RosterLine | None:
        """Find a node's line."""
        return next((line for line in self.lines if line.node == node), None)

    @property
    def floors_mw(self) -> int:
        """Σ floors: what may be drawn whatever happens, mW."""
        return sum(line.floor_mw for line in self.lines)

    @property
    def votes(self) -> int:
        """Σ votes."""
        return sum(line.votes for line in self.lines)

    def with_line(self, line: RosterLine) -> Roster:
        """Admit a node, or change its line."""
        others = tuple(old for old in self.lines if old.node != line.node)
        assert len(others) < NODES_MAX, "the broker refuses a node beyond the roster's limit"
        return Roster(self.version + 1, tuple(sorted((*others, line), key=lambda x: x.node)))

    def without(self, node: NodeId) -> Roster:
        """Release a node's floor and vote."""
        return Roster(self.version + 1, tuple(x for x in self.lines if x.node != node))

    def update(self, pair: Pair) -> RosterUpdate:
        """Announce this roster under `pair`."""
        return RosterUpdate(pair_wire(pair), self.version, self.lines)


NO_ROSTER = Roster(0, ())


def majority(votes: int) -> int:
    """How many votes are more than half."""
    return votes // 2 + 1


def needed(roster: Roster, expect: int, *, is_formed: bool) -> int:
    """How many votes lead this roster.

    Until the expected number of nodes has once been admitted, a majority of *them* is needed: half
    a rack that forms by itself would be a second rack on the same feed.
    """
    return majority(roster.votes if is_formed else max(roster.votes, expect))


def taken(update: RosterUpdate) -> Roster:
    """Read a roster from its announcement."""
    return replace(NO_ROSTER, version=update.version, lines=update.lines)
