"""The `rackgrid` command.

A verb is a file of this package with `add(verbs)`, which describes its arguments and names what
runs them. Only the verb that was asked for is imported, and it imports what is heavy when it runs:
on a small Pi `rackgrid --help` answers at once. A new verb is a file and a line in `VERBS`.

Data goes to stdout and talk to stderr; `exit.Exit` lists how it ends.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from rackgrid import __version__
from rackgrid.cli.exit import Exit
from rackgrid.errors import ConfigError, RackgridError
from rackgrid_firmware.errors import DeviceError, ProfileError

VERBS = {
    "bundle": "put what a helper needs into one file, without secrets",
    "capacity": "say what the feed gives from now on",
    "config": "check a configuration, or show it with its defaults",
    "demo": "run a rack of mock nodes on this machine",
    "doctor": "look at this node, and say what is wrong with it",
    "expel": "put a node out that is not to be trusted any more",
    "forget": "release the floor of a node that is off for good",
    "handover": "let another node be the broker",
    "key": "make, list and rotate the group key",
    "leave": "take this node out of the rack",
    "ledger": "show, export or verify what loads drew and cost",
    "load": "clear a load's fault, lock it out, or unlock it",
    "meter": "read, watch, calibrate and verify this node's meters",
    "node": "change a node's rank or its largest floor",
    "recover": "form the roster anew when a majority is gone",
    "relays": "bring every output to its safe level when no firmware runs",
    "replay": "tell a recorded day, or check it line by line",
    "run": "run this node's daemon",
    "setup": "write a node's first files: a new rack, or --join one",
    "sim": "run simulated racks under faults and check the promises",
    "status": "show the rack as this node sees it",
    "tariff": "check a tariff file, and show its prices ahead",
    "token": "make a token for the API",
    "why": "say why a load is as it is, and what it was before",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments after the program's name; None takes the process's own.

    Returns:
        The exit code, an `Exit`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    verb = next((word for word in words if not word.startswith("-")), "")
    if verb and verb not in VERBS:
        return _unknown(verb)
    try:
        args = _parser(verb).parse_args(words)
    except SystemExit as end:  # argparse has said why
        return end.code if isinstance(end.code, int) else Exit.OK
    return _run(args)


def say(text: str) -> None:
    """Talk to the person in front of the terminal: on stderr, so that data stays clean."""
    print(text, file=sys.stderr)


def _run(args: argparse.Namespace) -> int:
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except (ConfigError, ProfileError) as error:
        say("\n".join(error.findings))
        return Exit.BAD_CONFIG
    except (RackgridError, DeviceError) as error:
        from rackgrid.cli.api import UnreachableError

        say(f"rackgrid: {error}")
        return Exit.UNREACHABLE if isinstance(error, UnreachableError) else Exit.FAILED
    except BrokenPipeError:
        # `rackgrid status | head -1`: nobody reads on. Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _parser(verb: str) -> argparse.ArgumentParser:
    """Build the parser: in full for the verb that was asked for, by name for the others."""
    parser = argparse.ArgumentParser(
        prog="rackgrid",
        description="Raspberry Pis that share one feed, by price, and never oversubscribe it.",
        epilog="exit: 0 ok, 1 failed, 2 usage, 69 daemon unreachable, 75 no broker yet, "
        "78 bad config",
    )
    parser.add_argument("--version", action="version", version=f"rackgrid {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, meaning in VERBS.items():
        if name == verb:
            import_module(f"rackgrid.cli.{name}").add(verbs)
        else:
            verbs.add_parser(name, help=meaning)
    return parser


def _unknown(verb: str) -> int:
    from rackgrid_firmware.key import complaint, meant

    allowed = ", ".join(VERBS)
    say(f"rackgrid: {complaint(f'no verb {verb[:40]!r}', '', allowed, meant(verb, VERBS))}")
    return Exit.USAGE
