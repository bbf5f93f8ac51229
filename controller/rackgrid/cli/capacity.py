"""`rackgrid capacity WATTS`: say what the feed gives from now on.

Any node may be told: the rack agrees on it, and keeps it with its roster, through restarts and
power cuts, until somebody says otherwise. It shares out no more than the least `capacity_w` in
the `rackgrid.toml` of any node that its broker has heard.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import Record, add_control, address, tell
from rackgrid.cli.exit import Exit
from rackgrid.cli.patience import has_broker, missed, wait_until

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

PATIENCE_S = 5.0
"""For a few rounds."""
WATTS_MAX = 1e6
ROUNDING_W = 1e-3


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("capacity", help="say what the feed gives from now on")
    parser.add_argument("watts", metavar="WATTS", type=watts, help="such as 40 or 37.5")
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_control(parser)
    parser.set_defaults(run=run)


def watts(text: str) -> float:
    """Read a power.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        power_w = float(text)
    except ValueError:
        power_w = math.nan
    if not 0 < power_w <= WATTS_MAX:
        raise argparse.ArgumentTypeError(
            f"not a capacity: {text[:40]!r}; give watts above 0, up to {WATTS_MAX:.0f}, such as 40"
        )
    return power_w


def run(args: argparse.Namespace) -> int:
    """Tell the daemon, and wait until the rack has agreed on it."""
    url, power_w = address(args), float(args.watts)
    tell(args, "/api/feed", {"capacity_w": power_w})

    def is_agreed(state: Record) -> bool:
        limit_w = state.record("feed").number("limit_w")
        return has_broker(state) and limit_w is not None and abs(limit_w - power_w) <= ROUNDING_W

    state, is_done = wait_until(url, is_agreed, PATIENCE_S)
    feed = state.record("feed")
    if args.json:
        print(json.dumps({"capacity_w": power_w, "in_force": is_done, "feed": feed.fields}))
    if not is_done:
        return missed(
            state,
            f"this node says {power_w:g} W, and the rack has not agreed on it in {PATIENCE_S:g} s",
            "see whether the broker hears this node (rackgrid status there), and say it again",
        )
    shared_w, floors_w = feed.number("capacity_w") or 0.0, feed.number("floors_w") or 0.0
    say(f"the feed's limit is {power_w:g} W; the rack shares out {shared_w:g} W")
    if shared_w < power_w - ROUNDING_W:
        say("(less: the sources, the reserve, or a node's rackgrid.toml allow no more)")
    if floors_w > shared_w:
        say(f"the floors alone are {floors_w:g} W: no flexible load gets power until some go")
    return Exit.OK
