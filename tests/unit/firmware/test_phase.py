"""The phase of a converter, against a converter whose ends are known: none is read twice."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.phase import ANY_PACE, SPACED, Phase

CYCLE, HEAD, TRANSFER = 616_000, 532_000, 120_000


class World:
    """A converter, and whoever reads it as the phase says, a transfer at a time."""

    def __init__(self, cycle_ns: float, late_ns: int, seed: int) -> None:
        self.cycle_ns, self.late_ns = cycle_ns, late_ns
        self.tail_ns = cycle_ns * (1 - HEAD / CYCLE)
        self.chance = random.Random(seed)
        self.now_ns = 10_000_000
        self.began_ns = float(self.now_ns)
        self.cleared_at = 0
        self.read: list[tuple[int, int]] = []
        self.phase = Phase(CYCLE, HEAD)
        self.phase.restarted(self.now_ns - TRANSFER, self.now_ns)

    def ended(self) -> int:
        return int((self.now_ns - self.began_ns) // self.cycle_ns)

    def restart(self) -> None:
        self.began_ns = float(self.now_ns)
        self.cleared_at = 0

    def transfer(self) -> tuple[int, int, bool]:
        """Shunt and bus conversion as latched in the middle, and whether the flag was up."""
        self.now_ns += TRANSFER // 2
        shunt = int((self.now_ns - self.began_ns + self.tail_ns) // self.cycle_ns)
        bus = self.ended()
        self.now_ns += TRANSFER // 2
        return shunt, bus, bus > self.cleared_at

    def clear(self) -> tuple[int, int]:
        before_ns = self.now_ns
        self.cleared_at = self.transfer()[1]
        return before_ns, self.now_ns

    def visit(self) -> None:
        phase = self.phase
        self.now_ns = max(self.now_ns, phase.due_ns) + self.chance.randrange(self.late_ns + 1)
        before_ns = self.now_ns
        if phase.is_armed:
            _, bus, is_up = self.transfer()
            last_ns = self.now_ns
            if not is_up:
                phase.found_down(before_ns)
                return
            if not phase.found_up(before_ns, last_ns):
                return
            shunt = self.transfer()[0]
            first_ns = self.now_ns
        else:
            if phase.wants_flag:
                phase.cleared(*self.clear())
            shunt = self.transfer()[0]
            first_ns = self.now_ns
            _, bus, is_up = self.transfer()
            last_ns = self.now_ns
        self.read.append((shunt, bus))
        phase.took(first_ns, last_ns, is_up=is_up)
        if phase.wants_flag and phase.is_impatient:
            phase.armed(*self.clear())

    def run(self, visits: int) -> None:
        for _ in range(visits):
            self.visit()


def assert_once(read: list[tuple[int, int]]) -> None:
    for before, after in pairwise(read):
        assert after[0] > before[0], f"shunt {after[0]} was read twice"
        assert after[1] > before[1], f"bus {after[1]} was read twice"


@settings(max_examples=60, deadline=None)
@given(
    pace=st.floats(0.9, 1.1),
    late_us=st.sampled_from([0, 10, 50, 100, 200, 1000, 5000]),
    seed=st.integers(0, 1000),
    pauses=st.lists(st.integers(0, 50_000_000), max_size=3),
)
def test_no_conversion_is_read_twice_at_any_pace_and_lateness(
    pace: float, late_us: int, seed: int, pauses: list[int]
) -> None:
    world = World(CYCLE * pace, late_us * 1000, seed)
    for pause_ns in (0, *pauses):
        world.now_ns += pause_ns
        world.run(400)
    assert_once(world.read)
    assert len(world.read) > 200


@pytest.mark.parametrize("pace", [0.95, 1.0, 1.1])
def test_conversions_are_read_all_when_nobody_is_late(pace: float) -> None:
    world = World(CYCLE * pace, 20_000, 1)
    world.run(3000)
    made = world.read[-1][1] - world.read[0][1] + 1
    assert len(world.read) >= 0.995 * made
    assert abs(world.phase.missed - (made - len(world.read))) <= 0.01 * made
    assert world.phase.is_known
    low, high = world.phase.pace
    assert low < pace < high
    assert high - low < 0.02


def test_pace_of_a_chip_that_nobody_has_looked_at_is_any() -> None:
    assert Phase(CYCLE, HEAD).pace == ANY_PACE


def test_chip_that_began_anew_surprises_and_is_found_again() -> None:
    world = World(CYCLE, 20_000, 1)
    world.run(500)
    world.restart()
    phase = world.phase
    phase.unready(world.now_ns)
    world.read.clear()
    world.run(500)
    assert_once(world.read)
    assert len(world.read) > 200


def test_flag_that_rises_late_or_early_is_a_surprise() -> None:
    world = World(CYCLE, 0, 1)
    phase = world.phase
    phase.found_down(world.now_ns + 2 * CYCLE)
    assert phase.is_surprised
    phase.is_surprised = False
    phase.restarted(world.now_ns, world.now_ns)
    phase.found_up(world.now_ns, world.now_ns + 1000)
    assert phase.is_surprised


def test_bus_that_is_too_slow_is_spaced_and_tried_again_later() -> None:
    """A transfer of 120 µs, and late by a cycle each time: following would only cost."""
    world = World(CYCLE, 0, 1)
    world.late_ns = CYCLE
    world.run(600)
    assert not world.phase.is_armed
    looks = world.cleared_at
    world.late_ns = 20_000
    world.run(SPACED + 2000)
    assert world.cleared_at > looks, "nobody asked for the flag again"
    assert_once(world.read)
    recent = world.read[-500:]
    assert len(recent) >= 0.99 * (recent[-1][1] - recent[0][1])


def test_cycle_without_a_head_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="a head of"):
        Phase(CYCLE, 0)
