"""Scripts of faults, many seeds: nothing is ever oversubscribed, and healing brings one rack back.

A failing seed is in the test's name; `rackgrid sim --replay SEED` runs the same.
"""

from __future__ import annotations

import pytest

from rackgrid.simulation.plot import RHO_PPM
from rackgrid.simulation.recipe import rack, seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import scripted

SEEDS = 16


@pytest.mark.parametrize("seed", range(SEEDS))
def test_swarm_any_faults_break_no_promise_and_healing_makes_one_rack(seed: int) -> None:
    outcome = run(scripted(seed, 5, 24))
    assert outcome.violations == (), outcome.lines[-40:]


@pytest.mark.parametrize("seed", [505488, 517013, 517866, 813907, 1010891])
def test_swarm_seed_that_once_broke_a_promise_breaks_none(seed: int) -> None:
    """An unfounded rack that waits for the dead; a misread meter as a title to start a load; a
    newer roster that only a node without a vote had, so that every broker gave the office up; a
    node that was restarted twice within one pledge, and counted beside its heir until that ended; a
    spell of standing still that waited for a clearing, and struck a broker long after the healing.
    """
    outcome = run(scripted(seed, 5, 30))
    assert outcome.violations == (), outcome.lines[-40:]


@pytest.mark.parametrize("nodes", [2, 3, 4, 7])
def test_swarm_other_sizes_break_no_promise_either(nodes: int) -> None:
    outcome = run(scripted(1, nodes, 20))
    assert outcome.violations == (), outcome.lines[-40:]


def test_swarm_comes_near_the_limit_else_it_would_prove_little() -> None:
    """Of a feed of 60 W, 55 W and more are drawn: the limit is a limit."""
    world = rack(0, capacity_w=60, rho_ppm=RHO_PPM)
    world.run(seconds(10))
    assert world.checker.peak_mw >= 55_000
