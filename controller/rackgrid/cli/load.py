"""`rackgrid load clear|lock|unlock LOAD`: what only a person may decide about a load of this node.

What tripped, or whose contact failed, stays off until somebody has looked at it: `clear` says that
one has. `lock` keeps a load off whatever the price, over restarts and power cuts, until `unlock`.
The firmware decides for what is on its pins, the daemon for units and plugs; a fault that still
stands is back with the meter's next samples. What is out of reach is locked out all the same, and
switched off once it answers; until then nobody has seen that it is off, and the answer says so.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from rackgrid.cli import say
from rackgrid.cli.api import Record, add_control, address, ask, tell
from rackgrid.cli.exit import Exit
from rackgrid.cli.patience import wait_until

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

PATIENCE_S = 5.0
"""It is decided at once, and the node hears of it with the next telemetry."""
DEEDS = {
    "clear": "forget a trip or a contact's fault, once somebody has looked at it",
    "lock": "keep a load off, whatever the price, until it is unlocked",
    "unlock": "let a load be used again",
}


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("load", help="clear a load's fault, lock it out, or unlock it")
    deeds = parser.add_subparsers(metavar="DEED", required=True, dest="deed")
    for name, meaning in DEEDS.items():
        deed = deeds.add_parser(name, help=meaning)
        deed.add_argument("load", metavar="LOAD", help="a load of the node that is asked")
        deed.add_argument("--json", action="store_true", help="write JSON")
        add_control(deed)
        deed.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the daemon, and wait until the node shows what came of it."""
    from rackgrid.core.board import LOCKED

    url, load, deed = address(args), str(args.load), str(args.deed)
    before = _fault(ask(f"{url}/api/state"), load)
    tell(args, f"/api/loads/{quote(load, safe='')}/{deed}")

    def is_done(state: Record) -> bool:
        now = _fault(state, load)
        if deed == "clear":
            return not now or now.startswith(LOCKED) or now != before
        return now.startswith(LOCKED) == (deed == "lock")

    state, done = wait_until(url, is_done, PATIENCE_S)
    fault = _fault(state, load)
    if args.json:
        print(json.dumps({"load": load, deed: done, "fault": fault or None}))
    if not done:
        say(
            f"rackgrid: {load}: no {deed} within {PATIENCE_S:g} s"
            + (f", it is still {fault}" if fault else "")
            + "; the log says why (journalctl -u rackgrid -u rackgrid-firmware)"
        )
        return Exit.FAILED
    say(f"{load}: {deed} is done" + _standing(fault))
    return Exit.OK


def _standing(fault: str) -> str:
    """Say how a load stands that something bars; nothing of one that may be used."""
    from rackgrid_firmware.device import UNAVAILABLE

    if fault.endswith(UNAVAILABLE):
        return f"; it is {fault}: nobody has seen that it is off, so pull its plug"
    return f"; it is off: {fault}" if fault else ""


def _fault(state: Record, load: str) -> str:
    """What bars a load of the node that is asked, or "" if nothing does."""
    node = state.record("node").text("name")
    found = [each for each in state.records("loads") if each.text("name") == load]
    return next((each.text("fault") for each in found if each.text("node") == node), "")
