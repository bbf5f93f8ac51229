"""A rack's life without a failure: it forms, trades, grows, shrinks, and is restarted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.simulation.rack import broker, on, settled, switches

from rackgrid.core.event import (
    CapacityChanged,
    ForgetRequested,
    LeaveRequested,
    OffersChanged,
    StopRequested,
)
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.identity import NodeId
from rackgrid.market.offer import Offer
from rackgrid.simulation.recipe import FLOOR_W, GRID_UC, WATT, rack, seat, seconds
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World

EVERYTHING = {f"n{i}.{load}" for i in range(1, 6) for load in ("lamp", "pump")}


def floors_w(world: World) -> float:
    """What the broker has reserved for floors."""
    leader = broker(world).node
    assert leader is not None
    return leader.state.roster.floors_mw / WATT


def note_of(world: World, words: str) -> bool:
    return any(words in line for line in world.transcript.lines)


# --- forming ---------------------------------------------------------------------------------


def test_rack_switched_on_finds_itself_and_elects_the_highest_rank() -> None:
    world = rack(1)
    world.run(seconds(4))
    assert world.agreed()
    assert broker(world).settings.name == "n5"
    assert floors_w(world) == 5 * FLOOR_W
    assert world.checker.violations == []


def test_rack_too_few_nodes_elects_nobody_and_draws_floors_only() -> None:
    world = World(1, 60 * WATT)
    for index in (1, 2):
        world.add(seat(index, expect=5))
    world.run(seconds(6))
    assert world.brokers() == []
    assert on(world) == set()


def test_rack_enough_watts_switches_everything_on() -> None:
    world = rack(1, capacity_w=80)
    world.run(seconds(12))
    assert on(world) == EVERYTHING
    assert world.checker.violations == []


def test_rack_scarce_watts_go_to_the_highest_worth_and_the_feed_is_used() -> None:
    world = settled(1, capacity_w=50)
    # 25 W above the floors. Three lamps and a pump take 22 W; a fourth lamp is worth more than the
    # pump, but starts with 9 W.
    assert on(world) == {"n5.lamp", "n4.lamp", "n3.lamp", "n5.pump"}
    assert world.checker.peak_mw > 45 * WATT
    assert world.checker.violations == []


def test_rack_equal_priorities_elect_the_higher_id() -> None:
    world = World(3, 60 * WATT)
    for index in range(1, 6):
        world.add(seat(index, priority=7))
    world.run(seconds(4))
    assert world.agreed()
    assert broker(world).settings.name == "n5"
    assert world.checker.violations == []


def test_rack_died_over_its_first_roster_forms_anew() -> None:
    """Fails if a roster in the making decides who may elect the next broker."""
    world = rack(2)
    while not world.brokers():
        world.run(world.now_ns + 1_000_000)
    first = broker(world)
    world.run(world.now_ns + 3_000_000)
    world.kill(first)
    world.run(world.now_ns + seconds(2))
    world.boot(first)
    world.run(world.now_ns + seconds(8))
    assert world.agreed()
    assert floors_w(world) == 5 * FLOOR_W


# --- who comes and goes ----------------------------------------------------------------------


def joiner(world: World, reserve_w: float) -> Seat:
    late = seat(6, capacity_w=60, reserve_w=reserve_w, priority=0)
    late.clock_start_ns = 12345
    world.add(late)
    return late


def test_joiner_to_a_full_rack_gets_its_floor_after_room_was_made() -> None:
    world = settled(4, reserve_w=5)
    drawn_mw = sum(s.firmware.total_mw(s.local_ns(world.now_ns)) for s in world.seats.values())
    assert drawn_mw > 51 * WATT  # of 55 W: there is no room for a floor of 5 W
    late = joiner(world, reserve_w=5)
    world.run(world.now_ns + seconds(10))
    assert world.agreed()
    assert floors_w(world) == 6 * FLOOR_W
    assert late.node is not None
    assert late.node.state.roster.line(late.id) is not None
    assert world.checker.violations == []


def test_joiner_whose_floor_never_fits_is_told_so_and_stays_out() -> None:
    world = settled(4, capacity_w=28)
    late = joiner(world, reserve_w=0)
    world.run(world.now_ns + seconds(5))
    assert note_of(world, "its floor of 5.0 W does not fit")
    assert note_of(world, "not admitted to the rack")
    assert late.node is not None
    assert late.node.state.roster.line(late.id) is None
    assert floors_w(world) == 5 * FLOOR_W


def test_joiner_that_asked_and_went_away_keeps_its_room_until_it_is_forgotten() -> None:
    """Whoever has asked may be drawing its floor: silence is no proof that it does not (P1)."""
    world = settled(4, capacity_w=50)
    before = on(world)
    late = joiner(world, reserve_w=0)
    world.run(world.now_ns + 100_000_000)
    world.checker.violations.clear()  # no reserve was set: its own floor was too much
    world.unplug(late)
    world.run(world.now_ns + seconds(12))
    assert floors_w(world) == 6 * FLOOR_W
    assert on(world) < before
    leader = broker(world)
    world.tell(leader, ForgetRequested(leader.local_ns(world.now_ns), late.id))
    world.run(world.now_ns + seconds(6))
    assert floors_w(world) == 5 * FLOOR_W
    assert on(world) == before
    assert world.checker.violations == []


@pytest.mark.parametrize("index", [1, 5], ids=["a member", "the broker"])
def test_leave_graceful_frees_the_floor_after_the_loads_are_off(index: int) -> None:
    world = settled(5, capacity_w=80)
    gone = world.seats[NodeId(100 + index)]
    world.tell(gone, LeaveRequested(gone.local_ns(world.now_ns)))
    world.run(world.now_ns + seconds(1))
    assert gone.node is None
    assert not any(name.startswith(f"n{index}.") for name in on(world))
    world.unplug(gone)
    world.run(world.now_ns + seconds(3))
    assert world.agreed()
    assert floors_w(world) == 4 * FLOOR_W
    assert world.checker.violations == []


def test_crash_keeps_the_floor_reserved_and_its_loads_end_at_their_deadline() -> None:
    world = settled(5, capacity_w=80)
    gone = world.seats[NodeId(101)]
    mark = len(world.transcript.lines)
    world.kill(gone)
    world.run(world.now_ns + seconds(4))
    assert floors_w(world) == 5 * FLOOR_W
    assert not any(name.startswith("n1.") for name in on(world))
    ended = [line for line in switches(world, mark) if line.split()[1] == "n1"]
    assert [line.split()[-1] for line in ended] == ["deadline", "deadline"]
    assert switches(world, mark, but="n1") == []


def test_restart_adopts_what_the_firmware_holds_and_nothing_blinks() -> None:
    for index in (2, 5):
        world = settled(6, capacity_w=56)
        mark = len(world.transcript.lines)
        again = world.seats[NodeId(100 + index)]
        world.kill(again)
        world.run(world.now_ns + 400_000_000)
        world.boot(again)
        world.run(world.now_ns + seconds(8))
        assert switches(world, mark) == []
        assert world.agreed()
        assert world.checker.violations == []


def test_restart_without_memory_is_quiet_for_a_while_and_nothing_blinks() -> None:
    """The quiet time is shorter than a grant: the firmware holds the outputs across it."""
    world = settled(6, capacity_w=56)
    mark = len(world.transcript.lines)
    again = world.seats[NodeId(102)]
    world.kill(again)
    again.remembered = None
    world.boot(again)
    world.run(world.now_ns + seconds(8))
    assert switches(world, mark) == []
    assert world.checker.violations == []


def test_stop_of_the_broker_passes_the_office_on_and_nothing_blinks() -> None:
    world = settled(6)
    mark = len(world.transcript.lines)
    old = broker(world)
    world.tell(old, StopRequested(old.local_ns(world.now_ns)))
    world.run(world.now_ns + 200_000_000)
    assert old.node is None
    assert broker(world).settings.name == "n4"
    world.boot(old)
    world.run(world.now_ns + seconds(5))
    assert switches(world, mark) == []
    assert world.checker.violations == []


def test_preempt_steady_higher_rank_gets_the_office_and_nothing_blinks() -> None:
    timing = Timing(preempt_after_ns=5 * SECOND_NS)
    world = settled(7, timing=timing)
    old = broker(world)
    world.kill(old)
    world.run(world.now_ns + seconds(1))
    assert broker(world).settings.name == "n4"
    world.boot(old)
    world.run(world.now_ns + seconds(3))
    assert broker(world).settings.name == "n4"
    mark = len(world.transcript.lines)
    world.run(world.now_ns + seconds(6))
    assert broker(world).settings.name == "n5"
    assert note_of(world, "resigns in favour of n5")
    assert switches(world, mark, but="n5") == []
    assert world.checker.violations == []


def test_preempt_switched_off_keeps_the_incumbent() -> None:
    world = settled(7, timing=Timing(preempt=False, preempt_after_ns=SECOND_NS))
    old = broker(world)
    world.kill(old)
    world.run(world.now_ns + seconds(1))
    world.boot(old)
    world.run(world.now_ns + seconds(6))
    assert broker(world).settings.name == "n4"


# --- the feed and its sources ----------------------------------------------------------------


def test_capacity_cut_told_to_one_member_lowers_the_draw_within_the_bound() -> None:
    world = settled(8, capacity_w=60)
    world.checker.shrunk(world.now_ns, 45 * WATT, bound_ns=seconds(0.5))
    told = world.seats[NodeId(102)]
    world.tell(told, CapacityChanged(told.local_ns(world.now_ns), 45 * WATT))
    world.run(world.now_ns + seconds(4))
    assert len(on(world)) < 7
    assert world.checker.violations == []


def test_capacity_cut_told_to_a_node_that_dies_stays_a_cut() -> None:
    world = settled(8, capacity_w=60)
    world.checker.shrunk(world.now_ns, 45 * WATT, bound_ns=seconds(0.5))
    told = world.seats[NodeId(102)]
    world.tell(told, CapacityChanged(told.local_ns(world.now_ns), 45 * WATT))
    world.run(world.now_ns + seconds(1))
    world.kill(told)
    world.run(world.now_ns + seconds(10))
    assert world.checker.violations == []


def test_capacity_below_the_floors_raises_the_named_alarm() -> None:
    world = settled(8)
    world.checker.shrunk(world.now_ns, 60 * WATT, bound_ns=0)
    told = broker(world)
    world.tell(told, CapacityChanged(told.local_ns(world.now_ns), 20 * WATT))
    world.run(world.now_ns + seconds(3))
    assert on(world) == set()
    assert note_of(world, "overcommitted: floors of 25.0 W on a feed of 20.0 W")


def sunny(seed: int) -> World:
    """40 W from the grid, which all speak for, and 20 W from a panel that only n2 sees."""
    world = World(seed, 60 * WATT)
    for index in range(1, 6):
        one = seat(index)
        grid = Offer("grid", GRID_UC, 40 * WATT)
        one.offers = (grid, Offer("sun", 0, 20 * WATT)) if index == 2 else (grid,)
        world.add(one)
    world.run(seconds(8))
    assert world.agreed()
    return world


def test_source_vanished_lowers_the_draw() -> None:
    world = sunny(9)
    before = on(world)
    panel = world.seats[NodeId(102)]
    world.checker.shrunk(world.now_ns, 40 * WATT, bound_ns=seconds(0.5))
    now_ns = panel.local_ns(world.now_ns)
    world.tell(panel, OffersChanged(now_ns, (replace(panel.offers[0]),)))
    world.run(world.now_ns + seconds(3))
    assert on(world) < before
    assert world.checker.violations == []


def test_source_of_a_node_that_died_ends_with_its_acks() -> None:
    world = sunny(9)
    panel = world.seats[NodeId(102)]
    world.checker.shrunk(world.now_ns, 40 * WATT, bound_ns=seconds(4))
    world.kill(panel)
    world.run(world.now_ns + seconds(8))
    assert world.checker.violations == []


def test_source_spoken_for_by_a_voter_outlives_the_broker() -> None:
    """Fails if a source that one node sees is forgotten between its vote and its first ack."""
    world = sunny(9)
    mark = len(world.transcript.lines)
    world.kill(broker(world))
    world.run(world.now_ns + seconds(2))
    assert world.agreed()
    assert switches(world, mark, but="n5") == []


def test_price_everybody_else_dies_expires_to_unknown() -> None:
    world = settled(10)
    last = world.seats[NodeId(102)]
    for other in world.seats.values():
        if other is not last:
            world.kill(other)
    mark = len(world.transcript.lines)
    world.run(world.now_ns + seconds(5))
    assert last.node is not None
    assert last.node.state.agent.price is None
    assert any("n2" in line and "knows no price" in line for line in world.transcript.lines[mark:])
    assert on(world) == set()
    assert world.checker.violations == []
