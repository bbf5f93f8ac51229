"""Whom a fault means."""

from __future__ import annotations

from tests.unit.controller.simulation.small import at, three

from rackgrid.simulation.target import BROKER, meant, name


def test_meant_is_the_node_at_its_place_or_whoever_leads() -> None:
    world = three()
    assert meant(world, 1) == [at(world, 1)]
    assert meant(world, BROKER) == [at(world, 3)]
    assert (name(1), name(BROKER)) == ("n1", "the broker")


def test_meant_is_nobody_if_there_is_none() -> None:
    world = three()
    assert meant(world, 9) == []
    world.kill(at(world, 3))
    assert meant(world, BROKER) == []
