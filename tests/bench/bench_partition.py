"""Partition: three of five nodes go on without the other two, and all trade again when it heals.

Five real nodes in network namespaces on a bridge, on a feed that is too small for all their loads,
with the default timers. Two of them, by turns with and without the broker, are cut off by a filter
on the bridge (the carriers stay) till their loads are off and the others have started what fits
then; then it heals. Times are from the nodes' traces and the plant's, in ms. Needs root.

    python tests/bench/bench_partition.py [--trials 20] [--busy 0]

For each trial, apart for the broker being among the three and among the two: from the cut to the
last flexible load of the two being off (`shed`) and to the first new one among the three (`trade`);
the longest time without a price at any of the three (`gap`); from the healing to the last change of
any node's role (`one_broker`, target 1000) and until every load that fits was on (`full_trade`,
target 5000). That the feed was never oversubscribed is checked over the whole trace of the truth.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.figure import summary
from tests.rack.cables import Cables
from tests.rack.lan import unavailable
from tests.rack.rig import Rig, RigNode
from tests.rack.tight import CAPACITY_W, pumps_on, tight, wait_more_pumps, wait_settled
from tests.rack.truth import peak_w

DEFAULTS = {"beacon_s": 1.0, "round_s": 0.5, "authority_s": 0.5, "grant_s": 2.5, "preempt": False}


def gap_ns(node: RigNode, from_ns: int, until_ns: int) -> int:
    """The longest time between two prices that a node applied."""
    times = [int(x["t_ns"]) for x in node.said("price", from_ns) if x["value"] is not None]
    within = [from_ns, *(t for t in times if t < until_ns), until_ns]
    return max(after - before for before, after in itertools.pairwise(within))


def role_ns(rig: Rig, since_ns: int) -> int:
    """When the last role changed; `since_ns` if none has since."""
    return max([since_ns, *(int(x["t_ns"]) for n in rig.nodes for x in n.said("role", since_ns))])


def trial(rig: Rig, cables: Cables, few: Sequence[RigNode], wait_s: float) -> dict[str, float]:
    """Cut these off and let them come back; return the times in ms."""
    many = [node for node in rig.nodes if node not in few]
    pumps = pumps_on(rig, many)
    select.select([], [], [], wait_s)
    cut_ns = time.monotonic_ns()
    cables.part([node.host for node in few], [node.host for node in many])
    rig.wait_for_loads(few, on=False)
    wait_more_pumps(rig, many, than=pumps)
    heal_ns = time.monotonic_ns()
    cables.heal()
    wait_settled(rig)
    settled_ns = time.monotonic_ns()
    apart = [e for e in rig.edges(cut_ns, rig.nodes) if e.t_ns < heal_ns]
    after = [e.t_ns for e in rig.edges(heal_ns, rig.nodes) if e.t_ns < settled_ns]
    names = {node.name for node in few}
    times_ns = {
        "shed": max((e.t_ns for e in apart if e.node in names), default=cut_ns) - cut_ns,
        "trade": min(e.t_ns for e in apart if e.node not in names and e.on) - cut_ns,
        "gap": max(gap_ns(node, cut_ns, heal_ns) for node in many),
        "one_broker": role_ns(rig, heal_ns) - heal_ns,
        "full_trade": max(after, default=heal_ns) - heal_ns,
    }
    return {name: ns / 1e6 for name, ns in times_ns.items()}


def report(where: str, trials: list[dict[str, float]]) -> None:
    """Print a line of JSON for each figure."""
    for name in trials[0] if trials else ():
        print(json.dumps({"broker": where, "ms": name, **summary([t[name] for t in trials])}))


def main() -> None:
    """Measure and print lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--busy", type=int, default=0, help="endless loops beside it")
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    chance = random.Random(1)
    trials: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(args.busy)]
    try:
        with tight(DEFAULTS) as rig:
            cables = Cables(rig.lan)
            rig.start()
            for number in range(args.trials):
                broker = wait_settled(rig)
                others = chance.sample(rig.others(broker), 2)
                few = [broker, others[0]] if number % 2 else others
                times = trial(rig, cables, few, chance.uniform(0.5, 1.5))
                trials[broker in few].append(times)
            peak = peak_w(rig.draws())
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    report("among the three", trials[False])
    report("among the two", trials[True])
    print(json.dumps({"busy": args.busy, "peak_w": peak, "capacity_w": CAPACITY_W}))


if __name__ == "__main__":
    main()
