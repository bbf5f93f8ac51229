"""`rackgrid handover`: let another node be the broker, before this one is taken down for a while.

The loads do not notice: the office goes over with its book. The node stays a member, and if it
outranks the others and `preempt` is on, it is elected again when it has been steady for
`preempt_after_s`.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import Record, add_control, address, tell
from rackgrid.cli.exit import Exit
from rackgrid.cli.patience import has_broker, missed, wait_until

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

PATIENCE_S = 12.0


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("handover", help="let another node be the broker")
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_control(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the daemon, and wait until another broker leads."""
    url = address(args)
    tell(args, "/api/handover")

    def is_led(state: Record) -> bool:
        return has_broker(state) and not _is_own(state)

    state, is_done = wait_until(url, is_led, PATIENCE_S)
    broker, term = state.text("broker") or state.text("broker_id"), state.number("term")
    if args.json:
        print(json.dumps({"broker": broker, "term": term, "handed_over": is_done}))
    if is_done:
        say(f"{broker} is the broker now, in term {term:g}")
        return Exit.OK
    return missed(
        state,
        f"no other node is the broker after {PATIENCE_S:g} s",
        f"{broker} leads again: see whether the others are well (rackgrid status there)",
    )


def _is_own(state: Record) -> bool:
    """Whether the node that is asked is the broker."""
    return state.text("broker_id") == state.record("node").text("id")
