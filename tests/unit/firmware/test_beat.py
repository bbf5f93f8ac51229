"""Fails if a conversion of a slow converter is read twice or missed, or its end is not where told.

A converter of a pace of its own, and a reader that does what a driver does, in an order of flag,
registers and clearing as the INA219 has it or as the INA226, always with some time between.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from rackgrid_firmware.beat import Beat
from rackgrid_firmware.phase import ANY_PACE

US = 1_000
MS = 1_000_000
TYPICAL = 68_632_000
HEAD = 68_100_000


@dataclass
class World:
    """A converter, and its reader.

    Attributes:
        pace: true cycle by the typical one.
        late_ns: the reader comes late by up to so much; 0.3 ms are a transfer.
        asks_first: the flag is cleared by asking it, before the registers are read.
    """

    pace: float = 1.0
    late_ns: int = 0
    transfer_ns: int = 120 * US
    asks_first: bool = False
    seed: int = 1
    head_ns: int = HEAD
    taken: list[int] = field(default_factory=list)
    looks: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.now_ns = 5 * MS
        self.beat = Beat(TYPICAL, self.head_ns)
        self.begin()

    def begin(self) -> None:
        """Write the configuration."""
        before_ns = self.now_ns
        self.cycle_ns = round(TYPICAL * self.pace)
        self.start_ns = self.cleared_ns = self.now_ns = before_ns + self.transfer_ns
        self.beat.restarted(before_ns, self.now_ns)

    def ended(self, t_ns: int) -> int:
        """Say how many conversions have ended."""
        return (t_ns - self.start_ns) // self.cycle_ns

    def replaced(self, t_ns: int) -> int:
        """Say which conversion the first register holds."""
        return (t_ns - self.start_ns + self.cycle_ns - round(self.head_ns * self.pace)) // (
            self.cycle_ns
        )

    def visit(self) -> None:
        """Do what a driver does."""
        beat, before_ns = self.beat, self.now_ns
        if before_ns < beat.open_ns:
            return
        self.looks += 1
        self.now_ns += self.transfer_ns // 2
        is_up = self.ended(self.now_ns) > self.ended(self.cleared_ns)
        if self.asks_first:
            self.cleared_ns = self.now_ns
        bus = self.ended(self.now_ns)
        self.now_ns = after_ns = self.now_ns + self.transfer_ns // 2
        if not is_up:
            beat.found_down(before_ns)
            return
        if beat.found_up(before_ns, after_ns):
            end_ns = self.start_ns + self.ended(after_ns) * self.cycle_ns
            if self.transfer_ns < MS:
                assert abs(beat.ended_ns - end_ns) <= 0.6 * TYPICAL, "told another end"
            self.now_ns += self.transfer_ns // 2
            shunt = self.replaced(self.now_ns)
            self.now_ns += self.transfer_ns // 2
            beat.took(self.now_ns)
            self.taken.append(bus)
            assert self.taken[-2:] == sorted(set(self.taken[-2:])), "read twice"
            assert not self.shunts or shunt > self.shunts[-1], "its first register was read twice"
            self.shunts.append(shunt)
        if self.asks_first:
            beat.cleared(before_ns, after_ns)
            return
        before_ns = self.now_ns
        self.cleared_ns = before_ns + self.transfer_ns // 2
        self.now_ns += self.transfer_ns
        beat.cleared(before_ns, self.now_ns)

    shunts: list[int] = field(default_factory=list)

    def run(self, cycles: int) -> None:
        """Visit it for so many typical cycles."""
        end_ns = self.now_ns + cycles * TYPICAL
        while self.now_ns < end_ns:
            self.now_ns = max(self.now_ns, self.beat.due_ns)
            self.now_ns += self.chance.randrange(self.late_ns + 1)
            self.visit()


@pytest.mark.parametrize("asks_first", [False, True])
@pytest.mark.parametrize("late_ns", [0, 2 * MS, 25 * MS])
@pytest.mark.parametrize("pace", [0.87, 0.9, 0.95, 0.999, 1.0, 1.02, 1.1, 1.13])
def test_every_conversion_is_read_once_at_any_pace(
    pace: float, late_ns: int, asks_first: bool
) -> None:
    world = World(pace, late_ns, asks_first=asks_first)
    world.run(2_000)
    assert world.taken == list(range(1, len(world.taken) + 1))
    assert world.ended(world.now_ns) - len(world.taken) <= 1
    assert world.beat.missed == 0
    assert world.looks <= 1.04 * len(world.taken) + 12, "one visit in thirty finds nothing"
    assert world.beat.is_known


@pytest.mark.parametrize("asks_first", [False, True])
@pytest.mark.parametrize("pace", [0.9, 1.0, 1.1])
def test_pauses_of_the_reader_lose_what_they_last_and_nothing_is_read_twice(
    pace: float, asks_first: bool
) -> None:
    world = World(pace, 5 * MS, asks_first=asks_first)
    for _ in range(200):
        world.run(world.chance.randrange(40))
        world.now_ns += world.chance.randrange(10 * TYPICAL)
    lost = world.ended(world.now_ns) - len(world.taken)
    assert 0 <= lost - world.beat.missed <= 200 * 10
    assert len(world.taken) > 0.6 * world.ended(world.now_ns)


@pytest.mark.parametrize("transfer_ns", [30 * MS, 50 * MS, 90 * MS])
@pytest.mark.parametrize("asks_first", [False, True])
def test_bus_that_is_too_slow_loses_conversions_and_reads_none_twice(
    transfer_ns: int, asks_first: bool
) -> None:
    world = World(transfer_ns=transfer_ns, asks_first=asks_first)
    world.run(500)
    assert len(world.taken) > 50


def test_channels_in_turn_leave_a_third_of_the_cycle_to_read_them() -> None:
    """An INA3221 with three of them: the first register changes after a third of the next cycle."""
    world = World(1.05, 5 * MS, asks_first=True, head_ns=TYPICAL // 3)
    world.run(10)
    lost = world.ended(world.now_ns) - len(world.taken)
    world.run(1_000)
    assert lost <= 1, "while its pace is learned"
    assert world.ended(world.now_ns) - len(world.taken) == lost
    beat = world.beat
    assert beat.due_ns <= beat.late_ns < beat.due_ns + TYPICAL // 6


def test_visit_may_be_put_off_by_up_to_half_a_cycle_once_the_cycle_is_known() -> None:
    world = World(0.97)
    world.run(100)
    slack_ns = world.beat.late_ns - world.beat.due_ns
    assert 0.4 * world.cycle_ns < slack_ns <= 0.5 * world.cycle_ns


def test_cycle_that_drifts_is_followed() -> None:
    """A chip that warms up by 40 degrees in three minutes: ten times what a room does."""
    world = World(0.96, 2 * MS)
    world.run(200)
    taken, missed = len(world.taken), world.beat.missed
    lost = 0
    for _ in range(60):
        ended = world.ended(world.now_ns)
        world.pace *= 1.0002
        cycle_ns = round(TYPICAL * world.pace)
        world.start_ns += ended * (world.cycle_ns - cycle_ns)
        world.cycle_ns = cycle_ns
        world.run(50)
    lost = world.ended(world.now_ns) - 200 - (len(world.taken) - taken)
    assert world.beat.missed - missed <= 3
    assert lost <= 12


def test_flag_that_stays_down_past_the_end_is_a_surprise() -> None:
    world = World()
    world.run(50)
    world.cycle_ns, world.start_ns = 10**15, world.now_ns
    world.cleared_ns = world.now_ns
    world.run(2)
    assert world.beat.is_surprised
    assert world.beat.pace == ANY_PACE


def test_pace_of_one_setting_tells_that_of_another() -> None:
    world = World(1.07)
    assert world.beat.pace == ANY_PACE, "nothing is known yet"
    world.run(100)
    low, high = world.beat.pace
    assert low < 1.07 < high < low + 0.011
    other = Beat(1_064_000, 532_000, (low, high))
    other.restarted(0, 0)
    assert other.open_ns < 1.07 * 1_064_000 < other.due_ns + 60_000
