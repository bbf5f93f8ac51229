"""The reserve covers what is plugged in and not admitted, also where sources are the limit."""

from __future__ import annotations

from rackgrid.simulation.fault import Leave, Sun
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import Script, Timed


def test_reserve_is_kept_where_the_sources_give_less_than_the_capacity() -> None:
    """Fails if the reserve is taken from the capacity and the sources are given out whole."""
    timed = (Timed(seconds(5), Sun(0)), Timed(seconds(12), Leave(3)))
    outcome = run(Script(1, 5, 28, 60_000, 15_000, 5_000, timed))
    assert outcome.violations == ()
