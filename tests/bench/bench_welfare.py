"""What a clearing reaches of the best possible welfare, on many random racks of eight loads.

    .venv/bin/python tests/bench/bench_welfare.py [--cases 60000] [--seed 21] [--running 0.0]

The best is found by trying every set of steps (`tests/unit/controller/market/optimum.py`, which
shares no line with the clearing). Each result is also judged to be lawful: it fits, no served step
is worth less than a unit that is used, and the welfare said is that of what is served. Ends with 1
if one is not. With --running a share of the loads runs already: one is shed only for a gain of an
eighth of what it is worth, which the best knows nothing of.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from tests.unit.controller.market.optimum import (  # noqa: E402
    Book,
    is_lawful,
    optimum,
    unit_prices,
    welfare_of,
)

from rackgrid.identity import NodeId  # noqa: E402
from rackgrid.market.clearing import clear  # noqa: E402
from rackgrid.market.curve import Bid, Step  # noqa: E402
from rackgrid.market.offer import Offer  # noqa: E402

LOADS = 8
PER_NODE = 2


def main() -> int:
    """Clear them, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--running", type=float, default=0.0)
    args = parser.parse_args()
    chance, shares, unlawful = random.Random(args.seed), list[float](), list[int]()
    for case in range(args.cases):
        book = drawn(chance, args.running)
        got = clear(book.bids, book.offers, book.floors_mw, book.capacity_mw)
        served = [
            step
            for bid in book.bids
            for place, step in enumerate(bid.steps)
            if got.served.get(bid.bidder, 0) >> place & 1
        ]
        units = unit_prices(book)
        if not is_lawful(served, units, book.room) or welfare_of(served, units) != got.welfare:
            unlawful.append(case)
        best = optimum(book)
        if best > 0:
            shares.append(got.welfare / best)
    shares.sort()
    figures = {
        "cases": args.cases,
        "compared": len(shares),
        "unlawful": unlawful,
        "median": statistics.median(shares),
        "percentile_5": shares[len(shares) // 20],
        "worst": shares[0],
        "below_the_best": sum(share < 1 for share in shares),
    }
    print(json.dumps(figures))
    return 1 if unlawful else 0


def drawn(chance: random.Random, running: float) -> Book:
    """Draw a rack whose feed can carry a sixth to a half of its loads, in small units."""
    sizes = [chance.choice((1, 2, 5, 10, 20, 40, chance.randint(1, 60))) for _ in range(LOADS)]
    steps: list[Step] = []
    for size in sizes:
        runs = chance.random() < running
        worth_uc, inrush = chance.randint(3, 60), chance.choice((0, 0, size // 2))
        steps.append(Step(worth_uc, size, size if runs else size + inrush, running=runs))
    bids = tuple(
        Bid(NodeId(node), tuple(steps[node * PER_NODE :][:PER_NODE]), chance.randrange(100))
        for node in range(LOADS // PER_NODE)
    )
    total = sum(sizes)
    offers = (
        Offer("sun", chance.randint(-5, 20), chance.randint(1, max(1, total // 2))),
        Offer("grid", chance.randint(0, 40), chance.randint(0, total // 2)),
    )
    return Book(bids, offers, 0, chance.randint(max(1, total // 6), max(2, total // 2)))


if __name__ == "__main__":
    sys.exit(main())
