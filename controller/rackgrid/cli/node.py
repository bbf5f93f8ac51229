"""`rackgrid node NODE`: say how high a node ranks, and how large its floor may become.

Both are facts of the roster: what a node says of itself counts only while a rack is founded, so
that nobody who holds the group key can talk itself into office, or reserve the feed. The broker
takes the word, and nobody else: any other node could be the one that wants it.
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

PATIENCE_S = 10.0


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("node", help="change a node's rank or its largest floor")
    parser.add_argument("node", metavar="NODE", help="its name or id, as on the roster; or the id")
    parser.add_argument("--priority", type=int, metavar="P", help="its rank, 0 to 65535")
    parser.add_argument(
        "--floor-max", type=float, metavar="W", help="the most that its floor may be, W"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_control(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the broker, and wait until the roster says so."""
    wish: dict[str, object] = {}
    if args.priority is not None:
        wish["priority"] = args.priority
    if args.floor_max is not None:
        wish["floor_max_w"] = args.floor_max
    if not wish:
        say("rackgrid node: nothing to change: give --priority P, --floor-max W, or both")
        return Exit.USAGE
    url = address(args)
    asked = tell(args, f"/api/nodes/{quote(args.node, safe='')}", wish)
    who, name = asked.text("node"), asked.text("name") or asked.text("node")
    if asked.flag("waits"):
        if args.json:
            print(json.dumps({"id": who, "changed": False, "waits": True}))
        say(f"{who} is not on the roster: this holds when it comes, while this node is the broker")
        return Exit.OK

    def changed(state: Record) -> bool:
        lines = [line for line in state.records("roster") if line.text("id") == who]
        return any(all(line.number(key) == wish[key] for key in wish) for line in lines)

    state, is_done = wait_until(url, changed, PATIENCE_S)
    if args.json:
        print(json.dumps({"id": who, "name": name, "changed": is_done}))
    if is_done:
        say(f"{name}: {', '.join(f'{key} = {value:g}' for key, value in _shown(wish))}")
        return Exit.OK
    return missed(state, f"{name} is not changed after {PATIENCE_S:g} s", "ask once more")


def _shown(wish: dict[str, object]) -> list[tuple[str, float]]:
    return [(key, value) for key, value in wish.items() if isinstance(value, int | float)]
