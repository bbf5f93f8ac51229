"""A real broker that judges: rounds of a small rack whose members draw what the test says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.unit.controller.audit.lines import Line
from tests.unit.controller.core.stage import TIMING, pair, report, roster, settings, step

from rackgrid.adapters.chronicle import Chronicle
from rackgrid.core import book, broker, incumbent
from rackgrid.core.action import PriceApplied
from rackgrid.core.book import Book
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import PledgeLine, Report

NOW = 10**12
ME, ANNA, BERT = (NodeId(n) for n in (9, 1, 2))
A, B = (f"{node:016x}" for node in (ANNA, BERT))
LAMP = step(400_000, 6000, 9000)
PUMP = step(300_000, 4000)
GRACE_NS = TIMING.stretched(TIMING.grant_ns) + TIMING.margin_ns


@dataclass(frozen=True)
class Draw:
    """What a node reports: what it draws and of that excess, mW, its boot, and what it bids for."""

    mw: int = 0
    excess_mw: int = 0
    boot: int = 1
    worth_uc: int = 400_000
    pump: bool = True


HONEST = Draw(10_000)
"""Nine watts of the lamp and four of the pump are granted, and less is drawn."""


class Bench:
    """A broker of a rack of three, and the chronicle of its node."""

    def __init__(self, term: int = 3) -> None:
        self.now_ns = NOW
        self.seq = 0
        self.chronicle = Chronicle("n9", "37", lambda: None, lambda: self.now_ns)
        self.takes_office(term)

    def takes_office(self, term: int) -> None:
        office = broker.taken(pair(term), roster(ANNA, BERT, ME, version=4), {}, self.now_ns)
        self.office = replace(office, book=Book(first_majority_ns=self.now_ns, opened=True))

    def pledges(self, *lines: PledgeLine) -> None:
        agreed = self.office.agreement
        known = replace(agreed.reserved, pledges=lines)
        self.office = replace(self.office, agreement=replace(agreed, reserved=known))

    def round(self, draws: Mapping[NodeId, Draw], wait_ns: int = 500 * MS_NS) -> None:
        """Let everybody report that draws something or nothing, and clear."""
        self.now_ns += wait_ns
        self.seq += 1
        entry = self.office.book
        for node, draw in {ME: Draw(), **draws}.items():
            boot, said = BootId(draw.boot), self._report(draw)
            entry = book.reported(entry, node, boot, said, self.now_ns, self.now_ns, TIMING)
        office, judgements, looks = broker.judged(
            replace(self.office, book=entry), self.now_ns, TIMING
        )
        for each in judgements:
            self.chronicle.publish(incumbent._told(office, each), self.now_ns)
        self.office, _, made = broker.cleared(office, settings(), self.now_ns, may_grant=True)
        self.chronicle.publish(replace(made, at_ns=self.now_ns, looks=looks), self.now_ns)
        cost = made.clearing
        applied = PriceApplied(made.pair, made.round, cost.price_uc, 2 * SECOND_NS, cost.scarce)
        self.chronicle.publish(applied, self.now_ns)

    def window(self, mw: int, seconds: float = 10.5) -> None:
        """Let Anna draw so much for more than a window."""
        for _ in range(int(2 * seconds)):
            self.round({ANNA: Draw(mw), BERT: HONEST})

    @property
    def texts(self) -> list[str]:
        return [told.data.decode() for told in self.chronicle.since(0)]

    @property
    def lines(self) -> list[Line]:
        return [json.loads(text) for text in self.texts]

    def _report(self, draw: Draw) -> Report:
        steps = (replace(LAMP, worth_uc=draw.worth_uc), PUMP) if draw.pump else (LAMP,)
        return report(self.seq, steps=steps, draw_mw=draw.mw, excess_mw=draw.excess_mw)


def lying() -> Bench:
    """Anna is granted 13 W, lies until she is flagged, goes on, and then no more."""
    bench = Bench()
    bench.window(0, 7)
    for mw in (20_000, 20_000, 22_000, 10_000, 10_000):
        bench.window(mw)
    bench.round({ANNA: replace(HONEST, worth_uc=350_000), BERT: HONEST})
    return bench
