"""`rackgrid sim --scenario NAME`: days in the life of a rack, at market level.

Twelve nodes with three loads each, a round a minute, the real market and the real settlement; no
network and no faults of one. It says what was drawn, what it cost, and what it would have cost.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.simulation.scenario.run import Run


def run(args: argparse.Namespace) -> int:
    """Play the scenario; fail if a required load went short or the feed was overdrawn."""
    from rackgrid.simulation.scenario import library, rack, result

    if not 1 <= args.days <= library.DAYS_MAX:
        say(f"rackgrid sim: --days is between 1 and {library.DAYS_MAX}, not {args.days}")
        return Exit.USAGE
    try:
        scenario = library.scenario(args.scenario)
    except ValueError as error:
        say(f"rackgrid sim: {error}")
        return Exit.USAGE
    played = rack.played(scenario, args.days, args.seed)
    found = result.figures(played) | {"seed": args.seed}
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print("\n".join(result.summary(found)))
    if args.picture is not None and not _is_drawn(played, Path(args.picture)):
        return Exit.FAILED
    broken = found["unserved_required_wh"] or found["over_capacity_rounds"]
    return Exit.FAILED if broken else Exit.OK


def _is_drawn(played: Run, path: Path) -> bool:
    """Draw the last day, or say why not."""
    from rackgrid.simulation.scenario import picture

    try:
        picture.drawn(played, played.days - 1, path)
    except ModuleNotFoundError:
        say("rackgrid sim: a picture needs matplotlib: pip install 'rackgrid[picture]'")
        return False
    except (OSError, ValueError) as error:
        say(f"rackgrid sim: {path} cannot be drawn: {error}")
        return False
    say(f"drawn: {path}")
    return True
