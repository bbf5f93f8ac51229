"""From the group's words to the market's: steps, bids, offers, and who is served first."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core.stage import START_NS, TIMING, UC, board, output, report, step

from rackgrid.core import grant, tender
from rackgrid.core.grant import Account
from rackgrid.core.settings import SECOND_NS, LoadSettings
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


# --- what modulates ---------------------------------------------------------------------------

DIMMER = LoadSettings("lamp", "lamp", 400_000, (400_000, 300_000, 200_000))


def stages_of(state: OutputState, load: LoadSettings = DIMMER, least: int = 200) -> list[Step]:
    known = board(state)
    specs = {**known.specs, "lamp": replace(known.specs["lamp"], min_level=least)}
    return list(
        tender.steps(replace(known, specs=specs), state, load, load.worth_uc or 0, 10 * UC, NOW)
    )


def lit(level: int, may_switch_ns: int = 0) -> OutputState:
    since_ns, deadline_ns = NOW - SECOND_NS, NOW + SECOND_NS
    lamp = output(
        "lamp", on=True, since_ns=since_ns, deadline_ns=deadline_ns, may_switch_ns=may_switch_ns
    )
    return replace(lamp, level=level)


def test_stages_spread_from_the_least_level_to_full_power() -> None:
    assert tender.levels(200, 3) == (200, 600, 1000)
    assert tender.levels(100, 4) == (100, 400, 700, 1000)
    assert tender.levels(10, 8)[-1] == 1000
    assert tender.levels(200, 1) == (1000,)


def test_stages_while_it_is_off_are_the_first_with_all_that_it_can_take_reserved() -> None:
    assert stages_of(output("lamp")) == [Step(400_000, 1200, 9000, running=False)]


def test_stages_while_it_is_on_are_all_and_only_the_first_reserves() -> None:
    assert stages_of(lit(600)) == [
        Step(400_000, 1200, 9000, running=True),
        Step(300_000, 2400, 0, running=True),
        Step(200_000, 2400, 0, running=False),
    ]


def test_stages_inside_min_on_bid_the_cap_for_the_least_level_alone() -> None:
    later_ns = NOW + SECOND_NS
    assert [s.worth_uc for s in stages_of(lit(600, later_ns))] == [10 * UC, 300_000, 200_000]
    assert stages_of(output("lamp", may_switch_ns=later_ns)) == []


def test_stages_of_a_relay_are_one_step_whatever_the_configuration_says() -> None:
    assert [s.power_mw for s in stages_of(lit(1000), least=1000)] == [6000]


def test_stages_are_served_as_far_as_cheap_power_reaches() -> None:
    """Fails if the market gave a dimmed load all or nothing: 4 W of sun, and a dear grid."""
    said = [
        StepReport(s.worth_uc, s.power_mw, s.reserve_mw, s.running) for s in stages_of(lit(600))
    ]
    offers = [Offer("sun", 0, 4000), Offer("grid", 350_000, 60_000)]
    cleared = clear([tender.bid(bidding(ANNA, *said))], offers, 0, 60_000)
    assert (cleared.served[ANNA], cleared.allotted_mw[ANNA]) == (0b011, 9000)
    assert cleared.served_mw == 3600
    assert 200_000 <= cleared.price_uc <= 300_000
