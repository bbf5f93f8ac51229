"""A node and the broker's account of it, in a duel over what may be drawn.

The node here is written anew from the rule, and as greedy as the rule allows: it draws all that it
is granted, its outputs follow late, a dead boot's outputs draw on to their deadline beside the new
boot's, and its clock runs as wrong as the bound permits. Messages are late, lost, doubled and out
of order. No margin is granted, so the law must hold by the arithmetic alone.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from tests.unit.controller.core.stage import report

from rackgrid.core import grant
from rackgrid.core.settings import MS_NS, Timing
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import Report

TIMING = Timing(grant_ns=1000 * MS_NS, margin_ns=0)
G = TIMING.stretched(TIMING.grant_ns)
NODE = NodeId(3)


@dataclass
class Boot:
    """One life of a node that keeps P2; times are its own clock's."""

    number: int
    seq: int = 0
    sent: dict[int, int] = field(default_factory=dict[int, int])
    taken: tuple[int, int] = (0, 0)
    granted: tuple[int, int] = (0, 0)
    switched: tuple[int, int] = (0, 0)

    def holds_mw(self, now: int) -> int:
        return max(mw for mw, until in (self.granted, self.switched, (0, now + 1)) if until > now)

    def bids(self, now: int) -> Report:
        self.seq += 1
        self.sent[self.seq] = now
        ends = max(self.granted[1], self.switched[1])
        rest_ms = -(-max(0, ends - now) // MS_NS)
        return report(
            self.seq,
            holding_mw=self.holds_mw(now),
            holding_ms=rest_ms,
            round_taken=self.taken[1],
        )

    def is_granted(self, seq: int, round_: int, mw: int, now: int) -> None:
        """Take a grant if P2 lets it: a bid of this boot, a later round, still alive."""
        until = self.sent[seq] + TIMING.grant_ns
        if seq < self.taken[0] or round_ <= self.taken[1] or until <= now:
            return
        self.taken = (seq, round_)
        self.granted = (mw, until)
        if mw >= self.switched[0] or self.switched[1] <= now:
            self.switched = (mw, until)

    def follows(self) -> None:
        """The outputs have come down to what is granted."""
        self.switched = self.granted


class Duel:
    """A node and the broker's account of it, each by a clock of its own."""

    def __init__(self, node_ppm: int, broker_ppm: int, holds: int) -> None:
        self.ms = 50
        self.rates = node_ppm, broker_ppm
        self.boots = [Boot(1, switched=(holds, self.node_now + TIMING.grant_ns))]
        first = self.boots[0].bids(self.node_now)
        self.account = grant.opened(NODE, BootId(1), first, 0, self.broker_now, TIMING)
        self.round = 0
        self.order = itertools.count()
        self.flying: list[tuple[int, int, Callable[[], None]]] = []

    # Whole milliseconds of true time make exact readings of both clocks.
    @property
    def node_now(self) -> int:
        return self.ms * (MS_NS + self.rates[0] * MS_NS // 1_000_000)

    @property
    def broker_now(self) -> int:
        return self.ms * (MS_NS + self.rates[1] * MS_NS // 1_000_000)

    def fly(self, delay_ms: int, arrive: Callable[[], None]) -> None:
        heapq.heappush(self.flying, (self.ms + delay_ms, next(self.order), arrive))

    def waits(self, span_ms: int) -> None:
        """Let time pass, and look at the last moment of each holding: there it is decided."""
        end = self.ms + span_ms
        while True:
            arrives = self.flying[0][0] if self.flying else end + 1
            last = min((m for m in self.last_moments() if m > self.ms), default=end + 1)
            self.ms = min(arrives, last, end)
            self.check()
            if arrives == self.ms:
                heapq.heappop(self.flying)[2]()
                self.check()
            elif self.ms == end:
                return

    def last_moments(self) -> list[int]:
        """When each boot holds something for the last time, ms."""
        a_ms = MS_NS + self.rates[0] * MS_NS // 1_000_000
        deadlines = (until for b in self.boots for _, until in (b.granted, b.switched))
        return [-(-until // a_ms) - 1 for until in deadlines]

    def reports(self, delay_ms: int) -> None:
        boot = self.boots[-1]
        said, number = boot.bids(self.node_now), BootId(boot.number)
        # Some answer a heartbeat that was late itself.
        answers_ns = self.broker_now - delay_ms % 5 * 100 * MS_NS

        def arrive() -> None:
            now_ns = self.broker_now
            self.account = grant.reported(self.account, number, said, answers_ns, now_ns, TIMING)

        self.fly(delay_ms, arrive)
        if delay_ms % 3 == 0:
            self.fly(2 * delay_ms, arrive)

    def grants(self, mw: int, delay_ms: int) -> None:
        self.round += 1
        seq, number, round_ = self.account.bid_seq, self.account.boot, self.round
        self.account = grant.issued(self.account, round_, mw, TIMING)

        def arrive() -> None:
            if self.boots[-1].number == number:
                self.boots[-1].is_granted(seq, round_, mw, self.node_now)

        if delay_ms % 5:
            self.fly(delay_ms, arrive)
        if delay_ms % 3 == 0:
            self.fly(2 * delay_ms, arrive)

    def reboots(self) -> None:
        self.boots.append(Boot(self.boots[-1].number + 1))

    def check(self) -> None:
        held = sum(boot.holds_mw(self.node_now) for boot in self.boots)
        counted = self.account.counted_mw(self.broker_now)
        assert held <= counted, f"{held} mW held, {counted} mW counted, after {self.ms} ms"


MOMENTS = st.integers(0, 1200) | st.integers(0, 30)
PLAYS = st.lists(
    st.one_of(
        st.tuples(st.just("waits"), MOMENTS, st.just(0)),
        st.tuples(st.just("reports"), MOMENTS, st.just(0)),
        st.tuples(st.just("grants"), st.integers(0, 9), MOMENTS),
        st.tuples(st.just("follows"), st.just(0), st.just(0)),
        st.tuples(st.just("reboots"), st.just(0), st.just(0)),
    ),
    min_size=20,
    max_size=60,
)


def play(
    plays: list[tuple[str, int, int]],
    node_ppm: int,
    broker_ppm: int,
    holds: int,
    after_ms: int = 3000,
) -> Duel:
    duel = Duel(node_ppm, broker_ppm, holds)
    for what, x, y in plays:
        match what:
            case "waits":
                duel.waits(x)
            case "reports":
                duel.reports(x)
            case "grants":
                duel.grants(x, y)
            case "follows":
                duel.boots[-1].follows()
            case _:
                duel.reboots()
        duel.check()
    duel.waits(after_ms)
    return duel
