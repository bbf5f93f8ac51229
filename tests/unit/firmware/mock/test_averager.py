"""Fails if a mean is not that of the time in which the converter looked, or looking changes it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.averager import Averager


class Ear:
    def __init__(self) -> None:
        self.told: list[tuple[Mapping[int, float], int]] = []
        self.averager = Averager(lambda means, count: self.told.append((means, count)))


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_averager_hands_out_means_at_the_end_of_the_block_and_not_before(ear: Ear) -> None:
    ear.averager.feel(0, {1: 2.0, 2: 12.0})
    ear.averager.start(100, [(1, 30), (2, 10)], 4, continuous=True)
    ear.averager.advance(259)
    assert ear.told == []
    ear.averager.advance(260)
    assert ear.told == [({1: 2.0, 2: 12.0}, 1)]


def test_averager_sees_an_input_only_while_its_window_is_open(ear: Ear) -> None:
    ear.averager.start(0, [(1, 30), (2, 10)], 2, continuous=True)
    ear.averager.feel(10, {1: 1.0, 2: 1.0})  # 20 of the first window, all of the second
    ear.averager.feel(40, {1: 0.0, 2: 1.0})  # none of the next, all of the second
    ear.averager.advance(80)
    assert ear.told == [({1: pytest.approx(20 / 60), 2: 1.0}, 1)]


def test_averager_single_block_ends_and_rests(ear: Ear) -> None:
    ear.averager.feel(0, {1: 1.0})
    ear.averager.start(0, [(1, 10)], 1, continuous=False)
    ear.averager.advance(1000)
    assert [count for _, count in ear.told] == [1]


def test_averager_skips_blocks_that_nobody_saw_and_counts_them(ear: Ear) -> None:
    ear.averager.feel(0, {1: 1.0})
    ear.averager.start(0, [(1, 10)], 1, continuous=True)
    ear.averager.advance(10**15 + 5)
    assert [count for _, count in ear.told][-1] == 10**14
    assert len(ear.told) <= 2


def test_averager_started_anew_forgets_what_it_had(ear: Ear) -> None:
    ear.averager.feel(0, {1: 9.0})
    ear.averager.start(0, [(1, 10)], 2, continuous=True)
    ear.averager.feel(15, {1: 1.0})
    ear.averager.start(15, [(1, 10)], 2, continuous=True)
    ear.averager.advance(35)
    assert ear.told == [({1: 1.0}, 1)]


def test_averager_time_does_not_go_back(ear: Ear) -> None:
    ear.averager.advance(10)
    with pytest.raises(AssertionError, match="time does not go back"):
        ear.averager.advance(9)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(-5, 5)), max_size=12),
    st.integers(1, 7),
    st.booleans(),
)
def test_averager_however_often_one_looks_tells_the_same(
    steps: list[tuple[int, int]], rounds: int, continuous: bool
) -> None:
    def run(look: bool) -> tuple[dict[int, float], int] | None:
        ear = Ear()
        ear.averager.start(3, [(1, 7), (2, 2)], rounds, continuous=continuous)
        now = 0
        for wait, level in steps:
            if look:
                for at in range(now, now + wait):
                    ear.averager.advance(at)
            now += wait
            ear.averager.feel(now, {1: level, 2: -level})
        ear.averager.advance(now + 40)
        if not ear.told:
            return None
        means, count = ear.told[-1]
        return {each: round(mean, 9) for each, mean in means.items()}, count

    assert run(look=True) == run(look=False)
