"""How a change of the roster becomes the rack's: one step at a time, by majorities (P7).

The broker announces a roster under its own pair; nodes store it and say so in their acks. It is
agreed when a majority of the old roster *and* of the new one has stored it. Until then authority
needs both majorities too, floors are counted by both, and no other change is begun.

A new broker first has the newest roster that it knows agreed under its own pair. Without that, two
half-made changes of dead brokers could each find a majority that does not know of the other.

Each step changes the sum of votes by at most one. So a majority of a roster shares a node with any
majority of the next, and a candidate that holds a change which was never agreed still meets a voter
that knows better.

A founding roster needs every node on it. It is announced only when all of them have acked its
broker while they had no newer one, so no node of it can take another from an older broker: a rack
is founded once, or not at all. Until all have stored it nothing is granted, so founding may take
longer than authority lasts.

Sources: Ongaro, "Consensus: bridging theory and practice", 2014, chapter 4 (single-server changes);
Ongaro, "bug in single-server membership changes", raft-dev, 2015 (why a new leader must commit
under its own term first).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rackgrid.core.roster import NO_ROSTER, Roster, united
from rackgrid.identity import NodeId, Pair, Stamp
from rackgrid.value import replace


@dataclass(frozen=True, slots=True)
class Agreement:
    """The roster in one term, as its broker sees it.

    Attributes:
        base: the newest agreed roster; before one is agreed in this term, the one it began with.
        proposed: announced and not agreed yet.
        agreed_version: the newest version agreed under this broker's pair; 0 before the first.
        stored: node → the newest version under this pair that it has stored, with a vote.
    """

    base: Roster = NO_ROSTER
    proposed: Roster | None = None
    agreed_version: int = 0
    stored: Mapping[NodeId, int] = field(default_factory=lambda: MappingProxyType({}))
    reserved: Roster = NO_ROSTER

    @property
    def is_free(self) -> bool:
        """Whether the next change may begin."""
        return self.proposed is None and self.agreed_version > 0

    @property
    def newest(self) -> Roster:
        """What this broker would have everybody store."""
        return self.proposed or self.base

    @property
    def is_founding(self) -> bool:
        """Whether there is no roster yet that a majority could speak for: nothing is granted."""
        return self.base.founding or not self.base.lines

    @property
    def authorities(self) -> tuple[Roster, ...]:
        """The rosters that must each back what the broker does; none while it founds a rack."""
        if self.is_founding:
            return ()
        if self.proposed is None or self.proposed.lines == self.base.lines:
            return (self.base,)
        return (self.base, self.proposed)

    def is_newer(self, stamp: Stamp, mine: Pair) -> bool:
        """Whether a node that stored this knows of changes that this broker has missed.

        Once a roster is agreed under its own pair, what an older broker proposed is void. What a
        higher pair made never is: a recovery that was begun, or a later broker's.
        """
        if stamp.pair > mine:
            return True
        return stamp.pair != mine and self.agreed_version == 0 and stamp > self.base.stamp


def begun(roster: Roster) -> Agreement:
    """Begin a term with the newest roster at hand."""
    return Agreement(base=roster, reserved=roster)


def proposed(agreement: Agreement, roster: Roster) -> Agreement:
    """Announce the next roster, or the first of this term."""
    assert agreement.proposed is None, "one change at a time"
    assert abs(roster.votes - agreement.base.votes) <= 1 or not agreement.base.lines, (
        "a step moves one vote"
    )
    assert roster.stamp > agreement.base.stamp, "stamps grow"
    both = united(agreement.base, roster) if agreement.base.lines else roster
    return replace(agreement, proposed=roster, reserved=both)


def stored(agreement: Agreement, node: NodeId, version: int) -> Agreement:
    """Note that a node which votes has stored a version; it may complete the agreement."""
    if version <= agreement.stored.get(node, 0):
        return agreement
    agreement = replace(agreement, stored={**agreement.stored, node: version})
    ahead = agreement.proposed
    if ahead is None:
        return agreement
    nodes = {n for n, v in agreement.stored.items() if v >= ahead.version}
    if not ahead.is_backed(nodes) or (agreement.base.lines and not agreement.base.is_backed(nodes)):
        return agreement
    return replace(
        agreement,
        # A founding roster that all have stored is as good as any; `settled` writes that down.
        base=replace(ahead, founding=False),
        proposed=None,
        agreed_version=ahead.version,
        reserved=ahead,
    )
