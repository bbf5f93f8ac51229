"""Resume: after a change of broker, until a load may start again, ms.

Five real nodes in network namespaces on a bridge, with the default timers. The capacity is cut over
the API of a member, so that some loads are off and wait; then the broker is killed, or hands its
office over; then the capacity is given back. A broker that follows a dead one may not raise until
every grant that the dead one may have given has ended; one that was handed the book may at once.
Needs root.

    python tests/bench/bench_resume.py [--trials 10]

`killed`: from the kill to the first load that starts at a survivor; the bound is T + G + margin and
1 s, which is printed beside it. `handed_over`: from giving the capacity back, asked as soon as the
new broker is followed, to the first load that starts. Times are from the plant's trace.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_partition import DEFAULTS
from tests.bench.figure import summary
from tests.rack.lan import unavailable
from tests.rack.rig import Rig, RigNode, wait_until
from tests.rack.tight import CAPACITY_W, TRADE_S, tight, wait_settled

from rackgrid.core.settings import SECOND_NS, Timing

CUT_W = 60.0
"""Beside five floors of 6.5 W enough for some lamps, and not for all."""


def cut(rig: Rig, member: RigNode) -> None:
    """Tell a member that there is less, and wait until the truth is under it."""
    member.ask("/api/feed", {"capacity_w": CUT_W})

    def is_under() -> bool:
        return sum(node["watts"] for node in rig.control.draws()["nodes"].values()) <= CUT_W

    wait_until("the draw is under the cut", is_under, TRADE_S)


def started_ns(rig: Rig, nodes: list[RigNode], since_ns: int) -> int:
    """When the first flexible load started since then."""

    def starts() -> list[int]:
        return [edge.t_ns for edge in rig.edges(since_ns, nodes) if edge.on]

    wait_until("a load starts", starts, TRADE_S)
    return min(starts())


def killed(rig: Rig) -> float:
    """Kill the broker while others wait for power."""
    broker = wait_settled(rig)
    others = rig.others(broker)
    cut(rig, others[0])
    since_ns = time.monotonic_ns()
    broker.kill()
    rig.wait_for_broker(among=others)
    others[0].ask("/api/feed", {"capacity_w": CAPACITY_W})
    took_ns = started_ns(rig, others, since_ns) - since_ns
    broker.start()
    return took_ns / 1e6


def handed_over(rig: Rig) -> float:
    """Let the broker hand its office over while others wait for power."""
    broker = wait_settled(rig)
    member = rig.others(broker)[0]
    cut(rig, member)
    term = broker.state()["term"]
    broker.ask("/api/handover", {})
    wait_until("another leads", lambda: rig.wait_for_broker()["term"] > term)
    since_ns = time.monotonic_ns()
    member.ask("/api/feed", {"capacity_w": CAPACITY_W})
    return (started_ns(rig, list(rig.nodes), since_ns) - since_ns) / 1e6


def main() -> None:
    """Measure and print lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    with tight(DEFAULTS) as rig:
        rig.start()
        by_kill = [killed(rig) for _ in range(args.trials)]
        by_word = [handed_over(rig) for _ in range(args.trials)]
    timing = Timing()
    waits_ns = timing.stretched(timing.authority_ns + timing.grant_ns) + timing.margin_ns
    bound_ms = (waits_ns + SECOND_NS) / 1e6
    print(json.dumps({"after": "killed", "bound_ms": bound_ms, "ms": summary(by_kill)}))
    print(json.dumps({"after": "handed_over", "ms": summary(by_word)}))


if __name__ == "__main__":
    main()
