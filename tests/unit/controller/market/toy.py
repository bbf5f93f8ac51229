"""Books in toy numbers, and what became of them: shared by the tests of the clearing.

Power in mW up to some dozens, prices in uc up to some dozens, price cap 100.
"""

from __future__ import annotations

from tests.unit.controller.market.optimum import Book

from rackgrid.market.clearing import Clearing, clear
from rackgrid.market.curve import Step

CAP = 100


def step(worth: int, power: int, reserve: int | None = None, *, running: bool = False) -> Step:
    return Step(worth, power, power if reserve is None else reserve, running)


def cleared(asked: Book) -> Clearing:
    return clear(asked.bids, asked.offers, asked.floors_mw, asked.capacity_mw, asked.room_mw, CAP)


def served_steps(asked: Book, result: Clearing) -> list[Step]:
    return [
        step
        for bid in asked.bids
        for number, step in enumerate(bid.steps)
        if result.served[bid.bidder] >> number & 1
    ]
