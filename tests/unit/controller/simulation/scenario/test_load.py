"""Loads: guards, levels, meters, and those that take more than they say."""

from __future__ import annotations

from rackgrid.market.choice import stay_uc
from rackgrid.market.modulating import Ladder
from rackgrid.simulation.scenario.load import INRUSH, START_COST_NC, USUAL_RUN_NS, Load
from rackgrid.simulation.scenario.work import MINUTE_S, PRICE_CAP_UC, Dimmed, Moment, Steady

PLATE = 10_000
LADDER = Ladder((3_000, 6_000), (300_000, 100_000))


def lamp(worth: int = 100_000) -> Load:
    return Load("lamp", Steady(worth), PLATE, min_on=10, min_off=5)


def fan() -> Load:
    return Load("fan", Dimmed(LADDER), 6_000, min_on=10, min_off=5)


def test_load_that_is_off_bids_its_worth_and_reserves_its_inrush() -> None:
    (step,) = lamp().steps(Moment(0))
    assert (step.power_mw, step.running) == (PLATE, False)
    assert step.worth_uc == 100_000 - stay_uc(START_COST_NC, PLATE, USUAL_RUN_NS)
    assert step.reserve_mw == PLATE * INRUSH


def test_load_inside_its_guards_bids_the_cap_or_nothing() -> None:
    load = lamp()
    assert load.switch(1, 0)
    assert load.steps(Moment(9))[0].worth_uc == PRICE_CAP_UC
    assert 100_000 < load.steps(Moment(10))[0].worth_uc < PRICE_CAP_UC
    assert not load.switch(0, 12)
    assert load.steps(Moment(16)) == ()
    assert load.steps(Moment(17))
    assert load.switches == 2


def test_load_that_goes_on_is_not_switched() -> None:
    load = lamp()
    load.switch(1, 0)
    assert not load.switch(1, 1)
    assert (load.since, load.switches) == (0, 1)


def test_load_counts_what_it_took_since_it_started() -> None:
    load = lamp()
    load.switch(1, 0)
    assert load.lived(Moment(0), MINUTE_S - 4) == PLATE * 56
    assert load.lived(Moment(1), MINUTE_S) == PLATE * 60
    assert load.counter_mj == PLATE * 116


def test_load_that_takes_more_is_learned_and_reserved() -> None:
    load = lamp()
    load.takes_permille = 1_500
    load.switch(1, 0)
    load.lived(Moment(0), MINUTE_S)
    (step,) = load.steps(Moment(1))
    assert (step.power_mw, step.reserve_mw) == (15_000, 15_000)
    load.switch(0, 20)
    assert load.draw_mw == 0
    assert load.nominal_mw == 15_000
    assert load.steps(Moment(40))[0].reserve_mw == 30_000


def test_dimmed_starts_at_its_least_level_and_runs_at_the_stage_that_is_served() -> None:
    load = fan()
    (first,) = load.steps(Moment(0))
    assert (first.power_mw, first.reserve_mw) == (3_000, 6_000)
    assert load.switch(1, 0)
    assert (load.draw_mw, load.inrush_mw) == (3_000, 3_000)
    assert [step.running for step in load.steps(Moment(1))] == [True, False]
    assert [step.reserve_mw for step in load.steps(Moment(1))] == [6_000, 0]
    assert not load.switch(2, 1)
    assert (load.draw_mw, load.switches) == (6_000, 1)
    load.lived(Moment(1), MINUTE_S)
    assert load.nominal_mw == 6_000
    load.switch(0, 2)
    assert load.steps(Moment(3)) == ()


def test_load_that_wants_nothing_bids_nothing() -> None:
    idle = Load("idle", Dimmed(), PLATE, 0, 0)
    assert idle.steps(Moment(0)) == ()
