"""`rackgrid doctor`: look at this node, and say what is wrong with it and what to do.

It needs no running daemon and no complete set-up: what cannot be looked at is skipped and says why.
Data goes to stdout; it ends with 0 if nothing fails, 1 if something does, 78 for a bad
configuration, of which it says all the same what it can.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.cli.doctor.finding import Family, Finding
    from rackgrid.cli.verb import Verbs

COLOURS = {"PASS": "green", "WARN": "yellow", "FAIL": "bold red", "SKIP": "dim"}


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("doctor", help="look at this node, and say what is wrong with it")
    parser.add_argument("--config", metavar="FILE", type=Path, help="rackgrid.toml")
    parser.add_argument("--profile", metavar="FILE", type=Path, help="the board profile")
    parser.add_argument(
        "--peer",
        metavar="URL",
        action="append",
        default=[],
        help="the API of another node, to compare clocks with (http://NAME.local:8470 by default)",
    )
    parser.add_argument("--explain", metavar="CODE", help="say what a check is about, and no more")
    parser.add_argument(
        "--verbose", action="store_true", help="show the boot-state table even if all is well"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine this node, or explain a check."""
    if args.explain is not None:
        return _explain(args.explain)
    from rackgrid.cli.doctor.case import gather
    from rackgrid.cli.doctor.examination import examine
    from rackgrid.cli.doctor.host import Host

    case = gather(Host(), args.config, args.profile, tuple(args.peer))
    result = examine(case)
    findings = [finding for _, found in result for finding in found]
    if args.json:
        print(json.dumps(as_json(result), indent=2, ensure_ascii=False))
    else:
        _show(result, verbose=args.verbose)
        say(summary(findings))
    return exit_of(findings, is_bad_config=bool(case.faults))


def exit_of(findings: Iterable[Finding], *, is_bad_config: bool) -> Exit:
    """Say how the command ends."""
    if is_bad_config:
        return Exit.BAD_CONFIG
    return Exit.FAILED if any(each.grade.name == "FAIL" for each in findings) else Exit.OK


def as_json(result: list[tuple[Family, list[Finding]]]) -> dict[str, object]:
    """Make the object that `--json` writes."""
    findings = [(family, finding) for family, found in result for finding in found]
    grades = [finding.grade.value for _, finding in findings]
    return {
        "ok": "FAIL" not in grades,
        "counts": {name: grades.count(name) for name in COLOURS},
        "checks": [
            {
                "code": finding.code,
                "about": family.name,
                "grade": finding.grade.value,
                "cause": finding.cause,
                "fix": finding.fix or None,
                "docs": finding.anchor,
                **({"table": list(finding.rows)} if finding.rows else {}),
            }
            for family, finding in findings
        ],
    }


def summary(findings: list[Finding]) -> str:
    """Say in one line how the node is."""
    grades = [finding.grade.value for finding in findings]
    counts = ", ".join(f"{grades.count(name)} {name}" for name in COLOURS)
    return f"{counts}; `rackgrid doctor --explain CODE` says more about a check"


def _show(result: list[tuple[Family, list[Finding]]], *, verbose: bool) -> None:
    """Print for a person; rich leaves the colours out where NO_COLOR says so."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True, file=sys.stdout)
    for family, findings in result:
        console.print(Text(family.name, style="bold"))
        for finding in findings:
            line = Text("  ")
            line.append(finding.grade.value, style=COLOURS[finding.grade.value])
            line.append(f" {finding.code}: {finding.cause}")
            console.print(line)
            if finding.fix:
                console.print(Text(f"       do: {finding.fix}"))
                console.print(Text(f"       see {finding.anchor}", style="dim"))
            if finding.rows and (verbose or finding.fix):
                for row in aligned(finding.rows):
                    console.print(Text(f"       {row}"))


def aligned(rows: Sequence[dict[str, str]]) -> list[str]:
    """Write a table in columns, its head first."""
    names = list(rows[0])
    table = [names, *([row[name] for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in table
    ]


def _explain(code: str) -> int:
    from rackgrid.cli.doctor.examination import checks
    from rackgrid_firmware.key import complaint, meant

    known = {check.code: check for check in checks()}
    if code not in known:
        say(f"rackgrid: {complaint(f'no check {code[:60]!r}', '', '', meant(code, known))}")
        return Exit.USAGE
    print(f"{code}: {known[code].asks}\n\n{known[code].why}")
    return Exit.OK
