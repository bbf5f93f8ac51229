"""Results: the figures that are promised, and the same in words."""

from __future__ import annotations

import json

import pytest
from tests.unit.controller.simulation.scenario.day import NAMES, day, loads_of

from rackgrid.simulation.scenario.result import figures, most_switches, summary

KEYS = {"energy_wh", "cost", "saving", "switches", "unserved_required_wh", "welfare_ratio"}


@pytest.mark.parametrize("name", NAMES)
def test_figures_have_the_promised_keys_and_agree_with_each_other(name: str) -> None:
    found = figures(day(name))
    assert set(found) >= KEYS
    assert json.loads(json.dumps(found)) == found
    cost, saving, flat = found["cost"], found["saving"], found["flat_tariff_cost"]
    assert isinstance(cost, float)
    assert isinstance(saving, float)
    assert cost + saving == pytest.approx(flat, abs=1e-5)
    assert found["switches"] == sum(load.switches for load in loads_of(day(name)))


@pytest.mark.parametrize("name", ["sunny-day", "cloudy-day", "price-spike"])
def test_loads_pay_no_less_than_the_sources_ask(name: str) -> None:
    found = figures(day(name))
    paid, cost = found["paid"], found["cost"]
    assert isinstance(paid, float)
    assert isinstance(cost, float)
    assert paid >= cost - 1e-5


def test_most_switches_are_those_of_one_load_on_one_day() -> None:
    run = day("sunny-day")
    assert most_switches(run) == max(load.switches for load in loads_of(run))


def test_summary_says_every_figure_that_a_person_asks_for() -> None:
    found = figures(day("sunny-day"))
    text = "\n".join(summary(found))
    for key in KEYS | {"saving_all_on", "digest"}:
        assert str(found[key]) in text
