"""`rackgrid recover`: form the roster anew when a majority of its votes is gone for good.

A rack whose majority is gone elects nobody, and it must not: no program can tell nodes that are off
from nodes that are merely not heard, and those may have a broker of their own, which gives out the
same feed. A person who has looked can. So this shows who is heard and who is not, and does nothing
without `--missing-are-off`.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import Record, add_control, address, ask, tell
from rackgrid.cli.exit import Exit
from rackgrid.cli.patience import has_broker, wait_until

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

PATIENCE_S = 20.0
"""For an election, a founding, and one of each that failed."""


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("recover", help="form the roster anew when a majority is gone")
    parser.add_argument(
        "--missing-are-off",
        action="store_true",
        help="do it: every node that is not heard is off, I have looked",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_control(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show what recovery would do; do it if the operator says that the missing are off."""
    url = address(args)
    state = ask(f"{url}/api/state")
    if has_broker(state):
        broker = state.text("broker") or state.text("broker_id")
        say(f"rackgrid: nothing to recover: {broker} is the broker; see rackgrid status")
        return Exit.FAILED
    if not args.json:
        print("\n".join(plan(state)))
    if not args.missing_are_off:
        if args.json:
            print(json.dumps(_names(state)))
        say(
            "nothing is done yet. Go and see that every missing node is off, then: "
            "rackgrid recover --missing-are-off"
        )
        return Exit.USAGE
    tell(args, "/api/recover")
    after, is_done = wait_until(url, has_broker, PATIENCE_S)
    broker = after.text("broker") or after.text("broker_id")
    if args.json:
        print(json.dumps({**_names(state), "broker": broker}))
    if is_done:
        say(f"{broker} is the broker of the recovered rack, in term {after.number('term'):g}")
        return Exit.OK
    say(
        f"rackgrid: no broker after {PATIENCE_S:g} s: every node that is heard must store the new "
        "roster; see rackgrid status and the daemons' logs on each"
    )
    return Exit.NO_BROKER


def plan(state: Record) -> list[str]:
    """Say who is heard, who is not, and what that means."""
    heard, missing = _sorted(state)
    votes = [sum(line.number("votes") or 0 for line in part) for part in (heard, missing)]
    lines = [
        f"rack {state.text('rack')}, seen from {state.record('node').text('name')}: no broker",
        f"heard:   {_listed(heard)}",
        f"missing: {_listed(missing)}",
        "recovery makes a roster of those that are heard, and gives the floors of the missing to "
        "others",
    ]
    if votes[0] > votes[1]:
        lines.append(
            "a majority of the votes is heard: a broker should come by itself, so wait first"
        )
    return lines


def _sorted(state: Record) -> tuple[list[Record], list[Record]]:
    """Part the roster: the heard and the missing, each by name."""
    roster = sorted(state.records("roster"), key=lambda line: line.text("name"))
    return [x for x in roster if not x.flag("absent")], [x for x in roster if x.flag("absent")]


def _names(state: Record) -> dict[str, object]:
    heard, missing = _sorted(state)
    return {"heard": [x.text("name") for x in heard], "missing": [x.text("name") for x in missing]}


def _listed(lines: list[Record]) -> str:
    return ", ".join(_described(line) for line in lines) or "nobody"


def _described(line: Record) -> str:
    floor_w, votes = line.number("floor_w"), line.number("votes")
    floor = "?" if floor_w is None else f"{floor_w:.1f}"
    count = "?" if votes is None else f"{votes:g}"
    return f"{line.text('name') or line.text('id')} (votes {count}, floor {floor} W)"
