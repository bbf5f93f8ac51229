"""A round: what is bid is what is granted, refused things are no grant, excess counts as floor."""

from __future__ import annotations

import random

from rackgrid.market.honesty import Record
from rackgrid.simulation.scenario import library, sky
from rackgrid.simulation.scenario.round import BANK, Grant, cleared, limits
from rackgrid.simulation.scenario.run import Run
from rackgrid.simulation.scenario.work import Kept, Moment

NOON = 12 * 60


def run_of(name: str) -> Run:
    chance = random.Random(1)
    scenario = library.scenario(name)
    return Run(scenario, 1, chance, library.nodes(chance), sky.shades(chance, 1, 0))


def test_round_grants_the_stages_that_its_clearing_serves() -> None:
    run = run_of("sunny-day")
    now = cleared(run, NOON)
    assert now.clearing is not None
    grants = now.grants()
    assert sum(grant.counted_mw for grant in grants.values()) == now.clearing.reserved_mw
    for name, grant in grants.items():
        steps = [
            s
            for b in now.bids
            for s, of in zip(b.steps, now.asked[b.bidder], strict=True)
            if of == name
        ]
        assert grant.counted_mw == sum(step.reserve_mw for step in steps[: grant.stages])
    assert set(grants) <= set(now.worths_uc())
    assert now.price_uc == now.clearing.price_uc


def test_round_counts_a_flagged_node_with_its_share() -> None:
    run = run_of("sunny-day")
    run.records[1] = Record(3, 2_000)
    fridge = run.nodes[0].loads[0]
    assert isinstance(fridge.work, Kept)
    fridge.work.mc = fridge.work.bounds.high_mc
    (asked,) = fridge.steps(Moment(NOON))
    assert cleared(run, NOON).grants()[fridge.name] == Grant(1, 2 * asked.reserve_mw)


def test_round_counts_excess_as_floor_and_asks_nothing_for_the_defiant() -> None:
    run = run_of("sunny-day")
    floors, capacity = limits(run)
    run.defiant, run.excess_mw = run.nodes[1].loads[0], 12_345
    assert limits(run) == (floors + 12_345, capacity)
    assert run.defiant.name not in cleared(run, NOON).worths_uc()


def test_round_without_a_feed_has_no_price_and_grants_nothing() -> None:
    run = run_of("black-start")
    now = cleared(run, run.scenario.lost.start)
    assert (now.price_uc, now.grants(), now.bought_mw, now.offers) == (None, {}, 0, ())
    assert now.worths_uc()


def test_round_has_the_battery_bid_and_offer() -> None:
    run = run_of("evening-peak")
    battery = run.scenario.battery
    assert battery is not None
    run.stored_mj = battery.low_mj
    now = cleared(run, 0)
    assert now.bids[-1].bidder == BANK
    assert now.bought_mw == battery.buys_mw
    assert "battery" not in {offer.source for offer in now.offers}
    run.stored_mj = battery.high_mj
    assert "battery" in {offer.source for offer in cleared(run, 1).offers}


def test_round_lets_nobody_burn_more_than_is_allowed() -> None:
    run = run_of("negative-noon")
    dump = next(load for node in run.nodes for load in node.loads if load.name == "dump-07")
    assert dump.name in cleared(run, NOON).worths_uc()
    tight = library.Scenario("tight", run.scenario.tariff, burn_max_mw=dump.nominal_mw - 1)
    run.scenario = tight
    assert dump.name not in cleared(run, NOON).worths_uc()
