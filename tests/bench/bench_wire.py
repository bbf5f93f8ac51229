"""What the messages cost: encoding and decoding, in µs on this machine (`bench_seal`: sealing).

A broker of 40 nodes at 0.1 s heartbeats opens and decodes 400 acks a second: at 10 µs each, that is
0.4 % of a core. Best of several runs: what the code costs, not what the neighbours do.

    .venv/bin/python tests/bench/bench_wire.py [--json]
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable

from rackgrid.identity import NO_LIMIT, BootId, NodeId, Pair, RackId, Round, Stamp, Term
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import (
    Ack,
    Allotment,
    Beacon,
    Heartbeat,
    LoadStatus,
    Message,
    OfferReport,
    Price,
    Report,
    StepReport,
)
from rackgrid.wire.vocabulary import LoadKind, Role, Why

CALLS = 2000
REPEATS = 7

PAIR = Pair(Term(7), NodeId(2**63), BootId(2**64 - 1))
STAMP = Stamp(PAIR, 2)
STEPS = tuple(StepReport(300_000, 5000, 6000, True) for _ in range(3))
REPORT = Report(
    9,
    STEPS,
    2**40,
    5000,
    1200,
    Round(3),
    7000,
    2000,
    0,
    60_000,
    NO_LIMIT,
    (OfferReport("grid", 250_000, 1),),
)
LOADS = tuple(
    LoadStatus(f"load{n}", LoadKind.FLEXIBLE, 100, 1, 2, 3, Why.WORTH_IT) for n in range(3)
)


def price(nodes: int) -> Price:
    """A price with an allotment for each node."""
    rows = tuple(Allotment(NodeId(n), BootId(n), 9, 5000, 3) for n in range(nodes))
    return Price(PAIR, Round(3), 250_000, 2000, 60_000, 20_000, 15_000, 30_000, False, rows)


MESSAGES: dict[str, Message] = {
    "heartbeat": Heartbeat(PAIR, 1, RackId(5), False, 2, 2, Round(3)),
    "ack, 3 steps": Ack(PAIR, 12, True, PAIR, STAMP, REPORT),
    "beacon, 3 loads": Beacon("pi-1", 5, Role.MEMBER, PAIR, RackId(5), STAMP, 2, 3, 8080, LOADS),
    "price, 5 allotments": price(5),
    "price, 40 allotments": price(40),
}


def cost_us(deed: Callable[[], object]) -> float:
    """Best time of one call, µs."""
    return min(timeit.repeat(deed, number=CALLS, repeat=REPEATS)) / CALLS * 1e6


def coding() -> dict[str, dict[str, float]]:
    """Cost of each typical message."""
    figures: dict[str, dict[str, float]] = {}
    for name, message in MESSAGES.items():
        payload = encode(message)
        assert decode(payload) == message
        figures[f"{name}, {len(payload)} bytes"] = {
            "encode": cost_us(lambda message=message: encode(message)),
            "decode": cost_us(lambda payload=payload: decode(payload)),
        }
    return figures


def main() -> None:
    """Measure, and print."""
    figures = coding()
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures, indent=2))
        return
    for subject, costs in figures.items():
        told = "   ".join(f"{deed} {cost:6.1f} µs" for deed, cost in costs.items())
        print(f"{subject:34} {told}")


if __name__ == "__main__":
    main()
