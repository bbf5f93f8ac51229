"""Failover: SIGKILL of the broker until a new broker's price is applied on every survivor, ms.

Five real nodes in network namespaces on a bridge. Times are from the survivors' own traces (one
CLOCK_MONOTONIC for all). Needs root.

    python tests/bench/bench_failover.py [--trials 40] [--heartbeat-s 0.1] [--busy 0]

To set beside it (the same kind of machine, 5 namespaces, no market on top): keepalived at 0.1 s
adverts 261/317/405 ms (min/median/max of 40), etcd by default 928/1122/2564, Serf 5.7 s, corosync
by default 10.4 s.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.figure import summary
from tests.rack.lan import unavailable
from tests.rack.rig import Rig, RigNode, wait_until

NODES = 5


def applied_ns(node: RigNode, after_ns: int, term: int) -> int | None:
    """When `node` first applied a price of a later term."""
    times = [int(x["t_ns"]) for x in node.said("price", after_ns) if int(x["term"]) > term]
    return min(times, default=None)


def trial(rig: Rig, chance: random.Random) -> float:
    """Kill the broker at a random phase of its heartbeat; return the failover in ms."""
    state = rig.wait_for_broker()
    wait_until("authority", lambda: all(n.state()["term"] == state["term"] for n in rig.nodes))
    broker = next(n for n in rig.nodes if n.name == state["broker"])
    survivors = [n for n in rig.nodes if n is not broker]
    select.select([], [], [], chance.uniform(0.8, 1.2))
    start_ns = time.monotonic_ns()
    broker.kill()
    term = int(state["term"])
    wait_until(
        "a new price everywhere",
        lambda: all(applied_ns(n, start_ns, term) for n in survivors),
    )
    last_ns = max(applied_ns(n, start_ns, term) or 0 for n in survivors)
    broker.start()
    return (last_ns - start_ns) / 1e6


def main() -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--heartbeat-s", type=float, default=0.1)
    parser.add_argument("--busy", type=int, default=0, help="endless loops beside it")
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(args.busy)]
    try:
        with Rig(NODES, rack={"heartbeat_s": args.heartbeat_s, "preempt": False}) as rig:
            rig.start()
            chance = random.Random(1)
            times = [trial(rig, chance) for _ in range(args.trials)]
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    print(json.dumps({"heartbeat_s": args.heartbeat_s, "busy": args.busy, "ms": summary(times)}))


if __name__ == "__main__":
    main()
