"""A battery: charge is conserved, its ends are ends, and its converter takes its part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.battery import Battery, cell_volts
from rackgrid_firmware.profile_mock import SourceMock

S = 1_000_000_000
PACK = SourceMock(
    kind="battery", capacity_ah=1.0, charge=0.5, cells=4, ohms=0.05, give_w_max=50, take_w_max=40
)


def run(battery: Battery, until_ns: int) -> float:
    """Let time pass; the energy that it gave to the rail, J."""
    given_j, at_ns = 0.0, 0
    while at_ns < until_ns:
        next_ns = min(until_ns, battery.next_ns or until_ns)
        given_j += battery.watts * (next_ns - at_ns) / S
        battery.advance(next_ns)
        at_ns = next_ns
    return given_j


def test_cell_voltage_grows_with_the_charge_and_is_flat_between() -> None:
    volts = [cell_volts(step / 200) for step in range(201)]
    assert volts == sorted(volts)
    assert (volts[0], volts[-1]) == (2.5, 3.45)
    assert cell_volts(0.6) - cell_volts(0.4) < 0.03


def test_battery_that_rests_keeps_its_charge_and_shows_its_open_voltage() -> None:
    battery = Battery(0, PACK, 0.0)
    assert battery.next_ns is None
    assert battery.charge(10_000 * S) == 0.5
    assert battery.terminals == (pytest.approx(4 * cell_volts(0.5)), 0.0)


def test_battery_gives_through_its_converter_and_sags() -> None:
    battery = Battery(0, PACK, 38.0)
    volts, amps = battery.terminals or (0.0, 0.0)
    assert battery.watts == pytest.approx(38.0)
    assert volts * amps == pytest.approx(38.0 / 0.95)
    assert volts == pytest.approx(4 * cell_volts(0.5) - 0.05 * amps)


def test_battery_gives_and_takes_no_more_than_its_converter_can() -> None:
    assert Battery(0, PACK, 500.0).watts == pytest.approx(50.0)
    assert Battery(0, PACK, -500.0).watts == pytest.approx(-40.0)


@pytest.mark.parametrize(("watts", "end"), [(30.0, 0.0), (-30.0, 1.0)])
def test_battery_ends_empty_or_full_and_then_rests(watts: float, end: float) -> None:
    battery = Battery(0, PACK, watts)
    run(battery, 2 * 3600 * S)
    assert battery.charge(2 * 3600 * S) == pytest.approx(end, abs=1e-6)
    assert battery.watts == 0.0


def test_battery_rests_while_the_rail_is_dead() -> None:
    battery = Battery(0, PACK, 30.0)
    battery.follow(60 * S, rail_lives=False)
    assert battery.watts == 0.0
    before = battery.charge(60 * S)
    battery.follow(600 * S, rail_lives=True)
    assert battery.charge(600 * S) == before
    assert battery.watts == pytest.approx(30.0)


@given(st.floats(-40, 50), st.integers(1, 3600), st.integers(1, 50))
def test_battery_charge_does_not_depend_on_how_often_one_looks(
    watts: float, seconds: int, looks: int
) -> None:
    once, often = Battery(0, PACK, watts), Battery(0, PACK, watts)
    once.advance(seconds * S)
    for look in range(1, looks + 1):
        often.advance(seconds * S * look // looks)
    assert once.charge(seconds * S) == often.charge(seconds * S)
    assert once.watts == often.watts
