"""Nodes that come and go, and an office that changes hands."""

from __future__ import annotations

import pytest
from tests.unit.controller.simulation.small import at, three

from rackgrid.identity import NodeId
from rackgrid.simulation.fault import Heal, Kill, Partition, Restart
from rackgrid.simulation.guest import (
    STOP_NS,
    Clone,
    HandOver,
    Join,
    Leave,
    PlannedRestart,
    Scrap,
    Wreck,
)
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.recipe import node_id, seconds
from rackgrid.simulation.world import World


@pytest.fixture
def world() -> World:
    """Three nodes that have formed; n3 leads."""
    return three()


def test_join_is_admitted_and_leave_is_released(world: World) -> None:
    Join(4).apply(world)
    world.run(world.now_ns + seconds(8))
    assert at(world, 4).node is not None
    Leave(1).apply(world)
    world.run(world.now_ns + seconds(1))
    leaver = at(world, 1)
    assert leaver.node is None, "it has said so, and ended"
    world.run(world.now_ns + seconds(4))
    assert node_id(1) not in world.seats
    leader = world.brokers()[0].node
    assert leader is not None
    assert {line.node for line in leader.state.roster.lines} == set(world.seats)
    assert world.checker.violations == []


def test_leave_of_a_rack_that_is_not_whole_waits(world: World) -> None:
    Kill(2).apply(world)
    Leave(1).apply(world)
    world.run(world.now_ns + seconds(4))
    assert node_id(1) in world.seats


def test_join_of_a_node_that_is_there_is_nothing(world: World) -> None:
    before = dict(world.seats)
    Join(1).apply(world)
    assert world.seats == before


def test_hand_over_gives_the_office_to_the_next_rank(world: World) -> None:
    HandOver().apply(world)
    world.run(world.now_ns + seconds(1))
    assert [s.settings.name for s in world.brokers()] == ["n2"]
    assert world.checker.violations == []


@pytest.mark.parametrize("node", [1, 3], ids=["a member", "the broker"])
def test_planned_restart_is_away_and_back(world: World, node: int) -> None:
    seat, life = at(world, node), at(world, node).life
    PlannedRestart(node, 2000).apply(world)
    world.run(world.now_ns + seconds(1))
    assert seat.node is None
    world.run(world.now_ns + seconds(2))
    assert (seat.node is not None, seat.life) == (True, life + 1)
    assert world.checker.violations == []


def test_planned_restart_of_one_that_does_not_go_is_ended_by_force(world: World) -> None:
    seat = at(world, 1)
    world.freeze(seat, seconds(60))
    PlannedRestart(1, 1000).apply(world)
    world.run(world.now_ns + STOP_NS - seconds(1))
    assert seat.node is not None
    world.run(world.now_ns + seconds(3))
    assert seat.node is not None
    assert seat.life == 2


def test_planned_restart_of_one_that_something_else_starts_is_over(world: World) -> None:
    seat = at(world, 1)
    PlannedRestart(1, 3000).apply(world)
    world.run(world.now_ns + seconds(1))
    Restart(1).apply(world)
    world.run(world.now_ns + seconds(5))
    assert seat.life == 2


def test_planned_restart_of_the_dead_is_nothing(world: World) -> None:
    Kill(1).apply(world)
    PlannedRestart(1, 0).apply(world)
    world.run(world.now_ns + seconds(1))
    assert at(world, 1).node is None


@pytest.mark.parametrize("gone", [1, 3], ids=["a member", "the broker"])
def test_scrap_takes_a_node_out_and_its_floor_is_released_in_the_end(
    world: World, gone: int
) -> None:
    Scrap(gone, 2).apply(world)
    assert node_id(gone) not in world.seats
    world.run(world.now_ns + seconds(8))
    for seat in world.seats.values():
        assert seat.node is not None
        assert seat.node.state.roster.line(node_id(gone)) is None
        assert seat.settings.expect == 2
    assert world.checker.violations == []


def test_wreck_of_a_majority_is_recovered_by_whoever_is_left(world: World) -> None:
    Wreck((2, 3), 1).apply(world)
    world.run(world.now_ns + seconds(1))
    assert set(world.seats) == {node_id(1)}
    world.run(world.now_ns + seconds(3))
    assert world.brokers() == [], "nobody has led for less than 5 s"
    world.run(world.now_ns + seconds(5))
    (leader,) = world.brokers()
    assert leader.node is not None
    assert [line.node for line in leader.node.state.roster.lines] == [node_id(1)]
    assert world.checker.violations == []


def test_wreck_that_leaves_a_majority_needs_nobody(world: World) -> None:
    Wreck((3,), 1).apply(world)
    world.run(world.now_ns + seconds(5))
    (leader,) = world.brokers()
    assert leader.node is not None
    assert leader.node.state.roster.line(node_id(3)) is not None, "nobody has said that it is off"


def test_wreck_is_not_recovered_while_somebody_left_is_not_heard(world: World) -> None:
    """Fails if an operator says of a node that runs unheard that it is off."""
    Wreck((3,), 1).apply(world)
    Partition((1,)).apply(world)
    world.run(world.now_ns + seconds(10))
    assert world.brokers() == []
    Heal().apply(world)
    world.run(world.now_ns + seconds(9))
    assert world.agreed()
    assert world.checker.violations == []


def test_scrap_tells_another_if_the_one_to_be_told_is_dead(world: World) -> None:
    Scrap(1, 1).apply(world)
    world.run(world.now_ns + seconds(8))
    (leader,) = world.brokers()
    assert leader.node is not None
    assert leader.node.state.roster.line(node_id(1)) is None


def test_scrap_of_a_rack_that_is_not_whole_waits(world: World) -> None:
    Kill(2).apply(world)
    Scrap(1, 2).apply(world)
    assert node_id(1) in world.seats


def test_scrap_nobody_left_to_be_told_breaks_nothing(world: World) -> None:
    Scrap(1, 2).apply(world)
    for seat in list(world.seats.values()):
        world.kill(seat)
    world.run(world.now_ns + seconds(6))
    assert world.brokers() == []


def test_clone_has_the_identity_of_another_and_a_boot_and_copper_of_its_own(world: World) -> None:
    Clone(4, 1).apply(world)
    one, twin = at(world, 1), at(world, 4)
    assert twin.node is not None
    assert one.node is not None
    assert twin.node.state.me == one.node.state.me == node_id(1)
    assert twin.node.state.boot != one.node.state.boot
    assert twin.roster == one.roster
    world.run(world.now_ns + seconds(1))
    assert any("this node's identity" in line for line in world.transcript.lines)


def test_clone_what_is_sent_to_its_identity_reaches_both(world: World) -> None:
    Clone(4, 3).apply(world)  # n3 leads: the acks are sent to it
    reached: set[NodeId] = set()

    def seen(sent: Datagram) -> bool:
        if sent.unicast:
            reached.add(sent.to)
        return False

    world.tap = seen
    world.run(world.now_ns + seconds(2))
    assert {node_id(3), node_id(4)} <= reached
