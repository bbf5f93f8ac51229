"""Virtual Pis that form a rack, and what their lines truly did."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from tests.vpi.bench import Pi
from tests.vpi.node import LAMP, PUMP, SERVER, Node
from tests.vpi.plant import Edge

BASE_W, SERVER_W, LAMP_W, PUMP_W = 2.5, 4.0, 6.0, 8.0
FLOOR_W = BASE_W + SERVER_W
LAMP_WORTH, PUMP_WORTH = 0.50, 0.40
CHEAP = 0.25
KEY = "/etc/rackgrid/rack.key"
TARIFF = "/etc/rackgrid/tariff.json"

CONFIG = """\
[rack]
name = "vpi"
interface = "eth0"
expect = {expect}
preempt = false

[feed]
capacity_w = {capacity_w}

[node]
name = "{name}"
priority = {priority}
board = "board.toml"

[[source]]
name = "grid"
price = {price}
tariff_file = "{tariff}"

[[load]]
name = "server"
kind = "required"

[[load]]
name = "lamp"
kind = "flexible"
worth = {lamp_worth}

[[load]]
name = "pump"
kind = "flexible"
worth = {pump_worth}

[web]
host = "{host}"
"""


def configure(
    node: Node, *, expect: int, capacity_w: float = 100.0, key: str | None = None
) -> None:
    """Make a Pi with a board a node of a rack, as systemd/README.md has it.

    Args:
        node: its priority is the Pi's number.
        expect: how many nodes the rack has.
        capacity_w: of the feed, W.
        key: of the rack, in hex; None for a new one.
    """
    pi = node.pi
    pi.run("systemctl disable -q rackgrid; rm -rf /var/lib/rackgrid /run/rackgrid/*")
    pi.write(
        "/etc/rackgrid/rackgrid.toml",
        CONFIG.format(
            expect=expect,
            capacity_w=capacity_w,
            name=pi.name,
            priority=pi.number,
            price=CHEAP,
            tariff=TARIFF,
            lamp_worth=LAMP_WORTH,
            pump_worth=PUMP_WORTH,
            host=pi.bench_address,
        ),
    )
    pi.write(KEY, key or secrets.token_hex(32))
    pi.run(f"chown rackgrid {KEY}; chmod 600 {KEY}")
    set_tariff(node, CHEAP)


def set_tariff(node: Node, price: float) -> None:
    """Let the grid ask so much from now on, per kWh."""
    node.pi.write(f"{TARIFF}.new", f'{{"price": {price}}}')
    node.pi.run(f"mv {TARIFF}.new {TARIFF}")


@dataclass(frozen=True, slots=True)
class Moment:
    """A line changed at a Pi, or (line -1) the Pi lost its power."""

    tick: int
    pi: int
    line: int
    level: bool


def moments(pi: Pi, edges: Iterable[Edge]) -> list[Moment]:
    """What the lines of one Pi did from one power-on to now."""
    return [Moment(edge.tick, pi.number, edge.line, edge.level) for edge in edges]


def watts(on: dict[int, bool]) -> float:
    """What a Pi with these levels of its lines truly draws."""
    return (
        BASE_W
        + SERVER_W * on.get(SERVER, False)
        + LAMP_W * on.get(LAMP, False)
        + PUMP_W * (not on.get(PUMP, True))
    )


def peak_w(history: Iterable[Moment], pis: Iterable[int]) -> float:
    """Find the most that all Pis ever drew together.

    Args:
        history: of all Pis, from before their boards were plugged in.
        pis: their numbers; each draws its base from the beginning.
    """
    levels: dict[int, dict[int, bool]] = {pi: {} for pi in pis}
    peak = 0.0
    for moment in sorted(history, key=lambda each: each.tick):
        if moment.line < 0:
            levels[moment.pi] = {}
        else:
            levels[moment.pi][moment.line] = moment.level
        peak = max(peak, sum(watts(each) for each in levels.values()))
    return peak
