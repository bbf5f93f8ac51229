"""Fails if a fact of the configuration does not reach the guard."""

from __future__ import annotations

from tests.unit.controller.adapters.plug.lamp import Clock, Lamp

from rackgrid.adapters.plug.socket import Socket
from rackgrid_firmware.guard import Rule


def test_socket_that_says_only_its_dwell_is_held_to_nothing_else() -> None:
    socket = Socket("heater", Lamp(Clock()), 40_000, 60_000, 5, 7, 9)
    assert socket.rule == Rule("heater", False, 7, 9)


def test_socket_hands_the_guard_all_that_is_said_of_it() -> None:
    socket = Socket(
        *("heater", Lamp(Clock()), 40_000, 30_000, 5, 7, 9),
        hold_ns=11,
        switches_per_day=12,
        not_with=("boiler",),
        dead_ns=13,
        calm_until_ns=14,
        contact_life=15,
    )
    assert socket.rule == Rule(*("heater", False, 7, 9, 11, 12, ("boiler",), 13), calm_until_ns=14)
    spec = socket.spec("plug/heater", is_floor=True)
    assert (spec.required, spec.meter, spec.contact_life) == (True, "plug/heater", 15)
    assert spec.inrush_mw == 40_000, "a start takes at least what running takes"
    assert spec.inrush_ns == 5 + socket.actuator.timer.deliver_ns


def test_socket_without_rivals_has_no_dead_time() -> None:
    assert Socket("heater", Lamp(Clock()), 1, 1, 0, 0, 0, dead_ns=13).rule.dead_ns == 0
