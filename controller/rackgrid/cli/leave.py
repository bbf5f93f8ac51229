"""`rackgrid leave`: take this node out of the rack on purpose.

The node brings its flexible loads down, makes its outputs safe, and tells the others, so that its
floor is free for them; a node that merely vanishes keeps its floor, since it may be drawing. What
it still draws after that (its electronics, its required loads) is on nobody's floor any more:
either it is unplugged, or the feed's `reserve_w` covers it.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import add_control, tell
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("leave", help="take this node out of the rack")
    add_control(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the daemon to leave."""
    tell(args, "/api/leave")
    say(
        "the node is leaving the rack: its flexible loads go off, then its floor is released.\n"
        "Required loads stay on: unplug them, or see that reserve_w in [feed] covers them"
    )
    return Exit.OK
