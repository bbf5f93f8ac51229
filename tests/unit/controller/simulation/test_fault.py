from typing import get_args

import pytest
from tests.unit.controller.simulation.small import at, three

from rackgrid.simulation import fault, feed, guest, mishap, weather
from rackgrid.simulation.fault import Fault, kind
from rackgrid.simulation.recipe import WATT, node_id, seconds
from rackgrid.simulation.target import BROKER
from rackgrid.simulation.world import World


@pytest.fixture
def world() -> World:
    """Three nodes that have formed; n3 leads."""
    return three()


EVERY = (
    fault.Kill(1),
    fault.Restart(1),
    fault.PowerCycle(1, 0),
    fault.Amnesia(1),
    fault.Revive(),
    fault.Partition((1,)),
    fault.Bridge((1,), 2),
    fault.CutOneWay(1, 2),
    fault.Deaf((1, 2)),
    fault.Heal(),
    weather.Loss(50, 100),
    weather.Duplication(50, 100),
    weather.Delay(20, 100),
    fault.SlowLink(1, 20, 100),
    fault.ClockRate(1, 10_000),
    feed.Capacity(30 * WATT),
    feed.OneWord(1, 30 * WATT),
    feed.Sun(0),
    fault.FullDraw(1),
    guest.Clone(4, 1),
    guest.Join(4),
    guest.Leave(1),
    guest.HandOver(),
    guest.Scrap(1, 2),
    guest.Wreck((1, 2), 3),
    guest.PlannedRestart(1, 2000),
    mishap.Pause(1, 500, deciding=True),
    mishap.Pause(1, 500, deciding=False),
    mishap.FirmwareHang(1, 2000),
    mishap.DiskStall(1, 500, 1000),
    mishap.LostDisk(1),
    mishap.LostRoster(1),
    mishap.BadMeter(1, "stale", 500),
    mishap.Liar(1, "lamp", 120),
    mishap.Weld(1, "lamp"),
)


def test_every_kind_is_tried_here() -> None:
    assert {type(one) for one in EVERY} == set(get_args(Fault))


@pytest.mark.parametrize("one", EVERY, ids=kind)
def test_fault_says_what_it_is_in_one_line(one: Fault) -> None:
    assert str(one)
    assert "\n" not in str(one)
    assert kind(one) == kind(one).lower()


@pytest.mark.parametrize("one", EVERY, ids=kind)
def test_fault_whose_victim_is_dead_or_gone_breaks_nothing(one: Fault, world: World) -> None:
    """A part of a script is a script: what came before may have been left out."""
    world.unplug(at(world, 1))
    fault.Kill(BROKER).apply(world)
    one.apply(world)
    one.apply(world)
    world.run(world.now_ns + seconds(3))


def test_kill_of_the_broker_meets_who_leads(world: World) -> None:
    fault.Kill(BROKER).apply(world)
    assert at(world, 3).node is None
    fault.Revive().apply(world)
    assert at(world, 3).node is not None


def test_restart_keeps_what_was_acked_and_amnesia_does_not(world: World) -> None:
    before, life = at(world, 1).remembered, at(world, 1).life
    fault.Restart(1).apply(world)
    assert at(world, 1).remembered == before is not None
    fault.Amnesia(1).apply(world)
    assert at(world, 1).remembered is None
    assert at(world, 1).life == life + 2


def test_power_cycle_starts_the_clock_anew_and_opens_flexible_outputs(world: World) -> None:
    fault.PowerCycle(3, 7).apply(world)
    assert at(world, 3).local_ns(world.now_ns) == 7_000_000
    assert at(world, 3).firmware.flexible_worst_mw(7_000_000) == 0


def test_partition_cuts_both_ways_and_heals(world: World) -> None:
    fault.Partition((1,)).apply(world)
    pairs = {(node_id(1), node_id(2)), (node_id(3), node_id(1))}
    assert pairs <= world.network.cut
    assert (node_id(2), node_id(3)) not in world.network.cut
    fault.Heal().apply(world)
    assert not world.network.cut


def test_bridge_leaves_one_node_that_hears_both_sides(world: World) -> None:
    fault.Bridge((1,), 2).apply(world)
    assert world.network.cut == {(node_id(1), node_id(3)), (node_id(3), node_id(1))}


def test_cut_one_way_lets_the_way_back_work(world: World) -> None:
    fault.CutOneWay(1, 2).apply(world)
    assert world.network.cut == {(node_id(1), node_id(2))}


def test_deaf_nodes_hear_unicast_until_the_switch_remembers_them(world: World) -> None:
    fault.Deaf((1, 2)).apply(world)
    assert world.network.deaf == {node_id(1), node_id(2)}
    fault.Heal().apply(world)
    assert not world.network.deaf


def test_slow_link_ends_by_itself(world: World) -> None:
    fault.SlowLink(1, 20, 100).apply(world)
    assert world.network.slow == {node_id(1): 20_000_000}
    world.run(world.now_ns + seconds(0.2))
    assert world.network.slow == {}


def test_clock_rate_changes_without_a_jump(world: World) -> None:
    before_ns = at(world, 1).local_ns(world.now_ns)
    fault.ClockRate(1, 10_000).apply(world)
    assert at(world, 1).local_ns(world.now_ns) == before_ns
    assert at(world, 1).local_ns(world.now_ns + seconds(1)) == before_ns + seconds(1.01)


def test_full_draw_is_what_the_nameplates_say(world: World) -> None:
    fault.FullDraw(1).apply(world)
    loads = at(world, 1).firmware.loads
    assert all(load.draw_mw == load.spec.nominal_mw for load in loads)
