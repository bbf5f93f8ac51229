"""The truth is added up after every event; a breach planted in the plant is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rackgrid.core.grant import Grant
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import NO_PAIR
from rackgrid.simulation.checker import Checker
from rackgrid.simulation.recipe import rack, seat, seconds
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.truth import Truth
from rackgrid.simulation.world import World
from rackgrid_firmware import guard
from rackgrid_firmware.link import Hold


def settled() -> World:
    world = rack(1, capacity_w=60)
    world.run(seconds(5))
    assert world.checker.violations == []
    return world


def a_seat(world: World) -> Seat:
    return next(iter(world.seats.values()))


def look(world: World, one: Seat) -> list[str]:
    world.truth.touched(one)
    world.truth.check(world.now_ns, world.seats)
    return world.checker.violations


def test_check_outputs_closed_behind_everybodys_back_are_i1_and_i2() -> None:
    world = settled()
    for one in world.seats.values():
        now_ns = one.local_ns(world.now_ns)
        for output in ("lamp", "pump"):
            one.firmware.command(Hold(99, output, now_ns + SECOND_NS), now_ns)
        look(world, one)
    found = " ".join(world.checker.violations)
    assert "I1" in found
    assert "I2" in found


def test_check_grant_out_of_thin_air_is_i2() -> None:
    world = settled()
    one = a_seat(world)
    assert one.node is not None
    state = one.node.state
    until_ns = one.local_ns(world.now_ns) + SECOND_NS
    thin_air = Grant(NO_PAIR, 0, 0, 40_000, frozenset(), until_ns)
    state.agent = replace(state.agent, grant=thin_air)
    assert "I2" in look(world, one)[0]


def test_check_required_load_off_is_i3() -> None:
    world = settled()
    one = a_seat(world)
    fan, *rest = one.firmware.state.outputs
    off = guard.OutputGuard(False, fan.since_ns, 0, 0, "test")
    one.firmware.state = replace(one.firmware.state, outputs=(off, *rest))
    assert "I3" in look(world, one)[0]


def test_check_two_offices_that_may_raise_are_i4() -> None:
    world = settled()
    (leader,) = world.brokers()
    other = next(s for s in world.seats.values() if s is not leader and s.node)
    assert leader.node is not None
    assert other.node is not None
    assert leader.node.state.office is not None
    other.clock_start_ns, other.clock_ppm = leader.clock_start_ns, leader.clock_ppm
    other.node.state.office = leader.node.state.office
    book = replace(leader.node.state.office.book, opened=True)
    for one in (leader, other):
        assert one.node is not None
        assert one.node.state.office is not None
        one.node.state.office = replace(one.node.state.office, book=book)
    assert any("I4" in v for v in look(world, leader))


def test_check_peak_is_the_true_peak_and_not_an_inrush_long_over() -> None:
    """The kept sums are too high between events; what is recorded is added up anew."""
    checker = Checker(10**6)
    truth, one = Truth(checker), seat(1, stagger_ns=0)
    now_ns = one.local_ns(0)
    one.firmware.command(Hold(1, "lamp", now_ns + SECOND_NS), now_ns)
    truth.touched(one)
    truth.check(0, {one.id: one})
    assert checker.peak_mw == 2000 + 3000 + 9000
    other = seat(2)
    truth.touched(other)
    truth.check(100_000_000, {one.id: one, other.id: other})
    # By now the lamp draws 5.8 W; kept, it would still count with 9 W.
    assert checker.peak_mw == max(14_000, 2 * 4900 + 5800)


def test_forget_seat_that_is_unplugged_counts_no_more() -> None:
    world = settled()
    world.unplug(a_seat(world))
    world.checker.capacity_mw = 5000
    world.truth.touched(next(iter(world.seats.values())))
    world.truth.check(world.now_ns, world.seats)
    (i2,) = [v for v in world.checker.violations if "I2" in v][:1]
    assert len(world.seats) == 4
    assert "floors and holdings" in i2


@pytest.mark.parametrize("touched", [True, False])
def test_check_looks_only_after_something_happened(touched: bool) -> None:
    checker = Checker(0)
    truth, one = Truth(checker), seat(1)
    if touched:
        truth.touched(one)
    truth.check(0, {one.id: one})
    assert bool(checker.violations) is touched
