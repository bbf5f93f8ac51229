"""From the group's words to the market's: steps, bids, offers, and who is served first."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core.stage import START_NS, TIMING, UC, board, output, report, step

from rackgrid.core import grant, tender
from rackgrid.core.grant import Account
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import BootId, NodeId
from rackgrid.market.clearing import clear
from rackgrid.market.curve import Step
from rackgrid.market.offer import Offer
from rackgrid.wire.message import OfferReport, Report, StepReport
from rackgrid_firmware.link import OutputState

NOW = START_NS
ANNA, BERT = NodeId(1), NodeId(2)


def account(node: NodeId, said: Report) -> Account:
    return grant.opened(node, BootId(node), said, NOW, NOW, TIMING)


def bidding(node: NodeId, *steps: StepReport, holding_mw: int = 0) -> Account:
    said = report(1, steps=steps, holding_mw=holding_mw, holding_ms=2000)
    return account(node, said)


def step_of(state: OutputState) -> Step | None:
    return tender.step(board(state), state, 400_000, 10 * UC, NOW)


def test_step_of_a_load_that_is_off_reserves_its_inrush() -> None:
    assert step_of(output("lamp")) == Step(400_000, 6000, 9000, running=False)


def test_step_of_a_load_that_runs_reserves_its_nameplate() -> None:
    state = output("lamp", on=True, since_ns=NOW - SECOND_NS, deadline_ns=NOW + SECOND_NS)
    assert step_of(state) == Step(400_000, 6000, 6000, running=True)


def test_step_inside_its_dwell_bids_the_cap_or_not_at_all() -> None:
    later_ns = NOW + SECOND_NS
    held = output("lamp", on=True, deadline_ns=later_ns, may_switch_ns=later_ns)
    made = step_of(held)
    assert made is not None
    assert made.worth_uc == 10 * UC
    assert step_of(output("lamp", may_switch_ns=later_ns)) is None


def test_bid_is_the_report_in_the_markets_words() -> None:
    said = replace(report(1, steps=(step(5, 1000, 1500, running=True),)), received_mj=77)
    bid = tender.bid(account(ANNA, said))
    assert (bid.bidder, bid.steps, bid.received_mj) == (ANNA, (Step(5, 1000, 1500, True),), 77)


def test_offers_of_one_source_are_merged_to_the_least_power_at_the_highest_price() -> None:
    one = account(ANNA, report(1, offers=(OfferReport("sun", 100, 50), OfferReport("a", 1, 2))))
    other = account(BERT, report(1, offers=(OfferReport("sun", 300, 40),)))
    assert tender.offers([one, other]) == [Offer("a", 1, 2), Offer("sun", 300, 40)]


def test_merit_serves_those_who_raise_nothing_first_and_then_the_dearest() -> None:
    keeps = bidding(NodeId(1), step(1, 6000, running=True), holding_mw=6000)
    cheap, dear = bidding(NodeId(2), step(5, 1000)), bidding(NodeId(3), step(9, 1000))
    accounts = [cheap, dear, keeps]
    bids, grid = [tender.bid(a) for a in accounts], [Offer("grid", 0, 60_000)]
    done = clear(bids, grid, floors_mw=0, capacity_mw=60_000, price_cap_uc=10 * UC)
    assert sorted(accounts, key=lambda a: tender.merit(a, done, NOW)) == [keeps, dear, cheap]
