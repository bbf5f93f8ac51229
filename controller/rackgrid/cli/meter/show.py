"""What meters say, as a table, as lines, or as JSON; from a daemon or from the chips.

Both give the same record of a meter, that of `GET /api/state`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import Record, RefusedError, address, ask
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rich.text import Text

    from rackgrid_firmware.device import Reading
    from rackgrid_firmware.profile import MeterProfile

LOOK_S = 0.2
"""Between two looks at a daemon: its firmware tells it of readings so often."""
_WIDTH_PIPED = 140


def read(args: argparse.Namespace) -> int:
    """Show each meter once."""
    meters = of_daemon(args) if args.profile is None else _of_chips_once(args)
    if args.json:
        print(json.dumps([meter.fields for meter in meters], indent=2, ensure_ascii=False))
    else:
        _table(meters)
    return Exit.OK if meters else Exit.FAILED


def watch(args: argparse.Namespace) -> int:
    """Write a line for each sample, until enough or until Ctrl-C, which is its proper end."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_PIPED)
    with suppress(KeyboardInterrupt), _samples(args) as samples:
        for meter in islice(samples, args.count):
            if args.json:
                print(json.dumps(meter.fields, ensure_ascii=False), flush=True)
            else:
                console.print(line(meter, datetime.now().astimezone()))
    return Exit.OK


def line(meter: Record, now: datetime) -> Text:
    """Write a sample on a line; what may not be believed is coloured, where colours are."""
    from rich.text import Text

    quality = meter.text("quality")
    text = Text(f"{now:%H:%M:%S}.{now.microsecond // 100_000} {meter.text('name'):<16}")
    for key, unit, digits in (("volts", "V", 3), ("amps", "A", 4), ("watts", "W", 3)):
        text.append(f" {_number(meter, key, digits):>9} {unit}")
    doubt = _number(meter, "uncertainty_w", 3)
    text.append(f"  ± {doubt} W " if doubt != "?" else "  ± ?  ", style="dim")
    return text.append(quality, style="" if quality == "fresh" else "bold red")


def of_daemon(args: argparse.Namespace) -> list[Record]:
    """Ask the daemon for its meters, or for the one that is named.

    Raises:
        RefusedError: it has none of that name, or no firmware.
    """
    url = address(args)
    state = ask(f"{url}/api/state")
    meters = state.records("meters")
    if not meters and not state.flag("firmware"):
        raise RefusedError(f"{url}: the firmware does not answer the daemon: rackgrid status")
    found = [meter for meter in meters if args.name in (None, meter.text("name"))]
    if args.name is not None and not found:
        has = ", ".join(meter.text("name") for meter in meters) or "none"
        raise RefusedError(f"{url}: no meter {args.name!r}; it has: {has}")
    return found


def record(reading: Reading, meter: MeterProfile) -> Record:
    """Make of a chip's reading what a daemon would make of it."""
    from rackgrid.adapters.view_json import meter_state
    from rackgrid.core.picture import meter_view
    from rackgrid_firmware.accuracy import accuracy_of

    return Record(meter_state(meter_view(reading, accuracy_of(meter))))


@contextmanager
def _samples(args: argparse.Namespace) -> Generator[Iterable[Record]]:
    """Give samples one by one: of the daemon at its pace, of the chips at theirs."""
    if args.profile is None:
        yield _of_daemon_over_time(args)
        return
    from rackgrid.cli.meter.probe import probing
    from rackgrid_firmware.profile_file import load_profile

    profile = load_profile(args.profile)
    meters = _chosen(args, profile.meters)
    by_name = {meter.name: meter for meter in meters}
    with probing(args.profile, profile, meters, args.plant, args.node, args.firmware) as probe:
        yield (record(each, by_name[each.meter]) for batch in probe.stream() for each in batch)


def _of_daemon_over_time(args: argparse.Namespace) -> Iterator[Record]:
    from rackgrid.cli.patience import pass_time

    while True:
        began = time.monotonic()
        yield from of_daemon(args)
        pass_time(began + LOOK_S - time.monotonic())


def _of_chips_once(args: argparse.Namespace) -> list[Record]:
    from rackgrid.cli.meter.probe import probing
    from rackgrid_firmware.profile_file import load_profile

    profile = load_profile(args.profile)
    meters = _chosen(args, profile.meters)
    with probing(args.profile, profile, meters, args.plant, args.node, args.firmware) as probe:
        found, problems = probe.once(), probe.problems()
    for name, problem in problems.items():
        say(f"rackgrid: meter {name}: {problem}")
    return [record(found[meter.name], meter) for meter in meters if meter.name in found]


def _chosen(args: argparse.Namespace, meters: Sequence[MeterProfile]) -> list[MeterProfile]:
    from rackgrid_firmware.errors import DeviceFault

    chosen = [meter for meter in meters if args.name in (None, meter.name)]
    if not chosen:
        has = ", ".join(meter.name for meter in meters) or "none"
        raise DeviceFault(f"{args.profile}: no meter {args.name or 'at all'}; it has: {has}")
    return chosen


def _table(meters: Sequence[Record]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("meter", "V", "A", "W", "± W", "± %", "energy", "quality", "calibrated"):
        table.add_column(
            column, justify="left" if column in {"meter", "quality", "calibrated"} else "right"
        )
    for meter in meters:
        cells = (
            meter.text("name"),
            _number(meter, "volts", 3),
            _number(meter, "amps", 4),
            _number(meter, "watts", 3),
            _number(meter, "uncertainty_w", 3),
            _number(meter, "accuracy_percent", 1),
            f"{_number(meter, 'energy_j', 1)} J",
            meter.text("quality"),
            meter.text("calibrated") or "no",
        )
        table.add_row(*(Text(cell) for cell in cells))
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_PIPED).print(table)


def _number(meter: Record, key: str, digits: int) -> str:
    value = meter.number(key)
    return "?" if value is None else f"{value:.{digits}f}"
