"""The reserve covers what is plugged in and not admitted, also where sources are the limit."""

from __future__ import annotations

from rackgrid.simulation.fault import Leave, Sun
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import Script, Timed


def test_reserve_is_kept_where_the_sources_give_less_than_the_capacity() -> None:
    """Fails if the reserve is taken from the capacity and the sources are given out whole."""
    script = Script(
        seed=1,
        nodes=5,
        seconds=28,
        capacity_mw=60_000,
        sun_mw=15_000,
        reserve_mw=5_000,
        timed=(Timed(seconds(5), Sun(0)), Timed(seconds(12), Leave(3))),
    )
    assert run(script).violations == ()
