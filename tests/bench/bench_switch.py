"""Price to relay: from the broker's sending of a price to the last of five nodes' outputs on, ms.

Five real nodes in network namespaces on a bridge, one flexible load each, stagger off, power for
all. The tariff's file goes dear and cheap again; what is measured is the cheap price's way through
the network, the agents, the links, the firmwares and their (mock) pins: from just before the broker
handed it to its socket to the last change in the plant's truth. All ten processes and the plant
share this machine's cores. Needs root. With TMPDIR on a tmpfs, as /run is on a Pi, no disk is in
the way.

    python tests/bench/bench_switch.py [--trials 100]

To set beside it: bare asyncio UDP multicast to five subscribers on the same kind of machine takes
0.44 ms (p50) and 7.2 ms (p99).
"""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.figure import summary
from tests.bench.reaction import Reaction, Turn, reactions, turns
from tests.rack.lan import unavailable
from tests.rack.rig import Rig, RigNode, wait_until

NODES = 5
CHEAP, DEAR = 0.25, 0.90
WORTH = 0.50
"""Of a lamp."""


def set_tariff(rig: Rig, price: float) -> None:
    """Change the grid's price as a provider's file would."""
    fresh = rig.folder / "tariff.new"
    fresh.write_text(json.dumps({"price": price}))
    fresh.rename(rig.folder / "tariff.json")


def wait_for_lamps(rig: Rig, *, on: bool) -> None:
    """Wait until every lamp truly draws, or none does."""

    def followed() -> bool:
        truth = rig.control.draws()["nodes"]
        return all((truth[n.name]["loads"]["lamp"] > 0) is on for n in rig.nodes)

    wait_until(f"lamps {'on' if on else 'off'}", followed)


def told_since(rig: Rig, since_ns: int) -> list[Turn]:
    """What was asked of the lamps since then, by whoever was the broker."""
    return turns((x for node in rig.nodes for x in node.said("price_sent", since_ns)), WORTH)


def answered(rig: Rig, node: RigNode, said: Sequence[Turn], since_ns: int) -> list[Reaction]:
    """What a node's lamp did about it since then."""
    edges = [edge for edge in rig.edges(since_ns, [node]) if edge.load == "lamp"]
    return reactions(said, node.said("price", since_ns), edges, WORTH)


def without_pump(config: str) -> str:
    """Leave one flexible load to a node."""
    start = config.index('[[load]]\nname = "pump"')
    return config[:start] + config[config.index("[web]") :]


def trial(rig: Rig) -> float:
    """Let every flexible load go off by a dear price, and on again by a cheap one."""
    set_tariff(rig, DEAR)
    wait_for_lamps(rig, on=False)
    wait_until("the dear price", lambda: rig.nodes[0].state()["price"]["value"] == DEAR)
    select.select([], [], [], 0.7)
    start_ns = time.monotonic_ns()
    set_tariff(rig, CHEAP)
    wait_for_lamps(rig, on=True)

    def on() -> list[Reaction]:
        said = told_since(rig, start_ns)
        found = [one for node in rig.nodes for one in answered(rig, node, said, start_ns)]
        return [one for one in found if one.turn.on]

    wait_until("every node's word", lambda: len(on()) == NODES)
    return max(one.ms for one in on())


def main() -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    with Rig(NODES, capacity_w=60 * NODES, rack={}) as rig:
        set_tariff(rig, CHEAP)
        for node in rig.nodes:
            board = node.folder / "board.toml"
            board.write_text(board.read_text().replace("stagger_s = 0.05", "stagger_s = 0"))
            tariff = f'price = {CHEAP}\ntariff_file = "{rig.folder}/tariff.json"'
            config = without_pump(node.config.read_text())
            node.config.write_text(config.replace(f"price = {CHEAP}", tariff))
        rig.start()
        rig.wait_for_broker()
        times = [trial(rig) for _ in range(args.trials)]
    print(json.dumps({"nodes": NODES, "ms": summary(times)}))


if __name__ == "__main__":
    main()
