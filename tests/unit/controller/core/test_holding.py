"""A holding comes down only after the outputs have followed."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core.stage import board, output

from rackgrid.core import holding
from rackgrid.core.holding import Commanded
from rackgrid.core.settings import MS_NS

NOW = 10**12
LATER = NOW + 10**9
LAMP_ON = output("lamp", on=True, since_ns=NOW - 10**9, deadline_ns=LATER)


def test_command_first_one_lasts_until_its_own_deadline() -> None:
    assert holding.command_after(board(), None, 1, LATER) == Commanded(1, LATER, LATER)


def test_command_release_after_a_hold_may_still_see_that_hold_begin() -> None:
    """A start that waits for its turn shows nowhere, and may happen before the release arrives."""
    decided = replace(board(), handled=1)
    told = holding.command_after(decided, Commanded(1, LATER, LATER), 2, 0)
    assert told == Commanded(2, 0, LATER)
    assert holding.reserve_mw(decided, {"lamp": told}, "lamp", NOW) == 9000


def test_command_two_releases_in_flight_remember_the_hold_before_them() -> None:
    first = holding.command_after(board(), Commanded(1, LATER, LATER), 2, 0)
    assert holding.command_after(board(), first, 3, 0).latest_ns == LATER


def test_command_release_after_a_handled_release_remembers_nothing() -> None:
    made = replace(board(), handled=2)
    assert holding.command_after(made, Commanded(2, 0, LATER), 3, 0).latest_ns == 0


def test_reserve_hold_under_way_counts_with_the_inrush_until_it_is_decided() -> None:
    told = {"lamp": Commanded(1, LATER, LATER)}
    assert holding.reserve_mw(board(), told, "lamp", NOW) == 9000
    assert holding.reserve_mw(replace(board(), handled=1), told, "lamp", NOW) == 0
    assert holding.reserve_mw(board(), told, "lamp", LATER) == 0


def test_reserve_what_the_firmware_shows_stands_above_what_is_under_way() -> None:
    told = {"lamp": Commanded(1, LATER, LATER)}
    assert holding.reserve_mw(board(LAMP_ON), told, "lamp", NOW) == 6000


def test_switched_adds_up_the_flexible_outputs() -> None:
    pump = output("pump", on=True, since_ns=NOW, deadline_ns=LATER)
    assert holding.switched_mw(board(LAMP_ON, pump), {}, NOW) == 6000 + 6000
    assert holding.switched_mw(board(), {}, NOW) == 0


def test_until_is_the_last_deadline_shown_or_under_way() -> None:
    assert holding.until_ns(board(), {}, NOW) == NOW
    assert holding.until_ns(board(LAMP_ON), {}, NOW) == LATER
    told = {"pump": Commanded(1, LATER + 5, LATER + 5)}
    assert holding.until_ns(board(LAMP_ON), told, NOW) == LATER + 5
    assert holding.until_ns(replace(board(LAMP_ON), handled=1), told, NOW) == LATER


def test_room_a_start_needs_its_inrush() -> None:
    assert holding.has_room(board(), {}, "lamp", 9000, NOW)
    assert not holding.has_room(board(), {}, "lamp", 8999, NOW)


def test_room_what_is_still_on_or_on_its_way_counts_first() -> None:
    assert not holding.has_room(board(LAMP_ON), {}, "pump", 6000 + 5999, NOW)
    assert holding.has_room(board(LAMP_ON), {}, "pump", 6000 + 6000, NOW)
    told = {"lamp": Commanded(1, LATER, LATER)}
    assert not holding.has_room(board(), told, "pump", 9000 + 5999, NOW + MS_NS)
