"""Clearing: how long it takes, and how much of the best possible welfare it reaches.

Two questions. How long does one round's clearing take, for a rack and for sizes far beyond one,
when power is scarce, short and plenty? And on small scarce racks, where trying every set of steps
is feasible: what share of the optimum is reached, beside plain merit order with skipping?
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rackgrid.identity import NodeId
from rackgrid.market.clearing import clear
from rackgrid.market.curve import Bid, Step
from rackgrid.market.offer import Offer

# The unit tests' oracle; a script's own folder is all that Python puts on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.unit.controller.market.optimum import Book, optimum, plain_merit

SIZES = ((20, 8, 30), (1_000, 8, 15), (10_000, 8, 5))
"""Nodes, steps of each, repetitions."""
SUPPLIED = {"scarce": 0.1, "short": 0.5, "plenty": 1.2}
"""Feed capacity as a share of what all steps reserve."""
SMALL_RACKS = 400


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU time of one clearing, and how often the search was proven to the end."""

    nodes: int
    steps: int
    supplied: str
    median_ms: float
    worst_ms: float
    exact_share: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Realised welfare over the optimum."""

    rule: str
    median: float
    percentile_5: float
    worst: float


def rack(chance: random.Random, nodes: int, steps: int, supplied: float) -> Book:
    """Draw a rack: half of its loads run, at a metered power that is not their nameplate."""
    bids = tuple(
        Bid(NodeId(n), tuple(load(chance) for _ in range(steps)), chance.randrange(10**9))
        for n in range(nodes)
    )
    wanted = sum(step.reserve_mw for bid in bids for step in bid.steps)
    capacity = int(wanted * supplied)
    offers = (Offer("solar", 20_000, capacity // 3), Offer("grid", 250_000, capacity))
    return Book(bids, offers, capacity // 10, capacity)


def load(chance: random.Random) -> Step:
    nominal, running = chance.randint(500, 40_000), chance.random() < 0.5
    metered = int(nominal * chance.uniform(0.7, 1.05))
    worth = chance.randint(20_000, 600_000)
    if running:
        return Step(worth, metered, max(nominal, metered), running=True)
    return Step(worth, nominal, nominal * chance.choice((1, 1, 2)), running=False)


def small_rack(chance: random.Random) -> Book:
    """Draw ten loads that start, on a feed for a third of them; small units for the oracle."""
    steps = [Step(chance.randint(3, 60), p, p, running=False) for p in sizes(chance)]
    bids = tuple(Bid(NodeId(n), tuple(steps[2 * n : 2 * n + 2]), 0) for n in range(5))
    capacity = sum(step.reserve_mw for step in steps) // 3
    return Book(bids, (Offer("solar", 2, capacity // 3), Offer("grid", 20, capacity)), 0, capacity)


def sizes(chance: random.Random) -> list[int]:
    return [chance.choice((1, 2, 5, 10, 20, 40, chance.randint(1, 60))) for _ in range(10)]


def timed(nodes: int, steps: int, repetitions: int, supplied: str) -> Timing:
    chance, took, exact = random.Random(nodes), list[float](), 0
    for _ in range(repetitions):
        book = rack(chance, nodes, steps, SUPPLIED[supplied])
        start = time.process_time_ns()
        result = clear(book.bids, book.offers, book.floors_mw, book.capacity_mw)
        took.append((time.process_time_ns() - start) / 1e6)
        exact += result.exact
    return Timing(nodes, steps, supplied, statistics.median(took), max(took), exact / repetitions)


def cleared_welfare(book: Book) -> int:
    return clear(book.bids, book.offers, book.floors_mw, book.capacity_mw).welfare


def measured(rule: str, welfare: Callable[[Book], int], books: list[tuple[Book, int]]) -> Quality:
    shares = sorted(welfare(book) / best for book, best in books if best > 0)
    return Quality(rule, statistics.median(shares), shares[len(shares) // 20], shares[0])


def main() -> None:
    """Measure, and print a table (or JSON)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    as_json = parser.parse_args().json
    chance = random.Random(8437)
    books = [(book, optimum(book)) for book in (small_rack(chance) for _ in range(SMALL_RACKS))]
    results: list[Timing | Quality] = [
        timed(*size, supplied) for size in SIZES for supplied in SUPPLIED
    ]
    results.append(measured("clearing", cleared_welfare, books))
    results.append(measured("plain merit order", plain_merit, books))
    for result in results:
        sys.stdout.write((json.dumps(asdict(result)) if as_json else line(result)) + "\n")


def line(result: Timing | Quality) -> str:
    """Write one result for people."""
    match result:
        case Timing():
            return (
                f"{result.nodes:>6} x {result.steps} steps, {result.supplied:<6}  "
                f"median {result.median_ms:7.2f} ms  worst {result.worst_ms:7.2f} ms  "
                f"proven best {result.exact_share:4.0%}"
            )
        case Quality():
            return (
                f"{result.rule:<18} of the optimum: median {result.median:.3f}  "
                f"5th percentile {result.percentile_5:.3f}  worst {result.worst:.3f}"
            )


if __name__ == "__main__":
    main()
