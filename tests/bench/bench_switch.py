"""Price to relay: from the broker's sending of a price to the last of five nodes' outputs on, ms.

Five real nodes in network namespaces on a bridge, one flexible load each, stagger off, power for
all. The tariff's file goes dear and cheap again; what is measured is the cheap price's way through
the network, the agents, the links, the firmwares and their (mock) pins: from the broker's sending
to the last change in the plant's truth. All ten processes and the plant share this machine's cores.
Needs root. With TMPDIR on a tmpfs, as /run is on a Pi, no disk is in the way.

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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.figure import summary
from tests.rack.lan import unavailable
from tests.rack.rig import Rig, wait_until

NODES = 5
CHEAP, DEAR = 0.25, 0.90


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


def sent_ns(rig: Rig, since_ns: int) -> list[int]:
    """When the cheap price was sent, by whoever was the broker."""
    said = [line for node in rig.nodes for line in node.said("price_sent", since_ns)]
    return [int(line["t_ns"]) for line in said if line["value"] == CHEAP]


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
    wait_until("the broker's word", lambda: sent_ns(rig, start_ns))
    on = [e for e in rig.edges(start_ns, rig.nodes) if e.load == "lamp" and e.on]
    assert len(on) == NODES, f"{len(on)} outputs went on"
    return (max(edge.t_ns for edge in on) - min(sent_ns(rig, start_ns))) / 1e6


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
