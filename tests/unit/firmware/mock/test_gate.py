"""Timers and thermostats: they move at moments that follow from their past alone."""

from __future__ import annotations

import math

import pytest

from rackgrid_firmware.mock.gate import Open, Thermostat, Timer, gate
from rackgrid_firmware.profile_mock import LoadMock

S = 1_000_000_000
FRIDGE = LoadMock(
    kind="thermal", ambient_c=20.0, reach_c=-20.0, settle_s=1000.0, low_c=3.0, high_c=7.0
)
HEATER = LoadMock(
    kind="thermal", ambient_c=10.0, reach_c=60.0, settle_s=100.0, low_c=20.0, high_c=25.0
)


def test_gate_of_a_plain_load_is_always_on() -> None:
    made = gate(0, LoadMock())
    assert isinstance(made, Open)
    assert (made.is_on, made.next_ns) == (True, None)


def test_timer_runs_from_the_moment_that_power_comes() -> None:
    made = gate(0, LoadMock(kind="cycle", period_s=10.0, duty=0.3))
    assert isinstance(made, Timer)
    made.power(5 * S, True)
    assert (made.is_on, made.next_ns) == (True, 8 * S)
    made.turn(8 * S)
    assert (made.is_on, made.next_ns) == (False, 15 * S)
    made.turn(15 * S)
    assert (made.is_on, made.next_ns) == (True, 18 * S)
    made.power(16 * S, False)
    assert made.next_ns is None


@pytest.mark.parametrize(("duty", "is_on"), [(0.0, False), (1.0, True)])
def test_timer_that_never_moves(duty: float, is_on: bool) -> None:
    timer = Timer(10.0, duty)
    timer.power(0, True)
    assert (timer.is_on, timer.next_ns) == (is_on, None)


def test_thermostat_cools_between_its_bounds_by_newtons_law() -> None:
    fridge = Thermostat(0, FRIDGE)
    assert fridge.is_on, "it starts warm"
    fridge.power(0, True)
    first_ns = fridge.next_ns
    assert first_ns is not None
    assert first_ns / S == pytest.approx(1000 * math.log(40 / 23))
    assert fridge.celsius(first_ns) == pytest.approx(3.0)
    fridge.turn(first_ns)
    assert not fridge.is_on
    second_ns = fridge.next_ns
    assert second_ns is not None
    assert (second_ns - first_ns) / S == pytest.approx(1000 * math.log(17 / 13))
    fridge.turn(second_ns)
    assert (fridge.is_on, fridge.celsius(second_ns)) == (True, pytest.approx(7.0))


def test_thermostat_without_power_goes_to_ambient_and_asks_all_the_time() -> None:
    heater = Thermostat(0, HEATER)
    heater.power(0, True)
    heater.power(20 * S, False)
    assert heater.celsius(20 * S) > 18
    assert heater.celsius(10_000 * S) == pytest.approx(10.0)
    assert heater.is_on
    assert heater.next_ns is None


def test_thermostat_in_another_temperature_moves_otherwise() -> None:
    fridge = Thermostat(0, FRIDGE)
    fridge.power(0, True)
    usual_ns = fridge.next_ns
    fridge.surround(0, 30.0)
    hot_ns = fridge.next_ns
    assert usual_ns is not None
    assert hot_ns is not None
    assert hot_ns > usual_ns


def test_thermostat_that_cannot_reach_its_bound_runs_for_ever() -> None:
    fridge = Thermostat(0, FRIDGE)
    fridge.power(0, True)
    fridge.surround(0, 60.0)
    assert fridge.next_ns is None
