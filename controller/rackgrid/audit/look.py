"""A look at a node, and the verdict on a window, as the auditor makes them (decisions page 16)."""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.audit.field import Malformed, list_row, whole_row

LIES_MAX = 3
"""After so many windows of taking more, a node is flagged."""
WHOLE = 1000
SHARE_MAX = 3000
FORGIVEN = 10
"""A window without a lie takes that off the share."""
LOOK_FIELDS = 8
"""Draw, required, excess, pledged, old; of the largest grant the round, the power, and the rest."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a broker held against each other.

    Attributes:
        t_ns, round: when it was, and before the clearing of which round.
        allowed_mw: the larger of grant and pledge, and what dead boots may hold beside it.
        drawn_mw: by flexible loads: the draw less what is required and what counts as floor.
        grant_round, grant_mw, grant_ms: the largest that may be in force, and for how long.
        row: the look as it was written.
    """

    t_ns: int
    round: int
    allowed_mw: int
    drawn_mw: int
    grant_round: int
    grant_mw: int
    grant_ms: int
    row: tuple[int, ...]

    @property
    def beyond_mw(self) -> int:
        """How much more it draws than it may, mW."""
        return self.drawn_mw - self.allowed_mw

    @property
    def is_lie(self) -> bool:
        """Whether that is more than a meter's error."""
        return is_lie(self.allowed_mw, self.drawn_mw)


@dataclass(frozen=True, slots=True)
class Window:
    """What a verdict rests on: its number, when it was, before which round, and the worst look."""

    number: int
    t_ns: int
    round: int
    worst: Look | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held against a node: how often it lied, and the share that it has proved."""

    lies: int = 0
    share: int = WHOLE

    @property
    def is_flagged(self) -> bool:
        """Whether its bids count with its share."""
        return self.lies >= LIES_MAX


def look_row(row: object, t_ns: int, round_: int) -> Look:
    """Read a look.

    Raises:
        Malformed: it is none.
    """
    values = whole_row(row, "a look", LOOK_FIELDS)
    draw, required, excess, pledged, old, grant_round, grant_mw, grant_ms = values
    if min(values) < 0:
        raise Malformed("a look: a number below zero")
    if (grant_ms > 0) is not (grant_mw > 0):
        raise Malformed(f"a look: a grant of {grant_mw} mW for {grant_ms} ms")
    allowed_mw, drawn_mw = max(grant_mw, pledged) + old, max(0, draw - required - excess)
    return Look(t_ns, round_, allowed_mw, drawn_mw, grant_round, grant_mw, grant_ms, values)


def window_row(row: object) -> Window:
    """Read a window.

    Raises:
        Malformed: it is none.
    """
    *head, seen = list_row(row, "a window", 4)
    number, t_ns, round_ = whole_row(head, "a window", 3)
    if seen is None:
        return Window(number, t_ns, round_, None)
    values = list_row(seen, "a window's look", 2 + LOOK_FIELDS)
    seen_ns, seen_round = whole_row(values[:2], "a window's look", 2)
    return Window(number, t_ns, round_, look_row(values[2:], seen_ns, seen_round))


def is_lie(allowed_mw: int, drawn_mw: int) -> bool:
    """Whether a draw is more than a twentieth, and more than 0.2 W, above what is allowed."""
    beyond_mw = drawn_mw - allowed_mw
    return beyond_mw > 200 and beyond_mw > allowed_mw // 20


def verdict(before: Verdict, worst: Look | None) -> Verdict:
    """Judge a window by the worst of it.

    A lie raises the share to what was taken of a thousand allowed, on top of the share that is
    allowed already where the node is flagged, to three times at most; it never lowers it. Anything
    else takes a hundredth off, and when nothing is left of that, the lies are forgotten.
    """
    if worst is None or not worst.is_lie:
        share = before.share - FORGIVEN
        return Verdict(before.lies, share) if share > WHOLE else Verdict()
    counted = before.share if before.is_flagged else WHOLE
    proved = counted * worst.drawn_mw // max(1, worst.allowed_mw)
    share = max(before.share, min(proved, SHARE_MAX))
    return Verdict(min(before.lies + 1, LIES_MAX), share)
