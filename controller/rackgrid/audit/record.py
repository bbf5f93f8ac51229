"""A whole record, checked line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rackgrid.audit import market, switching
from rackgrid.audit.field import UNREADABLE, Fields, Malformed, parsed
from rackgrid.audit.thread import NO_PRICE, Thread
from rackgrid.audit.trust import Tally, Trust

KINDS = frozenset(
    {"start", "role", "price", "load", "round", "trust", "note", "left", "lost", "full"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a line."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(slots=True)
class Audit:
    """What was checked.

    Attributes:
        findings: each deviation.
        optimal: rounds of which it is proven that no better set is possible.
        cut: lines that were cut off, each at the end of a run: the power was lost there.
        gaps: how often the record says that lines are lost.
        trust: how much of trust could be judged again.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    lines: int = 0
    rounds: int = 0
    optimal: int = 0
    decisions: int = 0
    switches: int = 0
    cut: list[int] = field(default_factory=list[int])
    gaps: int = 0
    trust: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Run:
    """What the lines of one node say so far."""

    thread: Thread
    trust: Trust


def audit(lines: Iterable[str]) -> Audit:
    """Check every line of a record.

    A line that is no JSON is a finding, but for one that a start follows, or nothing: a power cut
    ends a record in the middle of a line.
    """
    done, runs = Audit(), dict[str, Run]()
    torn: int | None = None
    for number, text in enumerate(lines, 1):
        done.lines += 1
        try:
            line = parsed(text)
            kind = line.text("event")
        except Malformed as fault:
            if torn is not None:
                done.findings.append(Finding(torn, UNREADABLE))
            torn = number if str(fault) == UNREADABLE else None
            if torn is None:
                done.findings.append(Finding(number, str(fault)))
            continue
        if torn is not None:
            _end_torn(done, torn, is_cut=kind == "start")
            torn = None
        done.findings += [Finding(number, each) for each in _checked(kind, line, runs, done)]
    if torn is not None:
        _end_torn(done, torn, is_cut=True)
    return done


def _end_torn(done: Audit, number: int, *, is_cut: bool) -> None:
    if is_cut:
        done.cut.append(number)
    else:
        done.findings.append(Finding(number, UNREADABLE))


def _checked(kind: str, line: Fields, runs: dict[str, Run], done: Audit) -> list[str]:
    try:
        node = line.text("node")
    except Malformed as fault:
        return [str(fault)]
    if kind == "start":
        runs[node] = Run(Thread(price=NO_PRICE, starts=True), Trust(done.trust, starts=True))
    elif kind == "lost" or node not in runs:
        runs[node] = Run(Thread(), Trust(done.trust))
    return list(_said(kind, line, runs[node], done))


def _said(kind: str, line: Fields, run: Run, done: Audit) -> Iterator[str]:
    if kind not in KINDS:
        yield f"event: {kind[:40]!r} is none that a record has"
        return
    try:
        yield from run.thread.follow(kind, line)
        match kind:
            case "round":
                done.rounds += 1
                done.optimal += yield from market.findings(line)
            case "load":
                done.decisions += 1
                done.switches += line.flag("from") is not line.flag("to")
                yield from switching.findings(line)
            case "lost":
                done.gaps += 1
            case _:
                pass
        yield from run.trust.follow(kind, line)
    except Malformed as fault:
        yield str(fault)
