"""Random faults, many seeds: nothing is ever oversubscribed, and healing brings one rack back.

A failing seed is in the test's name; the same seed replays the same run.
"""

from __future__ import annotations

import random

import pytest
from tests.simulation.rack import rack, seconds

from rackgrid.simulation.network import Network
from rackgrid.simulation.world import World

SEEDS = 24
FAULTS = 9
RHO_PPM = 10_000


def troubled(seed: int, chance: random.Random) -> World:
    network = Network(
        loss=chance.choice((0, 0.05, 0.2)),
        duplicates=chance.choice((0, 0.1)),
        jitter_ns=chance.choice((200_000, 2_000_000, 30_000_000, 200_000_000)),
    )
    capacity_w = chance.choice((50, 60))
    return rack(seed, capacity_w=capacity_w, network=network, rho_ppm=RHO_PPM)


def break_something(world: World, chance: random.Random) -> None:
    """One fault, or one repair."""
    seats = list(world.seats.values())
    running = [s for s in seats if s.node is not None]
    ids = sorted(world.seats)
    match chance.randrange(8):
        case 0:
            for seat in world.brokers():
                world.kill(seat)
        case 1 if running:
            world.kill(chance.choice(running))
        case 2 if running:
            world.power_cycle(chance.choice(running))
        case 3 if running:
            again = chance.choice(running)
            world.kill(again)
            world.boot(again)
        case 4:
            few = set(chance.sample(ids, chance.choice((1, 2))))
            world.network.isolate(few, set(ids) - few)
        case 5:
            world.network.cut.add((chance.choice(ids), chance.choice(ids)))
        case 6:
            world.network.heal()
        case _:
            for seat in seats:
                if seat.node is None:
                    world.boot(seat)


def healed(world: World) -> None:
    world.network.heal()
    world.network.loss = world.network.duplicates = 0
    world.network.jitter_ns = 200_000
    for seat in world.seats.values():
        if seat.node is None:
            world.boot(seat)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_swarm_any_faults_break_no_promise_and_healing_makes_one_rack(seed: int) -> None:
    chance = random.Random(seed)
    world = troubled(seed, chance)
    world.run(seconds(3))
    for _ in range(FAULTS):
        break_something(world, chance)
        world.run(world.now_ns + seconds(chance.uniform(0.05, 2.5)))
        assert world.checker.violations == [], world.transcript.lines[-40:]
    healed(world)
    world.run(world.now_ns + seconds(9))
    assert world.checker.violations == []
    assert world.agreed(), world.transcript.lines[-40:]


def test_swarm_comes_near_the_limit_else_it_would_prove_little() -> None:
    """Of a feed of 60 W, 55 W and more are drawn: the limit is a limit."""
    world = rack(0, capacity_w=60, rho_ppm=RHO_PPM)
    world.run(seconds(10))
    assert world.checker.peak_mw >= 55_000
