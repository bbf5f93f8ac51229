"""Fails if a range clips unseen, never comes down again, or flutters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.ranging import CALM, DOWN, UP, AutoRange
from rackgrid_firmware.registers import Range


def settled(size: int) -> AutoRange:
    auto = AutoRange()
    for _ in range(CALM):
        auto.judge(size)
    return auto


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, Range.MV_40),
        (1599, Range.MV_40),
        (-1599, Range.MV_40),
        (1600, Range.MV_80),
        (6000, Range.MV_160),
        (7000, Range.MV_320),
        (30000, Range.MV_320),
    ],
)
def test_range_comes_down_to_the_finest_with_room_to_spare(size: int, expected: Range) -> None:
    assert settled(size).range is expected


def test_range_comes_down_only_after_a_calm_while() -> None:
    auto = AutoRange()
    for at in range(3 * CALM):
        auto.judge(20_000 if at % CALM == CALM // 2 else 10)
        assert auto.range is Range.MV_320


@pytest.mark.parametrize("sign", [1, -1])
def test_range_goes_up_to_the_widest_at_once(sign: int) -> None:
    auto = settled(0)
    assert auto.judge(sign * 3799) is Range.MV_40
    assert auto.judge(sign * 3800) is Range.MV_320


def test_range_comes_down_again_after_a_spike() -> None:
    auto = settled(0)
    auto.judge(4000)
    for _ in range(CALM):
        auto.judge(0)
    assert auto.range is Range.MV_40


def test_range_that_is_widened_begins_to_count_anew() -> None:
    auto = AutoRange()
    for _ in range(CALM - 1):
        auto.judge(0)
    auto.widen()
    assert auto.judge(0) is Range.MV_320


@given(st.lists(st.integers(-32000, 32000), max_size=400))
def test_range_never_stays_where_a_sample_was_at_its_end(sizes: list[int]) -> None:
    auto = AutoRange()
    for size in sizes:
        end = auto.range.raw_max
        clipped = max(-end, min(end, size))
        if auto.judge(clipped) is not Range.MV_320:
            assert abs(size) < UP * end
            assert DOWN < UP / 2, "a step down would be undone by the next sample"
