"""Trust, made again from what a broker saw (decisions page 16).

A broker looks at each node in each round: what its flexible loads draw, and what they may. Once in
ten seconds it judges the worst of that; three windows with a lie flag a node, and its bids then
count with the share that it has proved. As it is checked here:

- each verdict follows from the one before it and the worst look of its window, and no window is
  left out: of a node above suspicion none is told, of another each one has its number;
- that look is none of the broker's making: draw, grants and pledges agree with the rounds that are
  recorded, and no recorded one of the window is worse;
- whoever is seen to lie is judged, before ten seconds and a round are over;
- in each round exactly the flagged count with their shares, and are bid for by that.

A new office begins with a clean sheet. What came before the first line of a record nobody knows:
until a line says where a node stands, its share is taken as given. Records of before this was
written down say nothing to check: they are counted (`unjudged`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rackgrid.audit.field import Fields, Malformed, list_row, rows_of, whole_row
from rackgrid.audit.grants import Grants
from rackgrid.audit.look import (
    LIES_MAX,
    WHOLE,
    Look,
    Verdict,
    Window,
    look_row,
    verdict,
    window_row,
)

WINDOW_NS = 10_000_000_000
"""A node is judged once in so long."""

Office = tuple[int, str]


@dataclass(slots=True)
class Sheet:
    """What is known of a node.

    Attributes:
        verdict: what is held against it; None: the record does not show it.
        number: of the last window; 0 while it is above suspicion.
        ended_ns: when that was judged.
        looks: recorded ones that no window has covered yet.
        is_looked_at: whether it has been; then it is in each round that it bids in.
    """

    verdict: Verdict | None
    number: int = 0
    ended_ns: int = 0
    looks: list[Look] = field(default_factory=list[Look])
    is_looked_at: bool = False


@dataclass(slots=True)
class Tally:
    """How many windows were judged again, and how many lines do not say what was judged by."""

    windows: int = 0
    unjudged: int = 0


@dataclass(slots=True)
class Trust:
    """What the record of a run says so far of whom its brokers trust.

    Attributes:
        tally: counts over all runs.
        starts: whether the run's start was seen; then every office in it begins in sight.
    """

    tally: Tally
    starts: bool = False
    _is_told: bool = False
    _office: Office | None = None
    _is_begun: bool = False
    _round: int = 0
    _due: int = 0
    _sheets: dict[str, Sheet] = field(default_factory=dict[str, Sheet])
    _grants: Grants = field(default_factory=Grants)

    def follow(self, kind: str, line: Fields) -> Iterator[str]:
        """Take the next line; say what it does not follow from.

        Raises:
            Malformed: a field is missing, or of another type.
        """
        if kind == "trust":
            if self._tells(line, "windows"):
                yield from self._judged(line)
        elif kind == "full":
            self._due = 0
        else:
            number = line.whole("round") if kind == "round" else 0
            if self._due and number != self._due:
                yield f"round {self._due} is missing: somebody was judged before it"
            self._due = 0
            if kind == "round" and self._tells(line, "looks"):
                yield from self._cleared(line)

    def _tells(self, line: Fields, key: str) -> bool:
        """Whether a line says what was judged by: a run says it always, or never."""
        if key not in line:
            if self._is_told:
                raise Malformed(f"{key} is missing")
            self.tally.unjudged += 1
            return False
        self._is_told = True
        return True

    def _enter(self, line: Fields) -> int:
        """Come to an office; give the round."""
        office, number = (line.whole("term"), line.text("broker")), line.whole("round")
        if office != self._office:
            self._is_begun = self.starts or self._office is not None or number == 1
            self._office, self._round = office, 0
            self._sheets, self._grants = {}, Grants()
        return number

    def _sheet(self, node: str) -> Sheet:
        return self._sheets.setdefault(node, Sheet(Verdict() if self._is_begun else None))

    # --- a verdict -------------------------------------------------------------------------------

    def _judged(self, line: Fields) -> Iterator[str]:
        number, node = self._enter(line), line.text("of")
        sheet, who = self._sheet(node), f"{line.text('name')} ({node})"
        if self._due not in (0, number):
            yield f"round {self._due} is missing: somebody was judged before it"
        self._due = number
        if number <= self._round:
            yield f"{who}: judged before round {number}, which is recorded already"
        windows = [window_row(row) for row in line.rows("windows")]
        if not windows:
            raise Malformed("windows: none")
        for window in windows:
            found = [*self._numbered(sheet, window, number), *self._worst(node, sheet, window)]
            yield from (f"{who}, round {window.round}: {each}" for each in found)
            self._close(sheet, window)
        found = list(_told(line, sheet, windows[-1].worst))
        yield from (f"{who}, round {number}: {each}" for each in found)
        sheet.verdict = sheet.verdict or Verdict(line.whole("lies"), line.whole("share_permille"))

    def _numbered(self, sheet: Sheet, window: Window, number: int) -> Iterator[str]:
        """No window is left out; a first one says that nothing was held against the node."""
        if window.round > number:
            yield f"judged after round {number}, before which that is said"
        if sheet.verdict is not None and window.number != sheet.number + 1:
            yield f"window {window.number} follows window {sheet.number}: one is missing between"
            sheet.verdict = None
        if sheet.verdict is None and window.number == 1:
            sheet.verdict = Verdict()
        if sheet.ended_ns and window.t_ns < sheet.ended_ns + WINDOW_NS:
            yield f"judged {(window.t_ns - sheet.ended_ns) // 1_000_000} ms after the last time"

    def _worst(self, node: str, sheet: Sheet, window: Window) -> Iterator[str]:
        """The worst look is one of this window, and none that is recorded of it is worse."""
        worst = window.worst
        beyond_mw = 0 if worst is None else worst.beyond_mw
        begins_ns = max(sheet.ended_ns, window.t_ns - WINDOW_NS)
        for look in sheet.looks:
            if begins_ns < look.t_ns <= window.t_ns and look.beyond_mw > beyond_mw:
                yield (
                    f"judged by {beyond_mw} mW too much at worst, and in round {look.round} it was"
                    f" {look.beyond_mw} mW: {_words(look)}"
                )
        if worst is None:
            return
        if beyond_mw <= 0:
            yield f"judged by what is not too much: {_words(worst)}"
        is_inside = sheet.ended_ns < worst.t_ns <= window.t_ns and worst.round <= window.round
        if not is_inside:
            yield f"judged by round {worst.round}, which is not of this window"
        for look in sheet.looks:
            if look.round == worst.round and look != worst:
                yield f"judged by {_words(worst)}, and round {look.round} says {_words(look)}"
        yield from self._grants.findings(node, worst)

    def _close(self, sheet: Sheet, window: Window) -> None:
        self.tally.windows += 1
        sheet.number, sheet.ended_ns = window.number, max(sheet.ended_ns, window.t_ns)
        sheet.looks = [look for look in sheet.looks if look.t_ns > window.t_ns]
        if sheet.verdict is not None:
            sheet.verdict = verdict(sheet.verdict, window.worst)
            sheet.number = 0 if sheet.verdict == Verdict() else sheet.number

    # --- a round ---------------------------------------------------------------------------------

    def _cleared(self, line: Fields) -> Iterator[str]:
        number, t_ns = self._enter(line), line.whole("at_ns")
        bidders = {bid.text("node"): bid for bid in line.parts("bids")}
        looks = line.named("looks")
        for node in bidders:
            if self._sheet(node).is_looked_at and node not in looks:
                yield f"{node} bids in round {number}, and nobody looked at what it draws"
        for node, row in looks.items():
            look, sheet = look_row(row, t_ns, number), self._sheet(node)
            sheet.is_looked_at = True
            yield from (f"{node}: {each}" for each in self._grants.findings(node, look))
            yield from _unjudged(node, sheet, t_ns)
            if sheet.ended_ns < t_ns and look.beyond_mw > 0:
                sheet.looks.append(look)
        yield from self._shares(number, line, bidders)
        self._round = number
        self._grants.take(number, t_ns, line)

    def _shares(self, number: int, line: Fields, bidders: dict[str, Fields]) -> Iterator[str]:
        """Exactly the flagged count with their shares, and their steps by them."""
        shares, said = line.numbers("shares"), line.named("said")
        for node in sorted(shares.keys() | bidders.keys()):
            told, held = shares.get(node, WHOLE), self._sheet(node).verdict
            if held is not None and told != (held.share if held.is_flagged else WHOLE):
                flagged = "flagged" if held.is_flagged else "not flagged"
                yield (
                    f"{node} counts with {told} of {WHOLE} in round {number}, and by what was"
                    f" recorded it is {flagged}, with a share of {held.share}"
                )
            if node not in bidders:
                yield f"{node} counts with a share in round {number}, and has bid nothing"
            elif node in said or told != WHOLE:
                yield from _scaled(node, number, told, said.get(node), bidders[node])


def _told(line: Fields, sheet: Sheet, worst: Look | None) -> Iterator[str]:
    """What the line says of the last window, and of what is held against the node."""
    allowed_mw, drawn_mw = (worst.allowed_mw, worst.drawn_mw) if worst else (0, 0)
    derived = {"granted_mw": allowed_mw, "drawn_mw": drawn_mw}
    lies = line.whole("lies")
    if sheet.verdict is not None:
        lies = sheet.verdict.lies
        derived |= {"lies": lies, "share_permille": sheet.verdict.share}
    for key, number in derived.items():
        if line.whole(key) != number:
            yield f"{key} {line.whole(key)}, and by what was recorded it is {number}"
    is_flagged = lies >= LIES_MAX
    if line.flag("flagged") is not is_flagged:
        yield f"flagged {line.flag('flagged')}, and by what was recorded it is {is_flagged}"


def _unjudged(node: str, sheet: Sheet, t_ns: int) -> Iterator[str]:
    """A lie that is older than a window has been judged."""
    kept: list[Look] = []
    for look in sheet.looks:
        if look.t_ns > t_ns - WINDOW_NS:
            kept.append(look)
        elif look.is_lie:
            yield f"{node}: in round {look.round} {_words(look)}, and nobody judged it"
    sheet.looks = kept


def _scaled(node: str, number: int, share: int, said: object, bid: Fields) -> Iterator[str]:
    """A flagged node's steps count with its share of what it said, reserves rounded up."""
    rows = bid.rows("steps")
    steps = [whole_row(each, "said", 2) for each in rows_of(said, "said")]
    counted = [(power * share // WHOLE, -(-reserve * share // WHOLE)) for power, reserve in steps]
    told = [whole_row(list_row(each, "a step", 4)[1:3], "a step", 2) for each in rows]
    if told != counted:
        yield f"{node} counts in round {number} with steps of {told}, and its share makes {counted}"


def _words(look: Look) -> str:
    return f"{look.drawn_mw} mW drawn of {look.allowed_mw} mW"
