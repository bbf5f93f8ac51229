"""Cut cables: the side with a majority goes on, the other sheds by itself, healing makes one."""

from __future__ import annotations

from itertools import combinations

import pytest
from tests.simulation.rack import broker, on, settled, switches

from rackgrid.identity import NodeId
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.world import World

FIVE = [NodeId(n) for n in range(101, 106)]


def names(nodes: set[NodeId], world: World) -> set[str]:
    return {world.seats[node].settings.name for node in nodes}


@pytest.mark.parametrize("minority", list(combinations(FIVE, 2)), ids=str)
def test_partition_three_to_two_majority_goes_on_and_minority_sheds(
    minority: tuple[NodeId, ...],
) -> None:
    world = settled(int(minority[0] + 7 * minority[1]), capacity_w=60)
    few, many = set(minority), set(FIVE) - set(minority)
    world.network.isolate(few, many)
    world.run(world.now_ns + seconds(4))
    assert broker(world).id in many
    assert {load.split(".")[0] for load in on(world)} <= names(many, world)
    assert any(load.split(".")[0] in names(many, world) for load in on(world))
    # What the minority's silence left is counted until it has certainly expired, and then traded.
    world.run(world.now_ns + seconds(4))
    assert {f"{name}.lamp" for name in names(many, world)} <= on(world)
    world.network.heal()
    world.run(world.now_ns + seconds(8))
    assert world.agreed()
    assert world.checker.violations == []


def test_cut_of_one_link_between_members_is_not_noticed() -> None:
    world = settled(1)
    mark = len(world.transcript.lines)
    world.network.isolate({FIVE[0]}, {FIVE[1]})
    world.run(world.now_ns + seconds(4))
    world.network.heal()
    world.run(world.now_ns + seconds(2))
    assert switches(world, mark) == []
    assert not any("elected" in line for line in world.transcript.lines[mark:])


def test_cut_of_the_broker_from_one_member_removes_it_and_healing_brings_it_back() -> None:
    world = settled(1)
    leader = broker(world)
    world.network.isolate({leader.id}, {FIVE[0]})
    world.run(world.now_ns + seconds(5))
    assert broker(world) is leader
    assert not any(load.startswith("n1.") for load in on(world))
    world.network.heal()
    world.run(world.now_ns + seconds(8))
    assert world.agreed()
    assert world.checker.violations == []


def test_cut_one_way_member_is_heard_and_deaf_starts_no_election() -> None:
    """The deaf one calls elections; those who hear the broker answer ALIVE."""
    world = settled(2)
    leader = broker(world)
    world.network.cut.add((leader.id, FIVE[1]))
    world.run(world.now_ns + seconds(6))
    assert broker(world) is leader
    assert world.checker.violations == []


def test_cut_one_way_broker_that_hears_no_acks_gives_up_the_office() -> None:
    world = settled(2)
    leader = broker(world)
    for other in FIVE:
        if other != leader.id:
            world.network.cut.add((other, leader.id))
    world.run(world.now_ns + seconds(1))
    assert any("no majority answers" in line for line in world.transcript.lines)
    world.run(world.now_ns + seconds(5))
    assert world.checker.violations == []


def test_partition_broker_alone_then_quick_healing_changes_back_without_a_breach() -> None:
    world = settled(3, capacity_w=50)
    for _ in range(5):
        leader = broker(world)
        world.network.isolate({leader.id}, set(FIVE) - {leader.id})
        world.run(world.now_ns + 700_000_000)
        world.network.heal()
        world.run(world.now_ns + seconds(2))
        assert world.agreed()
    assert world.checker.violations == []


def test_bridge_partition_shared_voter_restarting_gives_no_two_brokers_their_grants() -> None:
    """Two halves share one voter, which restarts and forgets: its quiet time stands for it."""
    world = settled(4, capacity_w=50)
    left, bridge, right = set(FIVE[3:]), FIVE[2], set(FIVE[:2])
    world.network.isolate(left, right)
    world.run(world.now_ns + 100_000_000)
    for gap_ns in (5_000_000, 20_000_000, 300_000_000):
        shared = world.seats[bridge]
        if shared.node is not None:
            world.kill(shared)
        shared.remembered = None
        world.run(world.now_ns + gap_ns)
        world.boot(shared)
        world.run(world.now_ns + seconds(2))
    world.network.heal()
    world.run(world.now_ns + seconds(8))
    assert world.agreed()
    assert world.checker.violations == []
