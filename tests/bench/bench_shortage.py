"""Shortage: from a cut of the capacity, told to one node, until the true draw is under it, ms.

Five real nodes in network namespaces on a bridge, every load on; the cut takes about half of what
flexible loads draw. The time begins before the request and ends at the last change in the plant's
truth that brings the rack under the new capacity, so it has the HTTP request, the member's report,
the broker's round and five firmwares in it. Relays open without a meter's help here; where a source
is metered, its meter's period comes on top. Needs root.

    python tests/bench/bench_shortage.py [--trials 40]
"""

from __future__ import annotations

import argparse
import json
import random
import select
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.figure import summary
from tests.rack.lan import unavailable
from tests.rack.rig import Rig, wait_until

NODES = 5
AMPLE_W = 60.0 * NODES
CUT_W = 65.0
"""Beside five floors of 6.5 W it leaves 32.5 W of the 66 W that lamps and pumps draw."""


def under_ns(rig: Rig, since_ns: int) -> int | None:
    """When the true draw came under the cut, for good; None if it is not there yet."""
    watts: dict[str, float] = {}
    came_ns: int | None = None
    for draw in rig.draws():
        watts[draw.node] = draw.watts
        if sum(watts.values()) > CUT_W:
            came_ns = None
        elif came_ns is None and draw.t_ns >= since_ns:
            came_ns = draw.t_ns
    return came_ns


def trial(rig: Rig, chance: random.Random) -> float:
    """Cut the capacity at a random moment, at a random node; return how long it took, ms."""
    rig.wait_for_loads()
    select.select([], [], [], chance.uniform(0.8, 1.4))
    node = chance.choice(rig.nodes)
    since_ns = time.monotonic_ns()
    answer = node.ask("/api/feed", {"capacity_w": CUT_W})
    assert "error" not in answer, answer
    wait_until("the draw is under the cut", lambda: under_ns(rig, since_ns))
    # Whatever is shed together is shed by now; what came later would count.
    select.select([], [], [], 0.3)
    end_ns = under_ns(rig, since_ns)
    assert end_ns is not None, "it went above the cut again"
    node.ask("/api/feed", {"capacity_w": AMPLE_W})
    return (end_ns - since_ns) / 1e6


def main() -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    with Rig(NODES, capacity_w=AMPLE_W) as rig:
        rig.start()
        rig.wait_for_broker()
        chance = random.Random(1)
        times = [trial(rig, chance) for _ in range(args.trials)]
    print(json.dumps({"nodes": NODES, "cut_w": CUT_W, "ms": summary(times)}))


if __name__ == "__main__":
    main()
