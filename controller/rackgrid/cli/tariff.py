"""`rackgrid tariff FILE`: read a tariff file as the daemon would, and show the prices ahead."""

from __future__ import annotations

import argparse
import json
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs
    from rackgrid.market.tariff import Interval

HOURS_MAX = 24 * 14


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("tariff", help="check a tariff file, and show its prices ahead")
    parser.add_argument("file", metavar="FILE", type=Path, help="JSON or CSV")
    parser.add_argument("--hours", type=int, default=24, help="how far to look (24)")
    parser.add_argument("--json", action="store_true", help="write [{start, end, value}]")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show what the file says from now on."""
    from rackgrid.adapters.sources import read_tariff
    from rackgrid.adapters.tariff_http import written
    from rackgrid.market.tariff import SECOND_NS, Slots, ahead

    if not 1 <= args.hours <= HOURS_MAX:
        say(f"--hours is between 1 and {HOURS_MAX}, not {args.hours}")
        return Exit.USAGE
    try:
        prices = read_tariff(args.file).prices
    except (OSError, ValueError, RecursionError) as fault:
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else fault
        say(f"{args.file}: {why}")
        return Exit.BAD_CONFIG
    now_ns = time.time_ns() // SECOND_NS * SECOND_NS
    known = ahead(prices, now_ns, now_ns + args.hours * 3600 * SECOND_NS)
    if args.json:
        print(json.dumps(json.loads(written(Slots(known)))))
        return Exit.OK
    for line in _lines(known):
        print(line)
    if not known:
        say(f"the file says nothing of the next {args.hours} h: the configured price would hold")
    return Exit.OK


def _lines(known: tuple[Interval, ...]) -> list[str]:
    """Write a line for each price, by this machine's clock, and say where nothing is known."""
    from rackgrid.config_units import UC

    lines: list[str] = []
    last_ns = known[0].start_ns if known else 0
    for each in known:
        if each.start_ns > last_ns:
            lines.append(f"{_clock(last_ns)} to {_clock(each.start_ns)}   not known")
        lines.append(f"{_clock(each.start_ns)} to {_clock(each.end_ns)}   {each.price_uc / UC:.4f}")
        last_ns = each.end_ns
    return lines


def _clock(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // 1_000_000_000).astimezone().strftime("%a %d %H:%M %Z")
