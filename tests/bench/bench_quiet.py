"""False elections: how often an idle rack of five changes its broker while the machine is busy.

Nothing fails here: every change of broker is a false alarm. Both cores are kept busy by endless
loops. Needs root.

    python tests/bench/bench_quiet.py [--seconds 600] [--busy 2]
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.rack.lan import unavailable
from tests.rack.rig import Rig

NODES = 5


def main() -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--heartbeat-s", type=float, default=0.1)
    parser.add_argument("--busy", type=int, default=2)
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    with Rig(NODES, rack={"heartbeat_s": args.heartbeat_s, "preempt": False}) as rig:
        rig.start()
        rig.wait_for_broker()
        rig.wait_for_loads()
        hogs = [
            subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(args.busy)
        ]
        try:
            start_ns = time.monotonic_ns()
            select.select([], [], [], args.seconds)
            roles = [x for node in rig.nodes for x in node.said("role", start_ns)]
            edges = rig.edges(start_ns, rig.nodes)
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait()
    print(
        json.dumps(
            {
                "seconds": args.seconds,
                "heartbeat_s": args.heartbeat_s,
                "busy": args.busy,
                "candidatures": sum(x["role"] == "candidate" for x in roles),
                "new_brokers": sum(x["role"] == "broker" for x in roles),
                "relay_edges": len(edges),
            }
        )
    )


if __name__ == "__main__":
    main()
