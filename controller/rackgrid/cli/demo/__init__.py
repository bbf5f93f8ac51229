"""`rackgrid demo`: a whole rack on this machine, as real processes, and what happens to it.

Each node is a controller and a firmware of its own, over one plant that stands for the copper;
they meet by real multicast on the loopback interface. A script brings weather, tariffs and
failures. In a terminal the rack is shown live; with `--json` a program can drive it; otherwise
events are printed as lines.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

NODES_MAX = 12


def _nodes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= NODES_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1 to {NODES_MAX}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 0 (no end) or more")
    return seconds


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("demo", help="run a rack of mock nodes on this machine")
    parser.add_argument("--nodes", type=_nodes, default=5, help=f"how many, 1 to {NODES_MAX}")
    parser.add_argument("--seconds", type=_seconds, default=0.0, help="end after so long; 0: never")
    parser.add_argument("--script", type=Path, help="what happens when (TOML); see the default one")
    parser.add_argument("--seed", type=int, default=1, help="of the mock world's noise")
    parser.add_argument("--json", action="store_true", help="nodes first, then an event per line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the rack until Ctrl-C, SIGTERM, a closed terminal, or the end of its time."""
    from rackgrid.cli.demo.rack import DemoRack
    from rackgrid.cli.demo.script import default_script, load_script
    from rackgrid.cli.demo.stage import Stage

    events = load_script(args.script) if args.script else default_script(args.nodes)
    # Until the stage takes the signals over, each unwinds the rack that is being made.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with DemoRack(args.nodes, args.seed) as rack:
            return Stage(rack, events, args.seconds, _audience(args)).run()
    except KeyboardInterrupt:
        return Exit.OK


def _audience(args: argparse.Namespace) -> str:
    if args.json:
        return "json"
    return "screen" if sys.stdout.isatty() else "lines"
