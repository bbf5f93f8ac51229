"""`rackgrid replay FILE [--verify]`: a recorded day, told as a story, or checked line by line.

The daemon keeps a file a day below its `state_dir`, in `record/`. The check is `rackgrid.audit`'s,
which shares no code with what decided: it makes every round and every decision again from the
inputs that stand in the record.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import Record, is_array, is_object
from rackgrid.cli.exit import Exit
from rackgrid.errors import StoreError

if TYPE_CHECKING:
    from rackgrid.audit.record import Audit
    from rackgrid.cli.verb import Verbs

UC = 1e6


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("replay", help="tell a recorded day, or check it line by line")
    parser.add_argument("file", metavar="FILE", type=Path, help="a file of the node's record")
    parser.add_argument("--verify", action="store_true", help="check every line against its inputs")
    parser.add_argument("--json", action="store_true", help="write JSON (with --verify)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Tell, or check."""
    if args.json and not args.verify:
        say("rackgrid: --json goes with --verify: a record is JSON already")
        return Exit.USAGE
    if args.verify:
        return _verify(args.file, as_json=args.json)
    for line in _lines(args.file):
        print(told(line))
    return Exit.OK


def told(line: str) -> str:
    """Tell a line of a record in words."""
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return f"(not JSON: {_printable(line[:60])})"
    if not is_object(value):
        return f"(no event: {_printable(line[:60])})"
    event = Record(value)
    at = event.text("time") or f"t={(event.number('t_ns') or 0) / 1e9:.3f}"
    return f"{at}  {event.text('node')}  {_words(event)}"


def _words(event: Record) -> str:
    match event.text("event"):
        case "start":
            return f"starts: boot {event.text('boot')}, rackgrid {event.text('version')}"
        case "role":
            return f"is {event.text('role')}{_term(event)}: {event.text('cause')}"
        case "price" if event.number("price_uc") is None:
            return "the price is unknown"
        case "price":
            scarce = ", scarce" if event.flag("scarce") else ""
            return f"price {_money(event.number('price_uc'))}{scarce}{_term(event)}"
        case "load":
            return f"{event.text('load')} {_switched(event)}: {event.text('reason')}"
        case "round":
            return _round(event)
        case "trust":
            return event.text("reason")
        case "note":
            return f"note: {event.text('text')}"
        case "left":
            return "has left"
        case "lost":
            return f"{_count(event.number('count'))} events are missing here"
        case "full":
            return "the record of this day is full"
        case other:
            return f"({other or 'no event'})"


def _switched(event: Record) -> str:
    before, after = event.flag("from"), event.flag("to")
    if before != after:
        return f"{_on(before)} -> {_on(after)}"
    wish = "" if event.flag("wanted") == after else f", to be {_on(not after)}"
    return f"still {_on(after)}{wish}"


def _round(event: Record) -> str:
    bids, served, unfit = event.records("bids"), event.record("served"), event.record("unfit")
    steps = 0
    for bid in bids:
        listed = bid.fields.get("steps")
        steps += len(listed) if is_array(listed) else 0
    reserved_w = (event.number("reserved_mw") or 0) / 1000
    refused = _bits(unfit)
    return (
        f"round {_count(event.number('round'))}{_term(event)}: price"
        f" {_money(event.number('price_uc'))}, {_bits(served)} of {steps} steps served with"
        f" {reserved_w:.1f} W" + (f", {refused} do not fit" if refused else "")
    )


def _bits(masks: Record) -> int:
    """Count the steps that masks name."""
    numbers = (masks.number(node) for node in masks.fields)
    return sum(int(mask).bit_count() for mask in numbers if mask is not None and mask >= 0)


def _term(event: Record) -> str:
    term = event.number("term")
    return f" in term {term:g} of {event.text('broker')}" if term else ""


def _verify(path: Path, *, as_json: bool) -> int:
    from rackgrid.audit.record import audit

    done = audit(_lines(path))
    is_good = bool(done.lines) and not done.findings
    if as_json:
        findings = [{"line": each.line, "text": each.text} for each in done.findings]
        print(json.dumps({"findings": findings, **_sums(done)}, indent=2, ensure_ascii=False))
        return Exit.OK if is_good else Exit.FAILED
    for finding in done.findings:
        print(f"{path}: {_printable(str(finding))}")
    for number in done.cut:
        say(f"{path}: line {number} is cut off: the power was lost there")
    if not done.lines:
        say(f"{path}: nothing is recorded")
    say(
        f"{len(done.findings)} deviations in {done.lines} lines: {done.rounds} rounds"
        f" ({done.optimal} proven the best), {done.decisions} decisions, {done.switches} switches"
        + (f", {done.trust.windows} judgements of trust" if done.trust.windows else "")
        + (f"; {done.gaps} gaps" if done.gaps else "")
    )
    if done.trust.unjudged:
        say(
            f"{path}: trust was not checked in {done.trust.unjudged} lines: the rackgrid that wrote"
            " them did not record what a node drew and was granted"
        )
    return Exit.OK if is_good else Exit.FAILED


def _sums(done: Audit) -> dict[str, object]:
    return {
        "lines": done.lines,
        "rounds": done.rounds,
        "proven": done.optimal,
        "decisions": done.decisions,
        "switches": done.switches,
        "judgements": done.trust.windows,
        "trust_unchecked": done.trust.unjudged,
        "gaps": done.gaps,
        "cut": done.cut,
    }


def _lines(path: Path) -> Iterator[str]:
    """Read a record line by line.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                yield line.rstrip("\n")
    except OSError as fault:
        raise StoreError(
            f"{path}: {fault.strerror}; a node's record is in the folder `record` of its state_dir"
        ) from fault


def _printable(text: str) -> str:
    """Take out what could move a terminal's cursor, or worse."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _money(price_uc: float | None) -> str:
    return "unknown" if price_uc is None else f"{price_uc / UC:.3f}"


def _count(number: float | None) -> str:
    return "?" if number is None else f"{number:g}"


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"
