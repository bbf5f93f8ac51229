"""Price to relay: from the broker's sending of a price to the last of five nodes' outputs on, ms.

Five real nodes in network namespaces on a bridge, stagger off, power for all. The tariff's file
goes dear and cheap again; what is measured is the cheap price's way through the network, the
agents, the links, the firmwares and their (mock) pins, from the broker's trace to the plant's
truth. Needs root.

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
from tests.rack.rig import FLEXIBLE, Rig, wait_until

NODES = 5
CHEAP, DEAR = 0.25, 0.90


def set_tariff(rig: Rig, price: float) -> None:
    """Change the grid's price as a provider's file would."""
    fresh = rig.folder / "tariff.new"
    fresh.write_text(json.dumps({"price": price}))
    fresh.rename(rig.folder / "tariff.json")


def trial(rig: Rig) -> float:
    """Let every flexible load go off by a dear price, and on again by a cheap one."""
    set_tariff(rig, DEAR)
    rig.wait_for_loads(on=False)
    wait_until("the dear price", lambda: rig.nodes[0].state()["price"]["value"] == DEAR)
    select.select([], [], [], 0.7)
    start_ns = time.monotonic_ns()
    set_tariff(rig, CHEAP)
    rig.wait_for_loads(on=True)
    sent_ns = min(
        int(line["t_ns"])
        for node in rig.nodes
        for line in node.said("price_sent", start_ns)
        if line["value"] == CHEAP
    )
    on = [e for e in rig.edges(start_ns, rig.nodes) if e.load in FLEXIBLE and e.on]
    assert len(on) == NODES * len(FLEXIBLE), f"{len(on)} outputs went on"
    return (max(edge.t_ns for edge in on) - sent_ns) / 1e6


def main() -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    with Rig(NODES, capacity_w=60 * NODES) as rig:
        set_tariff(rig, CHEAP)
        for node in rig.nodes:
            board = node.folder / "board.toml"
            board.write_text(board.read_text().replace("stagger_s = 0.05", "stagger_s = 0"))
            tariff = f'price = {CHEAP}\ntariff_file = "{rig.folder}/tariff.json"'
            node.config.write_text(node.config.read_text().replace(f"price = {CHEAP}", tariff))
        rig.start()
        rig.wait_for_broker()
        rig.wait_for_loads()
        times = [trial(rig) for _ in range(args.trials)]
    print(json.dumps({"nodes": NODES, "ms": summary(times)}))


if __name__ == "__main__":
    main()
