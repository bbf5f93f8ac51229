"""Three Pis on one network form a rack: real units, real multicast, and a feed that is tight.

Three floors of 6.5 W leave 29 W: three lamps of 6 W and one pump of 8 W. A Pi that is gone keeps
its floor, and what its lamp leaves lets the others run two pumps: so a watt that were given twice
would be seen. What the Pis truly drew is added up from every edge of every line.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from tests.vpi.bench import Bench, wait_until
from tests.vpi.node import CONTROLLER, FIRMWARE, LAMP, SERVER, Node
from tests.vpi.plant import Edge
from tests.vpi.rack import (
    CHEAP,
    FLOOR_W,
    LAMP_W,
    LAMP_WORTH,
    PUMP_W,
    Moment,
    configure,
    moments,
    peak_w,
    set_tariff,
)

pytestmark = pytest.mark.vpi

CAPACITY_W = 3 * FLOOR_W + 29.0
SETTLED_W = 3 * FLOOR_W + 3 * LAMP_W + PUMP_W
LOST = -1
"""In place of a line: the Pi has lost its power."""
MARK = 40
"""A line that nothing is wired to; pulled, it puts a mark among the edges."""


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


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    with Bench(tmp_path_factory.mktemp("rack"), pis=3) as bench:
        bench.boot(1, 2, 3)
        rack = Rack(bench)
        rack.start()
        yield rack


@pytest.fixture
def settled(rack: Rack) -> Rack:
    """All three up, one broker, and every load that fits on."""
    for node in rack.nodes:
        if not node.pi.is_on:
            node.pi.power_on()
            node.pi.wait_for_boot()
    for node in rack.nodes:
        set_tariff(node, CHEAP)
    rack.broker(rack.nodes)
    rack.wait_for_loads(rack.nodes, lamps=3, pumps=1)
    return rack


def required_is_on(edges: list[Edge]) -> bool:
    """Whether a required load, once on, never went off."""
    return [edge.level for edge in edges] == [True]


def test_rack_serves_what_fits_and_never_more_than_the_feed_gives(settled: Rack) -> None:
    states = [node.pi.state() for node in settled.nodes]
    assert [state["feed"]["floors_w"] for state in states] == [3 * FLOOR_W] * 3
    assert SETTLED_W <= settled.peak_w() <= CAPACITY_W
    assert all(required_is_on(node.plant.edges(SERVER)) for node in settled.nodes)


def test_price_above_a_load_s_worth_switches_it_on_another_pi_than_the_broker_s(
    settled: Rack,
) -> None:
    broker = settled.broker(settled.nodes)
    member = next(node for node in settled.nodes if node is not broker)
    before = len(member.plant.edges(LAMP))
    for node in settled.nodes:
        set_tariff(node, LAMP_WORTH + 0.05)
    settled.wait_for_loads(settled.nodes, lamps=0, pumps=0)
    assert [edge.level for edge in member.plant.edges(LAMP)[before:]] == [False]
    for node in settled.nodes:
        set_tariff(node, LAMP_WORTH - 0.05)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=0)
    assert [edge.level for edge in member.plant.edges(LAMP)[before:]] == [False, True]
    assert all(required_is_on(node.plant.edges(SERVER)) for node in settled.nodes)


def test_controllers_that_are_restarted_one_by_one_switch_no_load(settled: Rack) -> None:
    # At a price that no pump pays, so that the feed is not short: only then may outputs run on.
    for node in settled.nodes:
        set_tariff(node, LAMP_WORTH - 0.05)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=0)
    before = settled.edge_count()
    for node in settled.nodes:
        node.pi.run(f"systemctl restart {CONTROLLER}")
        settled.broker(settled.nodes)
    settled.wait_for_rounds(6)
    assert settled.edge_count() == before


def test_wall_clock_that_jumps_by_a_year_at_the_broker_disturbs_nothing(settled: Rack) -> None:
    broker = settled.broker(settled.nodes)
    term, before = broker.pi.state()["term"], settled.edge_count()
    for jump_s in (31_536_000, -31_536_000):
        broker.pi.run(f"date -s @$(($(date +%s) + {jump_s}))")
        settled.wait_for_rounds(6)
    assert settled.broker(settled.nodes) is broker
    assert broker.pi.state()["term"] == term
    assert settled.edge_count() == before


def test_broker_s_cable_is_pulled_and_what_it_holds_ends_before_others_take_it(
    settled: Rack,
) -> None:
    broker = settled.broker(settled.nodes)
    others = [node for node in settled.nodes if node is not broker]
    settled.bench.unplug(broker.pi)
    settled.broker(others)
    settled.wait_for_loads(others, lamps=2, pumps=2)
    settled.wait_for_loads([broker], lamps=0, pumps=0)
    settled.bench.plug_in(broker.pi)
    settled.broker(settled.nodes)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=1)
    assert SETTLED_W <= settled.peak_w() <= CAPACITY_W
    assert all(required_is_on(node.plant.edges(SERVER)) for node in settled.nodes)


def test_broker_s_power_is_cut_another_leads_and_no_watt_is_given_twice(settled: Rack) -> None:
    broker = settled.broker(settled.nodes)
    term = broker.pi.state()["term"]
    survivors = [node for node in settled.nodes if node is not broker]
    settled.pull_plug(broker)
    new = settled.broker(survivors)
    assert new.pi.state()["term"] > term
    settled.wait_for_loads(survivors, lamps=2, pumps=2)  # what the dead lamp and pump leave
    assert settled.peak_w() <= CAPACITY_W
    broker.pi.power_on()
    broker.pi.wait_for_boot()
    settled.broker(settled.nodes)
    settled.wait_for_loads(settled.nodes, lamps=3, pumps=1)
    assert SETTLED_W <= settled.peak_w() <= CAPACITY_W
    assert all(node.plant.edges(SERVER)[-1].level for node in settled.nodes)
