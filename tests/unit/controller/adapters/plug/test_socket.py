"""Fails if a fact of the configuration does not reach the guard."""

from __future__ import annotations

from tests.unit.controller.adapters.plug.lamp import Clock, Lamp

from rackgrid.adapters.plug.socket import Socket
from rackgrid_firmware.guard import Rule


def test_socket_that_says_only_its_dwell_is_held_to_nothing_else() -> None:
    socket = Socket("heater", Lamp(Clock()), 40_000, 60_000, 5, 7, 9)
    assert socket.rule == Rule("heater", False, 7, 9)
