"""`rackgrid token`: the token that lets somebody change something over HTTP.

Made readable by its owner alone and never overwritten; the token itself is never printed.
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
    parser = verbs.add_parser("token", help="make a token for the API")
    deeds = parser.add_subparsers(metavar="DEED", required=True)
    new = deeds.add_parser("new", help="make a token, and write it into a new file")
    new.add_argument("file", type=Path, help="where to write it; must not exist yet")
    new.set_defaults(run=run_new)


def run_new(args: argparse.Namespace) -> int:
    """Make a token."""
    from rackgrid.adapters.web.token import new_token

    path: Path = args.file
    try:
        new_token(path)
    except FileExistsError:
        say(f"{path} exists; to change the token, move it away, make another, restart the daemon")
        return Exit.FAILED
    except OSError as error:
        say(f"{path}: {error.strerror or error}; choose a folder where this user may write")
        return Exit.FAILED
    say(
        f"{path}: a new token. Give it to the user that runs rackgrid (chown), name it in "
        "rackgrid.toml ([web] token_file), and restart the daemon: every change needs it then"
    )
    return Exit.OK
