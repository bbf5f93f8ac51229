"""Honesty: what a node takes beside what it was granted, and what follows from that.

A load that takes more than its nameplate says is believed to take that much from then on, also
while it is off and bids anew (`learned_mw`). What is drawn beyond floor and grants counts against
the room of the round (promise P8), whoever draws it.

A node that does so again and again is flagged: what it asks for then counts with the share by which
it has exceeded its grants, so that of the same watts it is granted fewer, and what it really takes
of them fits. Honest rounds wear this off slowly; nothing is held against a node for good.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rackgrid.market.curve import Step

WHOLE = 1000
LIES_MAX = 3
"""After so many rounds of taking more, a node is flagged."""
TOLERANCE_PERMILLE = 50
"""So much above the grant is a meter's error or a warm motor, no lie."""
TOLERANCE_MW = 200
"""And so much in any case."""
SHARE_PERMILLE_MAX = 3_000
FORGIVEN_PERMILLE = 10
"""An honest round takes that off the share."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a node has proved.

    Attributes:
        lies: rounds in which it took more than it was granted; an honest node has none left.
        share_permille: what it took of 1000 granted, at worst, less what was forgiven.
    """

    lies: int = 0
    share_permille: int = WHOLE

    @property
    def is_flagged(self) -> bool:
        """Whether its bids count with its share."""
        return self.lies >= LIES_MAX


HONEST = Record()


def judged(record: Record, granted_mw: int, drawn_mw: int) -> Record:
    """Hold a round against a node, or in its favour.

    Args:
        granted_mw: floor and allotment, mW, as the market counts them (its share included).
        drawn_mw: what it took, mW.
    """
    if not is_beyond(granted_mw, drawn_mw):
        share = max(WHOLE, record.share_permille - FORGIVEN_PERMILLE)
        return replace(record, share_permille=share, lies=0 if share == WHOLE else record.lies)
    held_permille = record.share_permille if record.is_flagged else WHOLE
    share = held_permille * drawn_mw // max(1, granted_mw)
    share = min(max(share, record.share_permille), SHARE_PERMILLE_MAX)
    return Record(min(record.lies + 1, LIES_MAX), share)


def is_beyond(granted_mw: int, drawn_mw: int) -> bool:
    """Whether so much is more than a meter's error and a warm motor explain."""
    tolerance_mw = max(granted_mw * TOLERANCE_PERMILLE // WHOLE, TOLERANCE_MW)
    return drawn_mw > granted_mw + tolerance_mw


def counted(record: Record, step: Step) -> Step:
    """How a step of a node counts: at what it is said to take, or with the node's share."""
    if not record.is_flagged:
        return step
    return replace(
        step,
        power_mw=step.power_mw * record.share_permille // WHOLE,
        reserve_mw=-(-step.reserve_mw * record.share_permille // WHOLE),
    )


def learned_mw(nominal_mw: int, metered_mw: int | None) -> int:
    """What a load's nameplate should say, as a fresh meter has shown it settled, mW."""
    if metered_mw is None:
        return nominal_mw
    tolerance_mw = max(nominal_mw * TOLERANCE_PERMILLE // WHOLE, TOLERANCE_MW)
    return metered_mw if metered_mw > nominal_mw + tolerance_mw else nominal_mw
