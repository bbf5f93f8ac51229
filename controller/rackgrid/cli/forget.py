"""`rackgrid forget NODE`: release the floor of a node that is off for good.

A node that merely vanishes keeps its floor on the roster, since it may be drawing. Only a person
can know that it is not. So this is for a node that is unplugged, and that is not heard: one that is
heard leaves by its own word (`rackgrid leave`).
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from rackgrid.cli import say
from rackgrid.cli.api import Record, add_control, address, tell
from rackgrid.cli.exit import Exit
from rackgrid.cli.patience import missed, wait_until

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

PATIENCE_S = 12.0
"""The daemon tells the broker again for ten seconds."""


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("forget", help="release the floor of a node that is off for good")
    parser.add_argument("node", metavar="NODE", help="its name or id, as on the roster")
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_control(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the daemon, and wait until the roster is without the node."""
    url = address(args)
    asked = tell(args, f"/api/forget/{quote(args.node, safe='')}")
    who, name = asked.text("forgetting"), asked.text("name")

    def forgotten(state: Record) -> bool:
        return who not in {line.text("id") for line in state.records("roster")}

    state, is_done = wait_until(url, forgotten, PATIENCE_S)
    if args.json:
        print(json.dumps({"id": who, "name": name, "forgotten": is_done}))
    if is_done:
        say(f"{name} is forgotten: the roster is without it, and its floor is free for others")
        return Exit.OK
    return missed(
        state,
        f"{name} is not forgotten after {PATIENCE_S:g} s",
        "see whether it is heard again (rackgrid status); if not, ask once more",
    )
