"""Fails if looks rule out the truth, or leave so much of it that nothing is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.cycle import LOOKS_MAX, Cycle

TYPICAL = 616_000


@given(
    period=st.floats(0.9 * TYPICAL, 1.1 * TYPICAL),
    first=st.floats(0, 1e6),
    looks=st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1)), min_size=1, max_size=60),
)
def test_truth_is_within_what_looks_leave(
    period: float, first: float, looks: list[tuple[int, float]]
) -> None:
    """Each look is 200 µs long, and lies anywhere about an end of the cycle."""
    cycle, index = Cycle(0.85 * TYPICAL, 1.15 * TYPICAL), 0
    for step, part in looks:
        index += step
        end = first + index * period
        lo_ns = int(end - part * 200_000) - 1
        assert cycle.learn(index, lo_ns, lo_ns + 200_002)
        assert cycle.shortest_ns - 1e-3 <= period <= cycle.longest_ns + 1e-3
        for ahead in (0, 1, 64):
            lo_ns, hi_ns = cycle.bounds(index + ahead)
            assert lo_ns - 1 <= end + ahead * period <= hi_ns + 1


def test_ten_looks_leave_a_few_thousandths() -> None:
    cycle = Cycle(0.85 * TYPICAL, 1.15 * TYPICAL)
    for index in range(0, 200, 20):
        end = index * TYPICAL
        assert cycle.learn(index, end - 60_000, end + 60_000)
    assert cycle.longest_ns - cycle.shortest_ns < 2.5e-3 * TYPICAL
    low, high = cycle.loosened()
    assert low < cycle.shortest_ns < TYPICAL < cycle.longest_ns < high


def test_looks_that_contradict_each_other_leave_nothing() -> None:
    cycle = Cycle(0.85 * TYPICAL, 1.15 * TYPICAL)
    assert cycle.learn(0, 0, 1000)
    assert cycle.learn(1, TYPICAL, TYPICAL + 1000)
    assert not cycle.learn(2, 3 * TYPICAL, 3 * TYPICAL + 1000)


def test_old_looks_do_not_hold_a_chip_that_warms_up_to_its_old_pace() -> None:
    cycle, end = Cycle(0.85 * TYPICAL, 1.15 * TYPICAL), 0.0
    for index in range(40 * LOOKS_MAX):
        end += TYPICAL * (1 + 1e-6 * index)
        if index % 8 == 0:
            assert cycle.learn(index, int(end) - 60_000, int(end) + 60_000), index
    assert cycle.shortest_ns > TYPICAL


def test_cycle_of_no_length_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="a cycle of"):
        Cycle(0, 1)
