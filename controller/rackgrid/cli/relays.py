"""`rackgrid relays safe`: bring every output to its safe level when no firmware runs.

It needs no configuration and no daemon: it is the firmware's own helper (`rackgrid_firmware.safe`),
which systemd runs after each end of the firmware, and its words go there as they are.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

MEANING = "bring every output to its safe level when no firmware runs"


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("relays", help=MEANING)
    deeds = parser.add_subparsers(metavar="DEED", required=True)
    safe = deeds.add_parser("safe", help=MEANING)
    safe.add_argument("profile", nargs="?", metavar="PROFILE", help="the board profile")
    safe.add_argument("--table", metavar="FILE", help="what the last firmware left")
    safe.add_argument("--state", metavar="DIR", help="where it keeps lockouts")
    safe.add_argument("--plant", metavar="SOCKET", help="the mock world of a mock board")
    safe.add_argument("--node", metavar="NAME", help="this node's name there")
    safe.set_defaults(run=run_safe)


def run_safe(args: argparse.Namespace) -> int:
    """Make the outputs safe."""
    from rackgrid_firmware import safe

    words = [args.profile] if args.profile is not None else []
    for name in ("table", "state", "plant", "node"):
        value = getattr(args, name)
        words += [f"--{name}", value] if value is not None else []
    return safe.main(words)
