"""I6: contacts that move too early are found, and no others."""

from __future__ import annotations

import pytest

from rackgrid.simulation.dwell import Dwell
from rackgrid_firmware.link import OutputSpec

MS = 1_000_000
PUMP = OutputSpec("pump", False, 4000, 6000, 0, 1000 * MS, 2000 * MS, "m")
LAMP = OutputSpec("lamp", False, 4000, 6000, 0, 0, 0, "m")


class Watched:
    """One node's contacts, and what was complained of."""

    def __init__(self) -> None:
        self.dwell = Dwell(50 * MS)
        self.said: list[str] = []

    def moves(self, at_ms: int, spec: OutputSpec, *, on: bool, cause: str = "held") -> list[str]:
        before = len(self.said)
        self.dwell.switched(at_ms * MS, spec, on=on, cause=cause, complain=self.said.append)
        return self.said[before:]


@pytest.mark.parametrize(("after_ms", "wrong"), [(999, True), (1000, False)])
def test_dwell_released_inside_its_min_on_is_found(after_ms: int, wrong: bool) -> None:
    watched = Watched()
    assert watched.moves(0, PUMP, on=True) == []
    said = watched.moves(after_ms, PUMP, on=False, cause="released")
    assert said == (["I6 pump ends after 999.0 ms on"] if wrong else [])


@pytest.mark.parametrize(("after_ms", "wrong"), [(1999, True), (2000, False)])
def test_dwell_started_inside_its_min_off_is_found(after_ms: int, wrong: bool) -> None:
    watched = Watched()
    watched.moves(0, PUMP, on=False, cause="released")
    said = watched.moves(after_ms, PUMP, on=True)
    assert said == (["I6 pump starts after 1999.0 ms off"] if wrong else [])


@pytest.mark.parametrize(("after_ms", "wrong"), [(49, True), (50, False)])
def test_dwell_two_starts_within_the_stagger_are_found(after_ms: int, wrong: bool) -> None:
    watched = Watched()
    watched.moves(0, LAMP, on=True)
    said = watched.moves(after_ms, PUMP, on=True)
    assert said == (["I6 pump starts 49.0 ms after another load"] if wrong else [])


def test_dwell_deadline_and_urgent_release_need_not_wait() -> None:
    watched = Watched()
    watched.moves(0, PUMP, on=True)
    assert watched.moves(5, PUMP, on=False, cause="deadline") == []
    watched.dwell.released("lamp", urgent=True)
    slow = OutputSpec("lamp", False, 4000, 6000, 0, 1000 * MS, 0, "m")
    watched.moves(100, slow, on=True)
    assert watched.moves(105, slow, on=False, cause="released") == []
    watched.dwell.released("lamp", urgent=False)
    watched.moves(200, slow, on=True)
    assert len(watched.moves(205, slow, on=False, cause="released")) == 1


def test_dwell_power_lost_opens_all_and_starts_the_clock_anew() -> None:
    watched = Watched()
    watched.moves(10_000, LAMP, on=True)
    watched.dwell.lost_power(5 * MS, ["pump", "lamp"])
    assert watched.moves(10, LAMP, on=True) == []
    assert len(watched.moves(100, PUMP, on=True)) == 1
