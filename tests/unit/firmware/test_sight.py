"""Fails if what is dimmed is judged by how little it draws."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.firmware.seen import LAMP, S, Seen, on

from rackgrid_firmware.device import Verdict
from rackgrid_firmware.protection import (
    ACCUSED_AFTER,
    ACQUITTED_AFTER,
    Watch,
)

HEATER = Watch("lamp", "own", False, most_w=24.0, discharge_ns=S, least_w=20.0)


def test_dimmed_load_below_its_least_draw_is_not_stuck_and_at_full_power_it_is() -> None:
    seen = on(HEATER)
    seen.move("lamp", True, 100)
    seen.settle(2.4)
    assert seen.read(0.0, samples=100) == []
    assert seen.verdict() is Verdict.UNKNOWN
    assert seen.read(2.4, samples=100) == []
    assert seen.verdict() is Verdict.OK
    seen.move("lamp", True)
    seen.settle(2.4)
    (trip,) = seen.read(2.4, samples=ACCUSED_AFTER)
    assert trip.reason.startswith("stuck open")


def test_dimmed_load_that_draws_is_ok_and_welded_once_it_is_off_and_draws() -> None:
    seen = Seen((replace(HEATER, least_w=0.0),))
    seen.move("lamp", True, 300)
    seen.settle(7.0)
    seen.read(7.0, samples=ACQUITTED_AFTER)
    assert seen.verdict() is Verdict.OK
    seen.move("lamp", False)
    seen.settle(24.0)
    (trip,) = seen.read(24.0, samples=ACCUSED_AFTER)
    assert trip.is_welded


def test_level_begins_an_inrush_in_which_no_neighbour_is_accused_of_it() -> None:
    motor = Watch("motor", "own", False, most_w=10.0, inrush_ns=2 * S)
    seen = Seen((motor, LAMP))
    seen.move("motor", True, 200)
    seen.settle(2.0)
    seen.move("motor", True, 1000)
    assert seen.read(40.0, samples=25) == []
    assert seen.read(10.0, samples=25) == []
    seen.read(40.0, samples=ACCUSED_AFTER)
    assert seen.verdict() is Verdict.WELDED
