"""Scenarios as a whole: nobody required goes short, nothing is overdrawn, every unit adds up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.unit.controller.simulation.scenario.day import NAMES, day, loads_of

from rackgrid.market.row import MJ_UC_PER_NC
from rackgrid.simulation.scenario import library
from rackgrid.simulation.scenario.bill import UNOFFERED
from rackgrid.simulation.scenario.rack import STAGGER_S, played
from rackgrid.simulation.scenario.result import figures, most_switches
from rackgrid.simulation.scenario.work import DAY_MINUTES, Due, Kept

each = pytest.mark.parametrize("name", NAMES)
SWITCHES_MAX = 30
"""Of one load on the first day, under clouds, too."""


@each
def test_scenario_serves_what_is_required_within_the_capacity(name: str) -> None:
    run = day(name)
    assert run.unserved_mj == 0
    assert len(run.minutes) == DAY_MINUTES
    assert all(minute.peak_mw <= minute.capacity_mw for minute in run.minutes)


@each
def test_scenario_meets_its_deadlines_and_keeps_its_temperatures(name: str) -> None:
    works = [load.work for load in loads_of(day(name))]
    assert sum(work.late_mj for work in works if isinstance(work, Due)) == 0
    # A feed that is lost for 25 minutes may let a fridge get a little warm.
    warm = sum(work.out_minutes for work in works if isinstance(work, Kept))
    assert warm <= (60 if name == "black-start" else 0)


@each
def test_scenario_energy_balances_to_the_last_unit(name: str) -> None:
    run = day(name)
    for minute in run.minutes:
        assert sum(minute.sources_mj.values()) == minute.drawn_mj + minute.bought_mj
        if name != "greedy-node":
            assert UNOFFERED not in minute.sources_mj
    drawn_mj = sum(minute.drawn_mj for minute in run.minutes)
    assert sum(run.counters_mj().values()) == drawn_mj == run.books.energy_mj


@each
def test_scenario_rows_hold_the_money_of_every_minute(name: str) -> None:
    run = day(name)
    exact = sum((m.price_uc or 0) * m.drawn_mj for m in run.minutes)
    left = exact - run.books.cost_nc * MJ_UC_PER_NC
    assert 0 <= left < len(run.counters_mj()) * MJ_UC_PER_NC  # each account rounds down once
    assert run.books.rows > 36


@each
def test_scenario_is_the_same_every_time_and_another_with_another_seed(name: str) -> None:
    again = played(library.scenario(name), 1, 1)
    assert again.digest == day(name).digest
    assert figures(again) == figures(day(name))


def test_scenario_with_another_seed_is_another_day() -> None:
    assert day("sunny-day").digest != day("sunny-day", 2).digest


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("name", ["sunny-day", "black-start"])
def test_scenario_promises_hold_for_other_racks(name: str, seed: int) -> None:
    run = day(name, seed)
    assert run.unserved_mj == 0
    assert all(minute.peak_mw <= minute.capacity_mw for minute in run.minutes)


@each
def test_scenario_spares_its_contacts_and_gives_little_welfare_away(name: str) -> None:
    run = day(name)
    assert most_switches(run) <= SWITCHES_MAX
    assert run.judged_rounds > 80
    assert run.welfare >= 0.98 * run.optimum > 0


def test_sunny_day_is_a_quarter_cheaper_than_all_on_all_day() -> None:
    found = figures(day("sunny-day"))
    cost, all_on = found["cost"], found["all_on_cost"]
    assert isinstance(cost, float)
    assert isinstance(all_on, float)
    assert cost <= 0.75 * all_on
    assert most_switches(day("sunny-day")) <= 20


def test_black_start_brings_loads_back_in_the_order_of_their_worth_one_by_one() -> None:
    run = day("black-start")
    lost = run.scenario.lost
    assert all(run.minutes[minute].peak_mw == 0 for minute in lost)
    assert all(not any(run.minutes[minute].on) for minute in lost)
    back = [start for start in run.starts if start.minute >= lost.stop]
    first = [start for start in back if start.minute == lost.stop]
    assert len(first) > 2
    assert [start.second for start in first] == [STAGGER_S * n for n in range(len(first))]
    assert all(a.worth_uc >= b.worth_uc for a, b in pairwise(first))
    # Whoever had to wait for the inrush of the others is worth less than whoever had to run.
    assert {start.minute for start in back} > {lost.stop}
    assert max(minute.peak_mw for minute in run.minutes[lost.stop :]) <= run.scenario.capacity_mw


def test_greedy_node_is_learned_flagged_and_granted_less() -> None:
    run = day("greedy-node")
    assert {run.nodes[number - 1].name for number in run.flagged} == {"node-02"}
    greedy = run.nodes[run.scenario.greedy - 1]
    assert any(load.nominal_mw > load.plate_mw for load in greedy.loads)
    honest = [load for load in loads_of(run) if load not in greedy.loads]
    assert all(load.nominal_mw == load.plate_mw for load in honest)
    assert all(not record.lies for number, record in run.records.items() if number != 2)


def test_battery_never_buys_and_sells_at_once() -> None:
    run = day("evening-peak")
    assert any(minute.bought_mj for minute in run.minutes)
    sold = [minute for minute in run.minutes if minute.sources_mj.get("battery")]
    assert sold
    assert all(not minute.bought_mj for minute in sold)
    battery = run.scenario.battery
    assert battery is not None
    assert all(battery.low_mj <= minute.stored_mj <= battery.high_mj for minute in run.minutes)


def test_feed_that_carries_less_than_the_floors_leaves_them_unserved_and_says_so() -> None:
    small = library.Scenario("small", library.scenario("sunny-day").tariff, capacity_mw=25_000)
    run = played(small, 1, 1)
    assert run.unserved_mj > 0
    assert all(minute.peak_mw <= 25_000 for minute in run.minutes)
    assert not run.starts
