"""A look: what a broker holds against each other in one round, what a node draws and what it may.

A look has all inputs and no verdict, so that whoever doubts a verdict can make it again: it goes
into the record with the round, and the worst one of a window with what was judged by it
(`core.trust`, `rackgrid.audit.trust`).
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.core.grant import Claim

NO_CLAIM = Claim(0, 0)


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a node's flexible loads in a round.

    Attributes:
        at_ns, round: when it was; the round is the one that is cleared right after.
        draw_mw, required_mw, excess_mw: by its newest report (`wire.message.Report`).
        grant: the largest that may still be in force; `NO_CLAIM` if none is.
        pledged_mw: it may hold while it restarts; old_mw: its dead boots may.
    """

    at_ns: int
    round: int
    draw_mw: int
    required_mw: int
    excess_mw: int
    grant: Claim = NO_CLAIM
    pledged_mw: int = 0
    old_mw: int = 0

    @property
    def allowed_mw(self) -> int:
        """What its flexible loads may draw, mW."""
        return max(self.grant.power_mw, self.pledged_mw) + self.old_mw

    @property
    def drawn_mw(self) -> int:
        """What they draw, mW; what the node itself says to be excess counts as floor already."""
        return max(0, self.draw_mw - self.required_mw - self.excess_mw)

    @property
    def beyond_mw(self) -> int:
        """How much more they draw than they may, mW; negative where it is less."""
        return self.drawn_mw - self.allowed_mw


@dataclass(frozen=True, slots=True)
class Window:
    """What one judgement rests on.

    Attributes:
        number: of windows since nothing was held against the node, this one included.
        ended_ns, round: when it was judged, and before the clearing of which round.
        worst: the look in which it drew most beyond; None if it never did.
    """

    number: int
    ended_ns: int
    round: int
    worst: Look | None

    @property
    def proof(self) -> tuple[int, int]:
        """What it was granted and what it drew at worst, mW; nothing and nothing without a look."""
        return (0, 0) if self.worst is None else (self.worst.allowed_mw, self.worst.drawn_mw)
