"""Virtual Pis that form a rack, and what their lines truly did."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from tests.vpi.bench import Bench, Pi, wait_until
from tests.vpi.node import CONTROLLER, FIRMWARE, LAMP, PUMP, SERVER, Node
from tests.vpi.plant import Edge

BASE_W, SERVER_W, LAMP_W, PUMP_W = 2.5, 4.0, 6.0, 8.0
FLOOR_W = BASE_W + SERVER_W
LAMP_WORTH, PUMP_WORTH = 0.50, 0.40
CHEAP = 0.25
CAPACITY_W = 3 * FLOOR_W + 29.0
SETTLED_W = 3 * FLOOR_W + 3 * LAMP_W + PUMP_W
LOST = -1
"""In place of a line: the Pi has lost its power."""
MARK = 40
"""A line that nothing is wired to; pulled, it puts a mark among the edges."""
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


class Rack:
    """The three nodes, and the story of their lines so far."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.nodes = [Node(pi) for pi in bench.pis]
        self._past: list[Moment] = []

    def start(self) -> None:
        """Install them, and let systemd start both units now and at each boot."""
        key = secrets.token_hex(32)
        for node in self.nodes:
            node.install()
            configure(node, expect=3, capacity_w=CAPACITY_W, key=key)
        for node in self.nodes:
            node.pi.run(f"systemctl enable -q --now {FIRMWARE} {CONTROLLER}")

    def pull_plug(self, node: Node) -> None:
        """Let a Pi lose its power, and book when, not too early: by a survivor's mark."""
        self._past += moments(node.pi, node.plant.edges())
        node.pi.cut()
        witness = next(each for each in self.nodes if each.pi.is_on)
        witness.plant.pull(MARK, "up")
        witness.plant.pull(MARK, "down")
        mark = witness.plant.edges(MARK)[-1]
        self._past.append(Moment(mark.tick, node.pi.number, LOST, level=False))

    def peak_w(self) -> float:
        """The most that all of them ever drew together."""
        living = [node for node in self.nodes if node.pi.is_on]
        now = [m for node in living for m in moments(node.pi, node.plant.edges())]
        return peak_w([*self._past, *now], (node.pi.number for node in self.nodes))

    def broker(self, among: list[Node]) -> Node:
        """Wait until these nodes follow one broker among them at a known price; return it."""

        def agreed() -> Node | None:
            states = [node.pi.state() for node in among]
            if not all(state and state["price"]["value"] is not None for state in states):
                return None
            if len({(state["broker"], state["term"]) for state in states}) != 1:
                return None
            return next((n for n in among if n.pi.name == states[0]["broker"]), None)

        found = wait_until("one broker, one price", agreed)
        assert found is not None
        return found

    def edge_count(self) -> int:
        """How many edges all lines of all Pis have had."""
        return sum(len(node.plant.edges()) for node in self.nodes)

    def wait_for_rounds(self, count: int) -> None:
        """Wait until so many more rounds were cleared, and everybody knows the last."""
        now = {n.pi.name: n.pi.state()["price"] for n in self.nodes}
        term = max(price["term"] for price in now.values())
        last = max(price["round"] for price in now.values() if price["term"] == term)

        def passed() -> bool:
            prices = [node.pi.state()["price"] for node in self.nodes]
            return all((x["term"], x["round"]) >= (term, last + count) for x in prices)

        wait_until(f"{count} rounds", passed)

    def wait_for_loads(self, among: list[Node], lamps: int, pumps: int) -> None:
        """Wait until so many lamps and pumps truly have power."""

        def so_many() -> bool:
            on = [node.on() for node in among]
            return (
                sum(each["lamp"] for each in on) == lamps
                and sum(each["pump"] for each in on) == pumps
            )

        wait_until(f"{lamps} lamps and {pumps} pumps are on", so_many)
