"""The roster: the admitted nodes of one rack, their floors and votes (P7).

A roster is named by its stamp: the broker that announced it and its version. A node keeps the
newest that it was given, on its disk, and says so in its acks only then. How a change becomes the
rack's is `agreement`; who votes is `franchise`.

A floor stays reserved while its node is silent: silence is no proof that it draws nothing (P1).
Only the node's own word (LEAVE) or an operator's (`rackgrid forget`) releases it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from rackgrid.identity import (
    NO_BOOT,
    NO_LIMIT,
    NO_RACK,
    NO_STAMP,
    BootId,
    Limit,
    NodeId,
    Pair,
    RackId,
    Stamp,
)
from rackgrid.value import replace
from rackgrid.wire.message import (
    EXPELLED_MAX,
    NODES_MAX,
    PLEDGES_MAX,
    Expelled,
    PledgeLine,
    RosterLine,
    RosterUpdate,
)


@dataclass(frozen=True, slots=True)
class Roster:
    """The admitted nodes, as of one stamp.

    Attributes:
        rack: the rack's identity, drawn when it was founded; `NO_RACK` if this node has no roster.
        founding: it is the first of its rack, or recovered: it needs all its nodes, not a majority.
        founded: the boot of the broker under which all its nodes stored it; 0 while it is founding.
        lines: one a node, in the order of their ids.
        pledges: of nodes that restart (`pledge`), at most one a node, in that order too.
        limit: the latest word of an operator on what the feed gives (`limit`).
        expelled: nodes that an operator has put out (`expulsion`).
    """

    rack: RackId
    stamp: Stamp
    founding: bool
    lines: tuple[RosterLine, ...]
    founded: BootId = NO_BOOT
    pledges: tuple[PledgeLine, ...] = ()
    limit: Limit = NO_LIMIT
    expelled: tuple[Expelled, ...] = ()

    @property
    def version(self) -> int:
        """Of the content: it grows by one with each change."""
        return self.stamp.version

    def line(self, node: NodeId) -> RosterLine | None:
        """Find a node's line."""
        for line in self.lines:
            if line.node == node:
                return line
        return None

    def pledge(self, node: NodeId) -> PledgeLine | None:
        """Find what a node that restarts goes on holding."""
        for pledge in self.pledges:
            if pledge.node == node:
                return pledge
        return None

    @property
    def floors_mw(self) -> int:
        """Σ floors: what may be drawn whatever happens, mW."""
        return sum(line.floor_mw for line in self.lines)

    @property
    def votes(self) -> int:
        """Σ votes."""
        return sum(line.votes for line in self.lines)

    def is_backed(self, nodes: Container[NodeId]) -> bool:
        """Whether these nodes are a majority of its votes; of a founding one, all its nodes."""
        if self.founding:
            needed = self.trusted
            return bool(needed) and all(line.node in nodes for line in needed)
        got = sum(line.votes for line in self.lines if line.node in nodes)
        return 2 * got > self.votes

    def has_expelled(self, node: NodeId) -> bool:
        """Whether an operator has put a node out of this rack."""
        return any(each.node == node for each in self.expelled)

    @property
    def trusted(self) -> tuple[RosterLine, ...]:
        """The lines of all that are not expelled; the others only reserve a floor."""
        return tuple(line for line in self.lines if not self.has_expelled(line.node))

    def with_line(self, line: RosterLine) -> Roster:
        """Admit a node, or change its line."""
        others = tuple(old for old in self.lines if old.node != line.node)
        assert len(others) < NODES_MAX, "the broker refuses a node beyond the roster's limit"
        return self._next(tuple(sorted((*others, line), key=lambda x: x.node)))

    def without(self, node: NodeId) -> Roster:
        """Release a node's floor and vote, and its pledge: it is off."""
        rest = self.without_pledge(node)
        return replace(rest, lines=tuple(x for x in self.lines if x.node != node))

    def with_pledge(self, pledge: PledgeLine) -> Roster:
        """Let a node that restarts go on holding what it holds."""
        assert self.pledge(pledge.node) is None, "a node has one pledge at a time"
        assert len(self.pledges) < PLEDGES_MAX, "the broker refuses a pledge beyond the limit"
        pledges = tuple(sorted((*self.pledges, pledge), key=lambda x: x.node))
        return replace(self._next(self.lines), pledges=pledges)

    def without_pledge(self, node: NodeId) -> Roster:
        """End a node's pledge."""
        pledges = tuple(x for x in self.pledges if x.node != node)
        return replace(self._next(self.lines), pledges=pledges)

    def with_expelled(self, node: NodeId) -> Roster:
        """Put a node out: its line keeps the floor reserved until it is known to be off.

        The one that was put out first, and has no line any more, gives way to one too many.
        """
        expelled = (*self.expelled, Expelled(node))
        if len(expelled) > EXPELLED_MAX:
            gone = next((each for each in self.expelled if self.line(each.node) is None), None)
            assert gone is not None, "the broker refuses to expel more at once"
            expelled = tuple(each for each in expelled if each != gone)
        return replace(self._next(self.lines), expelled=expelled)

    def with_limit(self, limit: Limit) -> Roster:
        """Take an operator's word on the feed."""
        return replace(self._next(self.lines), limit=limit)

    def settled(self) -> Roster:
        """Make the next version of a founding roster: from now on majorities decide."""
        return replace(self._next(self.lines), founding=False, founded=self.stamp.pair.boot)

    def proves(self, mine: Roster) -> bool:
        """Whether this roster proves that all, this node too, had stored its founding one.

        Such a node has forgotten nothing: it was there when the rack began.
        """
        return mine.founding and self.rack == mine.rack and self.founded == mine.stamp.pair.boot

    def under(self, pair: Pair) -> Roster:
        """Stamp it with the broker that announces it."""
        return replace(self, stamp=Stamp(pair, self.version))

    def update(self, agreed_version: int) -> RosterUpdate:
        """Announce it; `agreed_version` is the newest of this pair that is agreed."""
        pair, version = self.stamp.pair, self.version
        return RosterUpdate(
            pair,
            self.rack,
            version,
            agreed_version,
            self.founding,
            self.founded,
            self.lines,
            self.pledges,
            self.limit,
            self.expelled,
        )

    def _next(self, lines: tuple[RosterLine, ...]) -> Roster:
        return replace(self, stamp=Stamp(self.stamp.pair, self.version + 1), lines=lines)


NO_ROSTER = Roster(NO_RACK, NO_STAMP, founding=False, lines=())


def announced(update: RosterUpdate) -> Roster:
    """Read a roster from its announcement."""
    stamp = Stamp(update.pair, update.version)
    founding, founded = update.founding, update.founded
    return Roster(
        update.rack,
        stamp,
        founding,
        update.lines,
        founded,
        update.pledges,
        update.limit,
        update.expelled,
    )


def united(one: Roster, other: Roster) -> Roster:
    """Put two rosters together pessimistically: everybody on either, each at the higher floor.

    Pledges likewise: the larger one of a node's, be it about to begin or to end. And of two limits
    the lower one.

    While a change is on its way both may be in force somewhere.
    """
    lines = {line.node: line for line in one.lines}
    for line in other.lines:
        known = lines.get(line.node)
        if known is None or known.floor_mw < line.floor_mw:
            lines[line.node] = line
    pledges = {pledge.node: pledge for pledge in one.pledges}
    for pledge in other.pledges:
        held = pledges.get(pledge.node)
        if held is None or held.power_mw < pledge.power_mw:
            pledges[pledge.node] = pledge
    said = [limit for limit in (one.limit, other.limit) if limit.version]
    return replace(
        other,
        limit=min(said, key=lambda limit: limit.power_mw, default=NO_LIMIT),
        lines=tuple(lines[node] for node in sorted(lines)),
        pledges=tuple(pledges[node] for node in sorted(pledges)),
    )
