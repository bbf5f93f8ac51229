"""The same seed gives the same run, to the byte."""

from __future__ import annotations

from tests.simulation.rack import broker

from rackgrid.simulation.network import Network
from rackgrid.simulation.recipe import rack, seconds
from rackgrid.simulation.world import World


def story(seed: int) -> World:
    """A rack that loses messages, its broker and a cable, and gets all three back."""
    world = rack(seed, network=Network(loss=0.1, duplicates=0.1), rho_ppm=5_000)
    world.run(seconds(5))
    old = broker(world)
    world.kill(old)
    world.run(seconds(7))
    world.boot(old)
    ids = sorted(world.seats)
    world.network.isolate(set(ids[:2]), set(ids[2:]))
    world.run(seconds(10))
    world.network.heal()
    world.run(seconds(12))
    return world


def test_transcript_same_seed_is_the_same_to_the_byte() -> None:
    one, other = story(7), story(7)
    assert one.transcript.lines == other.transcript.lines
    assert one.transcript.digest == other.transcript.digest
    assert len(one.transcript.lines) > 200


def test_transcript_other_seed_is_another() -> None:
    assert story(7).transcript.digest != story(8).transcript.digest
