"""`rackgrid key`: the group key, which makes a rack a rack.

Who has the file may elect itself, set prices and switch loads, so it is made readable by its owner
alone and never overwritten; the key itself is never printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("key", help="make a group key")
    deeds = parser.add_subparsers(metavar="DEED", required=True)
    new = deeds.add_parser("new", help="make a group key, and write it into a new file")
    new.add_argument("file", type=Path, help="where to write it; must not exist yet")
    new.set_defaults(run=run_new)


def run_new(args: argparse.Namespace) -> int:
    """Make a group key."""
    from rackgrid.adapters.keys import new_group_key

    path: Path = args.file
    try:
        new_group_key(path)
    except FileExistsError:
        say(
            f"{path} exists, and a key is not overwritten: every node of the rack would lose the "
            "others. Take another name, or move the old file away"
        )
        return Exit.FAILED
    except OSError as error:
        say(f"{path}: {error.strerror or error}; choose a folder where this user may write")
        return Exit.FAILED
    say(f"{path}: a new group key; copy it to every node of the rack, and to nobody else")
    return Exit.OK
