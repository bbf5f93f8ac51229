"""Timers that end in time: the arithmetic, and the law that it keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.deadman import (
    DRIFT_PPM,
    MS_NS,
    SECOND_NS,
    SERVER_NS,
    TIMERS,
    Timer,
    earliest_end_ns,
    grant_ns_min,
    latest_end_ns,
    span_ns,
    timer_of,
)

TIMER = Timer(SECOND_NS, 250 * MS_NS, 750 * MS_NS, 10 * SECOND_NS)


def test_span_leaves_room_for_delivery_drift_and_lateness() -> None:
    assert span_ns(TIMER, 4500 * MS_NS) == 3 * SECOND_NS
    assert span_ns(TIMER, 5000 * MS_NS) == 3 * SECOND_NS  # 4 s slow by 1 % would end too late
    assert span_ns(TIMER, 5100 * MS_NS) == 4 * SECOND_NS


def test_span_is_nothing_when_the_smallest_step_is_too_long() -> None:
    assert span_ns(TIMER, 2000 * MS_NS) == 0
    assert span_ns(TIMER, -SECOND_NS) == 0


def test_span_is_no_longer_than_the_timer_can_be_set_to() -> None:
    assert span_ns(TIMER, 60 * SECOND_NS) == 10 * SECOND_NS


@given(
    st.sampled_from(sorted(TIMERS)),
    st.integers(0, 60 * SECOND_NS),
    st.integers(0, 1000),
    st.integers(-DRIFT_PPM, DRIFT_PPM),
    st.integers(0, 1000),
)
def test_no_timer_ends_after_its_deadline(
    make: str, left_ns: int, late: int, ppm: int, delivery: int
) -> None:
    """However late the word and the timer are, within their bounds, and however it drifts."""
    timer = TIMERS[make]
    span = span_ns(timer, left_ns)
    if span:
        heard_ns = timer.deliver_ns * delivery // 1000
        took_ns = span * 1_000_000 // (1_000_000 - ppm)
        assert heard_ns + took_ns + timer.late_ns * late // 1000 <= left_ns


@given(st.integers(1, 60 * SECOND_NS), st.integers(-DRIFT_PPM, DRIFT_PPM))
def test_true_end_lies_between_the_earliest_and_the_latest(span: int, ppm: int) -> None:
    took_ns = span * 1_000_000 // (1_000_000 + ppm)
    assert earliest_end_ns(0, span) <= took_ns <= latest_end_ns(TIMER, 0, span)


@pytest.mark.parametrize("make", sorted(TIMERS))
@given(round_ms=st.integers(50, 5000))
def test_shortest_grant_lets_a_renewal_come_while_the_timer_runs(make: str, round_ms: int) -> None:
    timer, round_ns = TIMERS[make], round_ms * MS_NS
    left_ns = grant_ns_min(timer, round_ns) - round_ns
    armed_ns = earliest_end_ns(0, span_ns(timer, left_ns) - timer.early_ns)
    assert armed_ns >= round_ns + timer.deliver_ns


def test_server_on_the_way_takes_time_from_the_timer() -> None:
    direct, over_server = timer_of("shelly", "http"), timer_of("shelly", "mqtt")
    assert direct == TIMERS["shelly"]
    assert over_server.deliver_ns == direct.deliver_ns + SERVER_NS
    assert grant_ns_min(over_server, SECOND_NS) > grant_ns_min(direct, SECOND_NS)


@pytest.mark.parametrize("wrong", [(0, 0, 0), (1, -1, 0), (1, 0, -1)])
def test_timer_that_makes_no_sense_is_a_bug(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(AssertionError):
        Timer(*wrong)
