"""Fails if the auditor reads a look wrongly, or judges otherwise than decisions page 16 says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.audit.field import Malformed
from rackgrid.audit.look import (
    LIES_MAX,
    SHARE_MAX,
    WHOLE,
    Look,
    Verdict,
    Window,
    is_lie,
    look_row,
    verdict,
    window_row,
)
from rackgrid.market import honesty

ROW = [20_000, 2000, 500, 0, 0, 7, 13_000, 5151]


def seen(allowed_mw: int, drawn_mw: int) -> Look:
    return look_row([drawn_mw, 0, 0, allowed_mw, 0, 0, 0, 0], 1, 2)


def test_look_is_read() -> None:
    look = look_row(ROW, 5, 8)
    assert (look.t_ns, look.round, look.allowed_mw, look.drawn_mw) == (5, 8, 13_000, 17_500)
    assert (look.grant_round, look.grant_mw, look.grant_ms) == (7, 13_000, 5151)
    assert (look.beyond_mw, look.is_lie) == (4500, True)
    assert look_row([1000, 2000, 0, 14_000, 600, 7, 13_000, 1], 5, 8).allowed_mw == 14_600
    assert look_row([1000, 2000, 0, 0, 0, 0, 0, 0], 5, 8).drawn_mw == 0


def test_window_is_read() -> None:
    assert window_row([3, 90, 9, None]) == Window(3, 90, 9, None)
    assert window_row([3, 90, 9, [5, 8, *ROW]]) == Window(3, 90, 9, look_row(ROW, 5, 8))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([1, 2, 3], "a window: 3 values, where there are 4"),
        ([1, 2, "x", None], "a window: 'x' is no whole number"),
        ([1, 2, 3, [1]], "a window's look: 1 values, where there are 10"),
        ([1, 2, 3, [1, None, *ROW]], "a window's look: None is no whole number"),
        ([1, 2, 3, [5, 8, *ROW[:7], 0]], "a look: a grant of 13000 mW for 0 ms"),
        ([1, 2, 3, [5, 8, -1, *ROW[1:]]], "a look: a number below zero"),
        (7, "a window: no list"),
    ],
)
def test_window_that_is_none_is_named(row: object, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        window_row(row)


def test_lie_is_more_than_a_meters_error() -> None:
    assert [is_lie(0, drawn) for drawn in (200, 201)] == [False, True]
    assert [is_lie(100_000, drawn) for drawn in (105_000, 105_001)] == [False, True]


def test_verdict_of_three_lies_is_a_flag_with_the_share_that_was_proved() -> None:
    held = Verdict()
    for lies in range(1, LIES_MAX + 1):
        held = verdict(held, seen(10_000, 15_000))
        assert held == Verdict(lies, 1500)
        assert held.is_flagged is (lies == LIES_MAX)
    assert verdict(held, seen(10_000, 15_000)) == Verdict(LIES_MAX, 2250), "on top of its share"
    assert verdict(held, seen(0, 15_000)).share == SHARE_MAX
    assert verdict(Verdict(LIES_MAX, 2900), seen(10_000, 10_600)).share == SHARE_MAX


def test_verdict_of_a_window_without_a_lie_forgives_a_hundredth() -> None:
    assert verdict(Verdict(3, 1500), None) == Verdict(3, 1490)
    assert verdict(Verdict(3, 1500), seen(10_000, 10_500)) == Verdict(3, 1490)
    assert verdict(Verdict(3, 1010), None) == verdict(Verdict(3, 1003), None) == Verdict()
    assert verdict(Verdict(), None) == Verdict()


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 200_000)), max_size=40))
def test_verdict_is_the_brokers_own_whatever_was_seen(windows: list[tuple[int, int]]) -> None:
    """Two minds: neither imports the other."""
    held, record = Verdict(), honesty.HONEST
    for allowed_mw, drawn_mw in windows:
        held = verdict(held, seen(allowed_mw, drawn_mw) if drawn_mw > allowed_mw else None)
        record = honesty.judged(
            record, *((allowed_mw, drawn_mw) if drawn_mw > allowed_mw else (0, 0))
        )
        assert (held.lies, held.share) == (record.lies, record.share_permille)
        assert held.is_flagged is record.is_flagged
        assert held.share >= WHOLE
