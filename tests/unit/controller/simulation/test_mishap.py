"""Faults inside a node: its process, its disk, its meters and its copper."""

from __future__ import annotations

import pytest
from tests.unit.controller.simulation.small import at, three

from rackgrid.core.roster import NO_ROSTER
from rackgrid.simulation.mishap import (
    BadMeter,
    DiskStall,
    FirmwareHang,
    Liar,
    LostDisk,
    LostRoster,
    Pause,
    Weld,
)
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.seat import DISK_NS, Seat
from rackgrid.simulation.target import BROKER
from rackgrid.simulation.world import World
from rackgrid_firmware.device import Quality


@pytest.fixture
def world() -> World:
    """Three nodes that have formed; n3 leads."""
    return three()


def draw_mw(world: World, seat: Seat) -> int:
    return seat.firmware.total_mw(seat.local_ns(world.now_ns))


def test_pause_stands_still_and_goes_on_late(world: World) -> None:
    Pause(3, 2000, deciding=False).apply(world)
    world.run(world.now_ns + seconds(1))
    assert "n2" in [s.settings.name for s in world.brokers()], "another leads meanwhile"
    world.run(world.now_ns + seconds(4))
    assert len(world.brokers()) == 1
    assert world.checker.violations == []


def test_pause_between_deciding_and_sending_holds_the_next_price_back(world: World) -> None:
    Pause(BROKER, 1500, deciding=True).apply(world)
    assert at(world, 3).stall_ns == seconds(1.5)
    world.run(world.now_ns + seconds(1))
    assert at(world, 3).stall_ns == 0
    assert at(world, 3).frozen_until_ns > world.now_ns
    world.run(world.now_ns + seconds(4))
    assert world.checker.violations == []


def test_pause_of_a_dead_node_is_nothing(world: World) -> None:
    world.kill(at(world, 1))
    Pause(1, 500, deciding=False).apply(world)
    assert at(world, 1).frozen_until_ns == 0


def test_hang_keeps_outputs_as_they_are_until_the_watchdog_opens_them(world: World) -> None:
    seat = at(world, 3)
    assert draw_mw(world, seat) > seat.firmware.floor_mw
    FirmwareHang(3, 2500).apply(world)
    world.kill(seat)
    world.run(world.now_ns + seconds(2.4))
    assert draw_mw(world, seat) > seat.firmware.floor_mw
    world.run(world.now_ns + seconds(0.2))
    assert draw_mw(world, seat) <= seat.firmware.floor_mw


def test_disk_stall_makes_each_write_late_for_a_while(world: World) -> None:
    DiskStall(1, 700, 1000).apply(world)
    assert at(world, 1).disk_ns == seconds(0.7)
    world.run(world.now_ns + seconds(1.1))
    assert at(world, 1).disk_ns == DISK_NS


@pytest.mark.parametrize("alive", [True, False])
def test_lost_roster_is_given_back_by_the_rack(world: World, alive: bool) -> None:
    """Fails if a node whose disk was lost stays without a vote for ever."""
    if not alive:
        world.kill(at(world, 1))
    LostRoster(1).apply(world)
    node = at(world, 1).node
    assert node is not None
    assert (node.state.roster, node.state.is_lost) == (NO_ROSTER, True)
    world.run(world.now_ns + seconds(8))
    assert node.state.roster.line(node.state.me) is not None
    assert not node.state.is_lost


def test_lost_disk_takes_the_roster_the_terms_and_the_outputs_with_it(world: World) -> None:
    one = at(world, 1)
    one.writing = one.roster
    LostDisk(1).apply(world)
    node = one.node
    assert node is not None
    assert (node.state.roster, node.state.settings.terms_from) == (NO_ROSTER, 1)
    assert one.remembered is None
    assert one.firmware.flexible_worst_mw(one.local_ns(world.now_ns)) == 0
    world.run(world.now_ns + seconds(8))
    assert node.state.roster.line(node.state.me) is not None


@pytest.mark.parametrize(
    ("how", "quality", "times"),
    [
        ("stale", Quality.STALE, 1.0),
        ("nothing", Quality.FRESH, 0.0),
        ("too much", Quality.FRESH, 1000.0),
    ],
)
def test_bad_meter_is_bad_for_a_while(
    world: World, how: str, quality: Quality, times: float
) -> None:
    firmware = at(world, 1).firmware
    BadMeter(1, how, 300).apply(world)
    assert (firmware.quality, firmware.misread) == (quality, times)
    world.run(world.now_ns + seconds(0.4))
    assert (firmware.quality, firmware.misread) == (Quality.FRESH, 1.0)
    assert "the meters of n1" in str(BadMeter(1, how, 300))


def test_liar_draws_more_than_it_says_and_room_is_made_for_it(world: World) -> None:
    Liar(3, "fan", 150).apply(world)
    (fan,) = [x for x in at(world, 3).firmware.loads if x.spec.name == "fan"]
    assert fan.draw_mw == fan.spec.nominal_mw * 150 // 100
    world.run(world.now_ns + seconds(5))
    assert world.checker.violations == []


def test_weld_draws_whatever_the_pin_says(world: World) -> None:
    seat = at(world, 3)
    Weld(3, "lamp").apply(world)
    world.kill(seat)
    world.run(world.now_ns + seconds(5))
    (lamp,) = [x for x in seat.firmware.loads if x.spec.name == "lamp"]
    assert draw_mw(world, seat) >= seat.firmware.base_mw + lamp.draw_mw
    assert not seat.firmware.state.outputs[1].on
