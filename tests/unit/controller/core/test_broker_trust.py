"""The broker: how it counts the bids of who takes more than was granted."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core.stage import TIMING, report, step
from tests.unit.controller.core.test_broker import (
    ANNA,
    BERT,
    LAMP_ON,
    ME,
    NOW,
    TOLD,
    allotted,
    cleared,
    office,
    wants,
)

from rackgrid.core import broker, grant
from rackgrid.core.office import Office
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.trust import Trust
from rackgrid.identity import BootId, NodeId
from rackgrid.market.honesty import LIES_MAX, Record


def flagged(held: Office, who: NodeId, share_permille: int) -> Office:
    record = Record(LIES_MAX, share_permille)
    return replace(held, trusts={**held.trusts, who: Trust(NOW, NOW + SECOND_NS, record)})


def test_flagged_nodes_step_counts_with_its_share_and_is_granted_that() -> None:
    held = flagged(office((ANNA, wants()), (BERT, wants())), ANNA, 1500)
    held, prices = cleared(held)
    lots = allotted(prices)
    assert (lots[ANNA].grant_mw, lots[ANNA].accepted) == (13_500, 1)
    assert (lots[BERT].grant_mw, lots[BERT].accepted) == (9000, 1)
    assert held.book.accounts[ANNA].counted_mw(NOW) == 13_500
    assert held.book.accounts[ANNA].report == wants(), "what it said is kept as it was said"


def test_flagged_nodes_step_that_fits_no_more_is_refused() -> None:
    # 60 W carry three floors of 5 W and nine times 4 W, or six of them and two of a half more.
    many = report(1, steps=tuple(step(400_000, 6000) for _ in range(7)))
    told = office((ANNA, many), (BERT, report(1)), (ME, report(1)))
    assert allotted(cleared(told)[1])[ANNA].grant_mw == 42_000
    prices = cleared(flagged(told, ANNA, 1500))[1]
    lot = allotted(prices)[ANNA]
    assert (lot.grant_mw, lot.accepted.bit_count()) == (45_000, 5)
    round_ = broker.cleared(flagged(told, ANNA, 1500), TOLD, NOW, may_grant=True)[2]
    assert round_.shares == {ANNA: 1500}
    assert round_.said == {ANNA: many.steps}, "and what it said itself"


def test_judged_compares_what_living_nodes_draw_with_what_they_were_granted() -> None:
    held, _ = cleared(broker.judged(office((ANNA, wants())), NOW, TIMING)[0])
    later = held.trusts[ANNA].begins_ns
    lying = report(2, steps=(LAMP_ON,), draw_mw=20_000)
    entry = grant.reported(held.book.accounts[ANNA], BootId(1), lying, NOW, later, TIMING)
    held = replace(held, book=replace(held.book, accounts={ANNA: entry}))
    held, said, looks = broker.judged(held, later, TIMING)
    assert (said, held.trusts[ANNA].worst) == ((), looks[ANNA])
    assert (looks[ANNA].allowed_mw, looks[ANNA].drawn_mw, looks[ANNA].round) == (0, 20_000, 2)


def test_round_says_for_how_long_each_grant_counts() -> None:
    held = broker.judged(office((ANNA, wants())), NOW, TIMING)[0]
    round_ = broker.cleared(held, TOLD, NOW, may_grant=True)[2]
    counted_ns = TIMING.stretched(TIMING.grant_ns) + TIMING.margin_ns
    assert round_.lasts_ms == {ANNA: grant.holding_ms(NOW + counted_ns, NOW)}
