"""Fails if a wrong word is believed, or a true one costs more than one read again."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest

from rackgrid_firmware.doubt import (
    FAST_STEPS,
    HELD_NS,
    HELD_STEPS,
    READS_MAX,
    Doubt,
    Frame,
    Pair,
    frame,
    limits,
)
from rackgrid_firmware.errors import DeviceFault

SPAN = 32_000.0, 8_000.0
ENDS = -32_000.0, 32_000.0
LIMIT = limits(4.0, 5e-4)
HELD = frame(SPAN, ENDS, LIMIT, HELD_NS)
FAST = frame(SPAN, ENDS, LIMIT, HELD_NS - 1)
TRUE = 1_000, 3_000


def saying(*pairs: Pair) -> Callable[[], Pair]:
    """Read these, one after the other; fails when it is asked once more."""
    left = list(pairs)
    return lambda: left.pop(0)


def settled(doubt: Doubt, first: Pair, *again: Pair) -> Pair:
    return doubt.settle(first, saying(*again), "the chip")


def knowing(frame: Frame) -> Doubt:
    """A doubt that has believed the true reading."""
    doubt = Doubt(frame)
    assert settled(doubt, TRUE, TRUE) == TRUE
    return doubt


def test_frame_has_finer_steps_where_the_registers_are_held() -> None:
    assert (HELD.is_held, HELD.step, HELD.bus_step) == (True, 32_000 / HELD_STEPS, 125)
    assert (FAST.is_held, FAST.step, FAST.bus_step) == (False, 32_000 / FAST_STEPS, 2_000)


def test_limit_is_doubted_one_step_early_and_counts_gain_and_offset() -> None:
    assert limits(4.0, 5e-4) == (-7_999, 7_999)
    assert limits(4.0, 5e-4, 0.1) == (pytest.approx(-8_199), pytest.approx(7_799))
    assert limits(0.0) == (-math.inf, math.inf)


def test_frame_alarms_at_the_nearer_of_limit_and_end_stop() -> None:
    assert (HELD.low, HELD.high) == (-7_999, 7_999)
    wide = frame(SPAN, ENDS, limits(0.0), HELD_NS)
    assert (wide.low, wide.high) == ENDS


def test_first_reading_of_all_is_believed_when_a_second_says_the_same() -> None:
    doubt = Doubt(HELD)
    assert not doubt.is_near(*TRUE)
    assert settled(doubt, TRUE, TRUE) == TRUE
    assert doubt.is_near(*TRUE)


@pytest.mark.parametrize("frame", [HELD, FAST])
def test_small_change_is_believed_at_once_and_a_large_one_is_not(frame: Frame) -> None:
    doubt = knowing(frame)
    step, bus_step = frame.step, frame.bus_step
    assert doubt.is_near(TRUE[0] - step + 1, TRUE[1] + bus_step - 1)
    assert not doubt.is_near(TRUE[0] - step, TRUE[1])
    assert not doubt.is_near(TRUE[0], TRUE[1] + bus_step)


@pytest.mark.parametrize("frame", [HELD, FAST])
def test_large_change_that_is_true_costs_one_read_again(frame: Frame) -> None:
    doubt = knowing(frame)
    assert settled(doubt, (30_000, 3_000), (30_000, 2_990)) == (30_000, 2_990)
    assert doubt.is_near(30_000, 2_990)


@pytest.mark.parametrize("frame", [HELD, FAST])
@pytest.mark.parametrize("wrong", [(20_000, 3_000), (1_000, 8_000), (-32_000, 0), (9_000, 3_000)])
def test_one_wrong_reading_leaves_nothing_behind(frame: Frame, wrong: Pair) -> None:
    doubt = knowing(frame)
    before = doubt.low, doubt.high, doubt.bus_low, doubt.bus_high
    assert not doubt.is_near(*wrong)
    assert settled(doubt, wrong, TRUE) == TRUE
    assert (doubt.low, doubt.high, doubt.bus_low, doubt.bus_high) == before


@pytest.mark.parametrize("frame", [HELD, FAST])
def test_wrong_reading_beside_a_true_change_is_told_from_it(frame: Frame) -> None:
    doubt = knowing(frame)
    assert settled(doubt, (-31_000, 100), (-20_000, 3_000), (-20_000, 3_000)) == (-20_000, 3_000)


def test_trip_is_doubted_however_small_the_step_to_it() -> None:
    """Fails if a wrong word can trip where the load is just below the limit."""
    doubt = Doubt(HELD)
    settled(doubt, (7_900, 3_000), (7_900, 3_000))
    assert doubt.is_near(7_998, 3_000)
    assert not doubt.is_near(7_999, 3_000)
    assert settled(doubt, (8_001, 3_000), (8_001, 3_000)) == (8_001, 3_000)
    assert doubt.is_near(8_100, 3_000), "it is beyond the limit already"


def test_two_reads_beyond_a_limit_suffice_where_the_chip_has_converted_between_them() -> None:
    doubt = knowing(FAST)
    assert settled(doubt, (9_500, 3_000), (31_000, 2_000)) == (31_000, 2_000)
    doubt = knowing(FAST)
    assert settled(doubt, (-9_500, 3_000), (-31_000, 2_000)) == (-31_000, 2_000)


def test_two_reads_beyond_a_limit_do_not_suffice_where_the_registers_are_held() -> None:
    doubt = knowing(HELD)
    assert settled(doubt, (9_500, 3_000), (31_000, 2_000), TRUE) == TRUE


def test_chip_that_holds_its_registers_and_differs_each_time_is_a_fault() -> None:
    doubt = knowing(HELD)
    reads = [(20_000.0, 5_000.0), (-20_000.0, 100.0), (9_000.0, 7_000.0), (15_000.0, 1_000.0)]
    with pytest.raises(DeviceFault, match=r"the chip says something else each time .*20000/5000"):
        settled(doubt, *reads)
    assert len(reads) == 1 + READS_MAX
    assert doubt.is_near(*TRUE), "what was believed is believed still"


def test_chip_that_converts_fast_and_differs_each_time_counts_with_the_least_current() -> None:
    doubt = Doubt(frame(SPAN, ENDS, limits(0.0), 616_000))
    reads = [(20_000, 3_000), (-9_000, 3_000), (30_000, 3_000), (500, 3_000)]
    assert settled(doubt, *reads) == (500, 3_000)


def test_end_stop_is_believed_when_a_second_read_is_there_too() -> None:
    doubt = Doubt(frame(SPAN, ENDS, limits(0.0), HELD_NS))
    settled(doubt, (31_900, 3_000), (31_900, 3_000))
    assert not doubt.is_near(32_000, 3_000)
    assert settled(doubt, (32_000, 3_000), (32_000, 3_000)) == (32_000, 3_000)


def test_what_no_chip_can_say_is_settled_when_it_is_said_twice_and_never_near() -> None:
    doubt = knowing(HELD)
    nonsense = math.inf, math.inf
    assert settled(doubt, nonsense, nonsense) == nonsense
    assert not doubt.is_near(*nonsense)


def test_doubt_of_a_chip_that_converts_in_another_way_begins_anew() -> None:
    doubt = knowing(HELD)
    doubt.reframe(FAST)
    assert not doubt.is_near(*TRUE)


@pytest.mark.parametrize("frame", [HELD, FAST])
def test_law_one_wrong_sample_in_thousands_is_never_believed_beyond_two_steps(frame: Frame) -> None:
    """Any two words instead of the true ones, while the truth wanders and the load switches."""
    chance = Random(7)
    doubt, amps = Doubt(frame), 1_000.0
    for _ in range(5_000):
        if chance.random() < 0.05:
            amps = chance.uniform(-7_000, 7_000)
        amps += chance.uniform(-20, 20)
        true = amps, 3_000.0
        seen: Pair = true
        if chance.random() < 0.3:
            seen = chance.randrange(-32_768, 32_768), chance.randrange(8_192)
        if not doubt.is_near(*seen):
            seen = settled(doubt, seen, true, true)
        assert abs(seen[0] - amps) <= 2 * frame.step
        assert abs(seen[1] - 3_000) <= 2 * frame.bus_step
        assert abs(seen[0]) < 7_999, "it would trip"
