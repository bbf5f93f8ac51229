"""A thief on the wire of a rack that lives on: he records, replays, mutates and forges.

Fails if he changes anything at all of a rack that runs; if, while a broker crashes and a node loses
its power with all that it remembers, a promise is broken or the rack does not find back to one
broker; or if he was not tried on every check. Without the envelope the same thief does change what
happens: else he would prove little.
"""

from __future__ import annotations

import pytest
from tests.simulation.impostor import Air, Thief

from rackgrid.simulation.recipe import rack, seconds
from rackgrid.simulation.world import World
from rackgrid.wire.vocabulary import RejectReason

SEEDS = range(3)


def lived(seed: int, *, sealed: bool = True, robbed: bool = True) -> tuple[World, Air, Thief]:
    """A rack that runs for ten seconds, the last two of them with a thief, if there is one."""
    world = rack(seed)
    air = Air(world, sealed=sealed)
    thief = Thief(air, seed)
    world.run(seconds(8))
    if robbed:
        thief.begin()
    world.run(seconds(10))
    return world, air, thief


@pytest.mark.parametrize("seed", SEEDS)
def test_thief_changes_nothing_of_a_rack_that_runs(seed: int) -> None:
    world, air, _ = lived(seed)
    alone, _, _ = lived(seed, robbed=False)
    assert world.transcript.lines == alone.transcript.lines
    assert world.agreed()
    tried = {RejectReason.BAD_MAC, RejectReason.REPLAYED, RejectReason.WRONG_DIRECTION}
    assert tried <= set(air.rejected), air.rejected


def test_thief_of_a_rack_without_an_envelope_changes_what_happens() -> None:
    ruined = 0
    for seed in SEEDS:
        world, _, _ = lived(seed, sealed=False)
        alone, _, _ = lived(seed, sealed=False, robbed=False)
        assert alone.agreed()
        ruined += world.transcript.lines != alone.transcript.lines
    assert ruined == len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_thief_breaks_no_promise_while_nodes_restart_and_the_rack_is_one_again(seed: int) -> None:
    world, air, thief = lived(seed)
    (broker,) = world.brokers()
    world.kill(broker)
    world.run(seconds(11))
    world.boot(broker)
    world.run(seconds(14))
    world.power_cycle(next(seat for seat in world.seats.values() if seat not in world.brokers()))
    world.run(seconds(18))
    thief.end()
    world.run(seconds(26))
    assert world.checker.violations == [], world.transcript.lines[-40:]
    assert world.agreed(), world.transcript.lines[-20:]
    assert air.rejected[RejectReason.REPLAYED] > 100
