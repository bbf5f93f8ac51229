"""`rackgrid expel NODE`: put a node out that must not be trusted any more.

It loses its vote, is heard no more, gets no grant, and is not admitted again. What it cannot lose
this way is the group key, so that has to be rotated next; and what nobody can take from it over a
network is the power that it draws, so its floor stays reserved until a person has switched it off.
The broker takes the word, and nobody else: any other node could be the one that is to go.
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


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("expel", help="put a node out that is not to be trusted any more")
    parser.add_argument("node", metavar="NODE", help="its name or id, as on the roster")
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_control(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the broker, and wait until the node has no vote any more."""
    url = address(args)
    asked = tell(args, f"/api/expel/{quote(args.node, safe='')}")
    who, name = asked.text("expelling"), asked.text("name")

    def expelled(state: Record) -> bool:
        roster = list(state.records("roster"))
        lines = [line for line in roster if line.text("id") == who]
        is_out = all(line.flag("expelled") and line.number("votes") == 0 for line in lines)
        return bool(roster) and is_out  # A node without a roster has nothing to show.

    state, is_done = wait_until(url, expelled, PATIENCE_S)
    if args.json:
        print(json.dumps({"id": who, "name": name, "expelled": is_done}))
    if is_done:
        say(
            f"{name} is expelled: it has no vote, gets no grant, and is heard no more\n"
            f"1. it still holds the group key: make a new one without it (rackgrid key rotate)\n"
            f"2. it may still draw its floor of {asked.number('floor_w') or 0:g} W: switch it off\n"
            f"3. then free that floor: rackgrid forget {name}"
        )
        return Exit.OK
    return missed(
        state,
        f"{name} is not expelled after {PATIENCE_S:g} s",
        "the broker's log says why; then ask once more",
    )
