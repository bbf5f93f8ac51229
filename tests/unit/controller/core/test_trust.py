"""Trust: draw against grants, once in a window, and what is no lie."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.core.stage import TIMING, report, step

from rackgrid.core import grant, trust
from rackgrid.core.grant import Account, Claim
from rackgrid.core.look import Look, Window
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.trust import CLAIMS_MAX, WINDOW_NS, Judgement, Looks, Trusts
from rackgrid.identity import BootId, NodeId
from rackgrid.market.honesty import HONEST, LIES_MAX, WHOLE
from rackgrid.wire.message import PledgeLine

NOW = 10**12
ANNA = NodeId(1)
ROUND = 8
BEGINS = NOW + TIMING.stretched(TIMING.grant_ns) + TIMING.margin_ns
STEPS = (step(400_000, 6000, 9000), step(300_000, 4000, 0))


class Bench:
    """A broker's view of Anna, who acks and is granted when the test says so."""

    def __init__(self) -> None:
        self.now_ns = NOW
        self.trusts: Trusts = {}
        self.pledges: tuple[PledgeLine, ...] = ()
        self.old: tuple[Claim, ...] = ()
        self.seen: Looks = {}

    def account(self, drawn_mw: int = 0, required_mw: int = 0, excess_mw: int = 0) -> Account:
        said = report(steps=STEPS, draw_mw=drawn_mw, excess_mw=excess_mw)
        said = replace(said, required_mw=required_mw)
        opened = grant.opened(ANNA, BootId(1), said, self.now_ns, self.now_ns, TIMING)
        return replace(opened, old=self.old)

    def grants(self, power_mw: int) -> None:
        counted = grant.issued(self.account(), 1, power_mw, TIMING)
        self.trusts = trust.granted(self.trusts, counted, power_mw)

    def looks(
        self, at_ns: int, drawn_mw: int, required_mw: int = 0, excess_mw: int = 0
    ) -> tuple[Judgement, ...]:
        self.now_ns = at_ns
        account = self.account(drawn_mw, required_mw, excess_mw)
        self.trusts, said, self.seen = trust.looked(
            self.trusts, [account], self.pledges, ROUND, at_ns, TIMING
        )
        return said

    @property
    def worst(self) -> tuple[int, int]:
        return Window(0, 0, 0, self.trusts[ANNA].worst).proof

    def window(self, granted_mw: int, drawn_mw: int) -> tuple[Judgement, ...]:
        """Let a window pass in which it draws so much under such a grant."""
        held = self.trusts[ANNA]
        for at_ns in range(self.now_ns, held.ends_ns, SECOND_NS):
            self.now_ns = at_ns
            self.grants(granted_mw)
            self.looks(at_ns, drawn_mw)
        return self.looks(held.ends_ns, drawn_mw)

    @property
    def share(self) -> int:
        return trust.share_permille(self.trusts, ANNA)


@pytest.fixture
def bench() -> Bench:
    """After the first look, and the time in which a predecessor's grants may run."""
    made = Bench()
    made.looks(NOW, 50_000)
    made.looks(BEGINS - 1, 50_000)
    assert made.worst == (0, 0)
    assert made.seen == {}, "nothing is held against it yet"
    made.now_ns = BEGINS
    return made


def test_node_that_keeps_to_its_grant_is_never_judged(bench: Bench) -> None:
    for _ in range(5):
        assert bench.window(9000, 9000) == ()
    assert bench.share == WHOLE


def test_node_that_takes_more_again_and_again_counts_with_its_share(bench: Bench) -> None:
    for lies in range(1, LIES_MAX + 1):
        (said,) = bench.window(6000, 9000)
        assert (said.node, said.window.proof, said.is_news) == (ANNA, (6000, 9000), True)
        assert (said.window.number, said.window.ended_ns) == (lies, bench.now_ns)
        assert (said.record.lies, said.record.share_permille) == (lies, 1500)
        assert said.record.is_flagged is (lies == LIES_MAX)
    assert bench.share == 1500
    steps = trust.counting(bench.trusts, bench.account()).report.steps
    assert [(s.power_mw, s.reserve_mw) for s in steps] == [(9000, 13_500), (6000, 0)]


def test_node_that_is_not_flagged_counts_as_it_bids(bench: Bench) -> None:
    bench.window(6000, 9000)
    account = bench.account()
    assert trust.counting(bench.trusts, account) is account
    assert trust.counting({}, account) is account


def test_long_lie_counts_once_a_window_and_is_forgiven_slowly(bench: Bench) -> None:
    for _ in range(LIES_MAX):
        bench.window(6000, 9000)
    for windows in range(1, 51):
        (said,) = bench.window(9000, 9000)
        assert said.is_news is (windows == 50), "only the last of it is news"
        assert said.window.number == LIES_MAX + windows
    assert bench.window(9000, 9000) == (), "it is above suspicion again"
    assert bench.trusts[ANNA].record.lies == 0
    assert bench.share == WHOLE


def test_grant_that_was_lowered_covers_as_long_as_it_may_be_in_force(bench: Bench) -> None:
    bench.grants(9000)
    until_ns = bench.trusts[ANNA].granted[0].until_ns
    bench.now_ns = BEGINS + SECOND_NS
    bench.grants(2000)
    bench.looks(until_ns - 1, 9000)
    assert bench.worst == (0, 0)
    bench.looks(until_ns, 9000)
    assert bench.worst == (2000, 9000)


def test_what_is_known_to_be_held_beside_the_grant_is_no_lie(bench: Bench) -> None:
    bench.looks(BEGINS, 9000, required_mw=4000, excess_mw=5000)
    bench.old = (Claim(5000, BEGINS + WINDOW_NS), Claim(4000, BEGINS))
    bench.looks(BEGINS, 5000)
    bench.old = ()
    bench.pledges = (PledgeLine(ANNA, BootId(1), 7000, 15_000),)
    bench.looks(BEGINS, 7000)
    assert bench.worst in {(0, 0), (5000, 5000), (7000, 7000)}
    bench.looks(BEGINS, 7001)
    assert bench.worst == (7000, 7001)


def test_look_has_all_that_a_node_is_judged_by(bench: Bench) -> None:
    bench.grants(6000)
    bench.old = (Claim(700, BEGINS + WINDOW_NS),)
    bench.pledges = (PledgeLine(ANNA, BootId(1), 500, 15_000),)
    bench.looks(BEGINS, 9000, required_mw=2000, excess_mw=300)
    grant_ = bench.trusts[ANNA].granted[0]
    assert bench.seen == {ANNA: Look(BEGINS, ROUND, 9000, 2000, 300, grant_, 500, 700)}
    assert (grant_.power_mw, grant_.round) == (6000, 1)
    assert trust.lasts_ms(bench.trusts, (ANNA, NodeId(2)), BEGINS) == {ANNA: 5651}


def test_lie_beside_which_something_worse_is_none_is_told_and_not_held_against_a_node(
    bench: Bench,
) -> None:
    """Fails if the record of such a window could not show why nobody was judged."""
    bench.looks(BEGINS, 300)
    bench.grants(100_000)
    for at_s in (1, 10):
        said = bench.looks(BEGINS + at_s * SECOND_NS, 104_000 if at_s == 1 else 0)
    assert [(each.record, each.is_news, each.window.number) for each in said] == [
        (HONEST, False, 1)
    ]
    assert bench.trusts[ANNA].number == 0
    assert bench.window(9000, 9000) == ()


def test_grant_to_a_node_never_looked_at_is_not_noted(bench: Bench) -> None:
    counted = grant.issued(bench.account(), 1, 9000, TIMING)
    assert trust.granted({}, counted, 9000) == {}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 400)), max_size=80))
def test_remembered_grants_cover_every_one_that_may_be_in_force(
    grants: list[tuple[int, int]],
) -> None:
    """Fails if forgetting one made an honest node a liar, or if they grow without bound."""
    bench = Bench()
    bench.looks(NOW, 0)
    given_so_far: list[tuple[int, int]] = []
    for watts, span_ms in grants:
        bench.now_ns += span_ms * 1_000_000
        bench.grants(watts * 1000)
        known = bench.trusts[ANNA].granted
        given_so_far.append((watts * 1000, max(c.until_ns for c in known)))
        assert len(known) <= CLAIMS_MAX
        alive = [mw for mw, until in given_so_far if until > bench.now_ns]
        assert max(c.power_mw for c in known if c.until_ns > bench.now_ns) >= max(alive)
