"""`rackgrid status`: the rack as one node sees it.

Ends with 69 if the daemon does not answer and with 75 if the rack has no broker yet, so that a
script can wait for a rack to form.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import Record, add_target, address, ask
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rich.table import Table

    from rackgrid.cli.verb import Verbs

_WIDTH_PIPED = 140
"""Where there is no terminal to ask, columns."""


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("status", help="show the rack as this node sees it")
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the rack."""
    state = ask(f"{address(args)}/api/state")
    if args.json:
        print(json.dumps(state.fields, indent=2, ensure_ascii=False))
    else:
        show(state)
    if state.text("broker") or state.text("broker_id"):
        return Exit.OK
    say("no broker yet: floors only, and the price is unknown")
    return Exit.NO_BROKER


def show(state: Record) -> None:
    """Print the rack for a person; rich leaves the colours out where NO_COLOR says so."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_PIPED)
    for line in summary(state):
        console.print(line, markup=False)
    for table in (_nodes(state), _loads(state), _sources(state)):
        if table.row_count:
            console.print(table)


def summary(state: Record) -> list[str]:
    """Say in four lines where the rack stands, and first if this node's own supply fails."""
    node, price, feed = state.record("node"), state.record("price"), state.record("feed")
    broker = state.text("broker") or state.text("broker_id") or "none"
    value = price.number("value")
    currency = price.text("currency")
    cost = "unknown" if value is None else f"{value:.3f} {currency}/kWh"
    scarce = ", scarce" if price.flag("scarce") else ""
    return [
        *_supply(state),
        f"rack {state.text('rack')}, seen from {node.text('name')} ({state.text('role')})",
        f"broker {broker}, term {_count(state.number('term'))}{_votes_heard(state)}",
        f"price {cost}{scarce}, round {_count(price.number('round'))}",
        f"feed {_watts(feed.number('drawn_w'))} drawn, {_watts(feed.number('granted_w'))} granted "
        f"and {_watts(feed.number('floors_w'))} of floors, of {_watts(feed.number('capacity_w'))}",
    ]


def _supply(state: Record) -> list[str]:
    """Say what ails this node's own Pi now; nothing while it is well, or does not say."""
    supply = state.record("supply")
    said = ["under-supplied (below 4.63 V)"] if supply.flag("under_voltage") else []
    said += ["throttled"] if supply.flag("throttled") else []
    name = state.record("node").text("name")
    return [f"WARNING: {name} is {' and '.join(said)}: rackgrid doctor"] if said else []


def _votes_heard(state: Record) -> str:
    """Say how many of the roster's votes are there; nothing while there is no roster."""
    roster = state.records("roster")
    votes = sum(line.number("votes") or 0 for line in roster)
    heard = sum(line.number("votes") or 0 for line in roster if not line.flag("absent"))
    return f", {heard:g} of {votes:g} votes heard" if roster else ""


def _nodes(state: Record) -> Table:
    """Make a row of each node that is heard, then of each that should be."""
    table = _table("node", "role", "votes", "priority", "draw", "floor", "heard")
    votes = {line.text("id"): line.number("votes") for line in state.records("roster")}
    expelled = {line.text("id") for line in state.records("roster") if line.flag("expelled")}
    for member in state.records("members"):
        heard_ms = member.number("heard_ms")
        who = member.text("id")
        _row(
            table,
            member.text("name") or who,
            "expelled" if who in expelled else member.text("role"),
            _count(votes[who]) if who in votes else "",
            _count(member.number("priority")),
            _drawn(member),
            _watts(member.number("floor_w")),
            "?" if heard_ms is None else f"{heard_ms / 1000:.1f} s ago",
        )
    for line in state.records("roster"):
        if line.flag("absent"):
            _row(
                table,
                line.text("name") or line.text("id"),
                "expelled" if line.flag("expelled") else "absent",
                _count(line.number("votes")),
                _count(line.number("priority")),
                _watts(None),
                _watts(line.number("floor_w")),
                "no",
            )
    return table


def _drawn(member: Record) -> str:
    """Say what a node draws, and how much of it nobody has allowed."""
    excess_w, draw = member.number("excess_w"), _watts(member.number("draw_w"))
    said = [f"{excess_w:.1f} W too much"] if excess_w else []
    if member.flag("flagged"):
        said.append(f"takes {member.number('share') or 1:.2f} times its grants")
    return f"{draw} ({', '.join(said)})" if said else draw


def _state(load: Record) -> str:
    level = load.number("level")
    if not load.flag("on"):
        return "off"
    return "on" if level is None else f"on at {level:.0%}"


def _remarks(load: Record) -> str:
    """Say what somebody should look at: a fault, a notice, a worn contact."""
    from rackgrid.core.view import WORN_PERCENT

    fault, notice = load.text("fault"), load.text("notice")
    life_percent = load.number("life_percent") or 0.0
    said = [f"fault: {fault}"] if fault else []
    said += [f"note: {notice}"] if notice else []
    if life_percent > WORN_PERCENT:
        said.append(f"note: its contact has {life_percent:.0f} % of its life behind it")
    return f" ({'; '.join(said)})" if said else ""


def _loads(state: Record) -> Table:
    table = _table("load", "node", "kind", "state", "draw", "worth", "why")
    for load in state.records("loads"):
        worth = load.number("worth")
        _row(
            table,
            load.text("name"),
            load.text("node"),
            load.text("kind"),
            _state(load),
            _watts(load.number("watts")),
            "" if worth is None else f"{worth:.3f}",
            load.text("reason") + _remarks(load),
        )
    return table


def _sources(state: Record) -> Table:
    table = _table("source", "node", "offers", "price", "charge")
    for source in state.records("sources"):
        price, charge = source.number("price"), source.number("charge")
        _row(
            table,
            source.text("name"),
            source.text("node"),
            _watts(source.number("power_w")),
            "?" if price is None else f"{price:.3f}",
            "" if charge is None else f"{charge:.0%}",
        )
    return table


def _table(*columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column in {
            "votes",
            "priority",
            "draw",
            "floor",
            "worth",
            "heard",
            "offers",
            "price",
            "charge",
        }
        table.add_column(column, justify="right" if right else "left")
    return table


def _row(table: Table, *cells: str) -> None:
    """Add a row of plain texts: what a node is called is not markup."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells))


def _watts(power_w: float | None) -> str:
    return "?" if power_w is None else f"{power_w:.1f} W"


def _count(number: float | None) -> str:
    return "?" if number is None else f"{number:g}"
