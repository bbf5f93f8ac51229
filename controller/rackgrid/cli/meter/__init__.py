"""`rackgrid meter`: read meters, watch them, calibrate and verify them.

`read`, `watch` and `verify` ask the running daemon, or, with `--profile`, the chips themselves
where no firmware runs; `calibrate` always needs the chips for itself.
"""

from __future__ import annotations

import argparse
import socket
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli.api import add_target

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

MEANING = "read, watch, calibrate and verify this node's meters"
BOARD = Path("/etc/rackgrid/board.toml")
FIRMWARE = "/run/rackgrid/firmware.sock"
AMPS_MAX = 1000.0
SAMPLES = 50
"""Of one point: 3.4 s in the energy profile."""


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("meter", help=MEANING)
    deeds: Verbs = parser.add_subparsers(metavar="DEED", required=True)
    _add_read(deeds)
    _add_watch(deeds)
    _add_calibrate(deeds)
    _add_verify(deeds)


def run_read(args: argparse.Namespace) -> int:
    """Read each meter once."""
    from rackgrid.cli.meter.show import read

    return read(args)


def run_watch(args: argparse.Namespace) -> int:
    """Write a line for each sample."""
    from rackgrid.cli.meter.show import watch

    return watch(args)


def run_calibrate(args: argparse.Namespace) -> int:
    """Calibrate a meter."""
    from rackgrid.cli.meter.calibrate import run

    return run(args)


def run_verify(args: argparse.Namespace) -> int:
    """Compare a meter with a reference."""
    from rackgrid.cli.meter.verify import run

    return run(args)


def _add_read(deeds: Verbs) -> None:
    read = deeds.add_parser("read", help="show what the meters say")
    read.add_argument("name", nargs="?", metavar="NAME", help="of one meter; all by default")
    read.add_argument("--json", action="store_true", help="write JSON")
    _add_source(read)
    read.set_defaults(run=run_read)


def _add_watch(deeds: Verbs) -> None:
    watch = deeds.add_parser("watch", help="write a line for each sample, until Ctrl-C")
    watch.add_argument("name", nargs="?", metavar="NAME", help="of one meter; all by default")
    watch.add_argument("--count", type=_whole, metavar="N", help="end after so many samples")
    watch.add_argument("--json", action="store_true", help="write a JSON object a line")
    _add_source(watch)
    watch.set_defaults(run=run_watch)


def _add_calibrate(deeds: Verbs) -> None:
    calibrate = deeds.add_parser(
        "calibrate", help="find gain and offset of a meter against a reference, and write them"
    )
    add = calibrate.add_argument
    add("name", metavar="NAME", help="of the meter")
    add("--profile", type=Path, default=BOARD, metavar="FILE", help=f"board profile; {BOARD}")
    add(
        "--point",
        type=_amps,
        action="append",
        required=True,
        metavar="A",
        dest="points",
        help="a current to set, A; two or more, such as half and all of what it measures",
    )
    add(
        "--reference-accuracy",
        required=True,
        metavar="ACC",
        help='of the reference, as its manual has it: "0.5%% + 2mA"',
    )
    add("--samples", type=_whole, default=SAMPLES, metavar="N", help=f"a point; {SAMPLES}")
    add("--script", action="store_true", help="ask a rig instead of a person: JSON lines")
    add("--yes", action="store_true", help="write without asking")
    add("--json", action="store_true", help="write the result as JSON")
    _add_plant(calibrate)
    calibrate.set_defaults(run=run_calibrate)


def _add_verify(deeds: Verbs) -> None:
    verify = deeds.add_parser("verify", help="compare a meter with a reference: PASS or FAIL")
    verify.add_argument("name", metavar="NAME", help="of the meter")
    verify.add_argument(
        "--reference",
        type=_said_amps,
        required=True,
        metavar="A",
        help="what the reference says, A; 0 with the load off",
    )
    verify.add_argument(
        "--reference-accuracy", metavar="ACC", help="of the reference; exact by default"
    )
    verify.add_argument("--samples", type=_whole, default=SAMPLES, metavar="N", help=f"{SAMPLES}")
    verify.add_argument("--json", action="store_true", help="write JSON")
    _add_source(verify)
    verify.set_defaults(run=run_verify)


def _add_source(parser: argparse.ArgumentParser) -> None:
    """Add what says where readings come from: a daemon, or the chips of a board."""
    add_target(parser)
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="board profile: read its chips where no firmware runs",
    )
    _add_plant(parser)


def _add_plant(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--firmware",
        default=FIRMWARE,
        metavar="SOCKET",
        help=f"where the firmware would serve that has these chips; {FIRMWARE}",
    )
    parser.add_argument("--plant", metavar="SOCKET", help="the mock world of a mock board")
    parser.add_argument(
        "--node", default=socket.gethostname(), metavar="NAME", help="this node's name there"
    )


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no count: 1 or more")
    return int(text)


def _amps(text: str) -> float:
    amps = _said_amps(text)
    if not amps:
        raise argparse.ArgumentTypeError(
            "0 is no current to set: the zero is measured first, by itself"
        )
    return amps


def _said_amps(text: str) -> float:
    try:
        amps = float(text)
    except ValueError:
        amps = inf
    if not abs(amps) <= AMPS_MAX:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no current: a number of amperes such as 0.5, at most {AMPS_MAX:g}"
        )
    return amps
