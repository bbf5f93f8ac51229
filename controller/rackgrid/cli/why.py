"""`rackgrid why LOAD`: why a load is as it is, since when, by what inputs, and what was before."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from rackgrid.cli import say
from rackgrid.cli.api import Record, add_target, address, ask
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

CHANGES = 5
CHANGES_MAX = 50
"""As many as a node remembers of each load."""
UC = 1e6


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("why", help="say why a load is as it is, and what it was before")
    parser.add_argument("load", metavar="LOAD", help="the name of a load")
    parser.add_argument(
        "--last", metavar="N", type=count, default=CHANGES, help=f"changes shown; else {CHANGES}"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_target(parser)
    parser.set_defaults(run=run)


def count(text: str) -> int:
    """Read a number of changes.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdigit() and int(text) <= CHANGES_MAX):
        raise argparse.ArgumentTypeError(f"not a number from 0 to {CHANGES_MAX}: {text[:40]!r}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Ask the daemon, and say it."""
    load = quote(str(args.load), safe="")
    why = ask(f"{address(args)}/api/why/{load}?last={args.last}")
    if args.json:
        print(json.dumps(why.fields, indent=2, ensure_ascii=False))
        return Exit.OK
    print("\n".join(lines(why)))
    if why.flag("elsewhere"):
        say(f"that is what {why.text('node')} says of it: ask there for its inputs and changes")
    return Exit.OK


def lines(why: Record) -> list[str]:
    """Say it in words."""
    state = "on" if why.flag("on") else "off"
    head = f"{why.text('load')} ({why.text('node')}) is {state}{_since(why, 'since')}"
    told = [head, f"  {why.text('reason')}{_since(why, 'reason_since')}"]
    if fault := why.text("fault"):
        told.append(f"  fault: {fault}")
    if (share := why.number("share")) is not None:
        told.append(
            f"  its node takes {share:.2f} times what it is granted: its bids count so much"
        )
    if why.flag("elsewhere"):
        return told
    told += [f"  {each}" for each in _inputs(why)]
    told += [f"  {each}" for each in _prospect(why)]
    changes = why.records("changes")
    told.append("last changes:" if changes else "nothing has changed since the node's start")
    told += [f"  {_change(change)}" for change in changes]
    return told


def _since(why: Record, key: str) -> str:
    """Say since when, as far as it is known."""
    age_s = why.number(f"{key}_s")
    if age_s is None:
        return ""
    date = why.text(key)
    return f" since {date} ({_span(age_s)} ago)" if date else f", {_span(age_s)} ago"


def _inputs(why: Record) -> list[str]:
    """Put the numbers that it rests on into lines."""
    currency = why.text("currency")
    price = f"price {_money(why.number('price_uc'))} {currency}/kWh"
    if why.number("price_uc") is not None:
        broker = why.text("broker_name") or why.text("broker")
        price += f", of term {why.number('term'):g}, round {why.number('round'):g} by {broker}"
    told = [price, f"worth {_money(why.number('worth_uc'), 'none: required')}{_raised(why)}"]
    told.append(_grant(why))
    guard_s = (why.number("guard_ms") or 0) / 1000
    if guard_s:
        bound = "minimum on-time" if why.flag("on") else "minimum off-time"
        told.append(f"{_span(guard_s)} left of its {bound}")
    metered_mw = why.number("metered_mw")
    told.append("not metered by itself" if metered_mw is None else f"draws {_watts(metered_mw)}")
    if learned_mw := why.number("learned_mw"):
        plate = _watts(why.number("nominal_mw") or 0)
        told.append(f"nameplate {plate}, and it took {_watts(learned_mw)}: it counts with that")
    return told


def _raised(why: Record) -> str:
    """Say what it bids, if that is not its worth."""
    bid_uc = why.number("bid_uc")
    if bid_uc is None or bid_uc == why.number("worth_uc"):
        return ""
    return f", bids {_money(bid_uc)} while it must run"


def _grant(why: Record) -> str:
    if why.fields.get("grant") is None:
        return "no grant"
    grant = why.record("grant")
    serves = "" if grant.flag("serves") else ", not for this load"
    lasts = _span((grant.number("ms") or 0) / 1000)
    needs_mw = why.number("needs_mw")
    needs = f"; {_watts(needs_mw)} are needed for a start" if needs_mw else ""
    return f"grant {_watts(grant.number('mw') or 0)} for {lasts} more{serves}{needs}"


def _prospect(why: Record) -> list[str]:
    """Say what a load with a deadline has ahead of it, and what that rests on."""
    if why.fields.get("prospect") is None:
        return []
    ahead = why.record("prospect")
    slack_s = ahead.number("slack_s") or 0
    waits = f"can wait for {_span(slack_s)}" if slack_s > 0 else "cannot wait any more"
    left = f"needs {ahead.number('left_wh') or 0:.1f} Wh more by {ahead.text('by')}: {waits}"
    grounds = (("tariff", "the tariff"), ("yesterday", "how the feed stood yesterday"))
    rests = " and ".join(words for key, words in grounds if ahead.flag(key))
    told = [left, f"plans by {rests or 'the time that is left: no price ahead is known'}"]
    if taken_s := ahead.number("taken_s"):
        told.append(f"does not count on {_span(taken_s)} of it: yesterday others left no room then")
    if (cheapest := _cheapest(ahead)) is not None:
        price_uc, start = cheapest.number("price_uc"), cheapest.text("start")
        told.append(f"cheapest ahead: {_money(price_uc)} from {start} to {cheapest.text('end')}")
    return told


def _cheapest(ahead: Record) -> Record | None:
    slots = ahead.records("ahead")
    return min(slots, key=lambda slot: slot.number("price_uc") or 0, default=None)


def _change(change: Record) -> str:
    """Say a change in a line."""
    at = change.text("time") or f"t={(change.number('t_ns') or 0) / 1e9:.3f} s"
    before, after = change.flag("from"), change.flag("to")
    state = "on" if after else "off"
    switched = f"{'on' if before else 'off'} -> {state}" if before != after else f"still {state}"
    return f"{at}  {switched:9}  {change.text('reason')}"


def _money(price_uc: float | None, none: str = "unknown") -> str:
    return none if price_uc is None else f"{price_uc / UC:.3f}"


def _watts(power_mw: float) -> str:
    return f"{power_mw / 1000:.1f} W"


def _span(span_s: float) -> str:
    """Say a span as people do."""
    if span_s < 120:
        return f"{span_s:.1f} s"
    if span_s < 7200:
        return f"{span_s / 60:.0f} min"
    return f"{span_s / 3600:.1f} h"
