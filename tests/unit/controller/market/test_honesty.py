"""Honesty: who takes more is found out, flagged when it goes on, and forgiven when it stops."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.curve import Step
from rackgrid.market.honesty import (
    FORGIVEN_PERMILLE,
    HONEST,
    LIES_MAX,
    SHARE_PERMILLE_MAX,
    Record,
    counted,
    is_beyond,
    judged,
    learned_mw,
)

STEP = Step(300_000, 10_000, 12_000, running=False)
powers = st.integers(1_000, 100_000)


def test_node_that_keeps_to_its_grant_is_left_alone() -> None:
    record = HONEST
    for drawn in (0, 5_000, 10_000, 10_200):
        record = judged(record, 10_000, drawn)
    assert record == HONEST
    assert counted(record, STEP) == STEP


def test_node_that_takes_more_again_and_again_is_flagged_and_counts_with_its_share() -> None:
    record = HONEST
    for _ in range(LIES_MAX):
        assert counted(record, STEP) == STEP
        record = judged(record, 10_000, 16_000)
    assert record.is_flagged
    assert record.share_permille == 1_600


def test_node_that_takes_more_even_so_counts_with_even_more() -> None:
    assert judged(Record(LIES_MAX, 1_600), 16_000, 24_000).share_permille == 2_400


def test_node_that_counts_with_its_share_is_not_caught_again_by_the_same_greed() -> None:
    record = Record(LIES_MAX, 1_600)
    step = counted(record, STEP)
    assert (step.power_mw, step.reserve_mw) == (16_000, 19_200)
    after = judged(record, step.reserve_mw, 16_000)
    assert after.share_permille == 1_600 - FORGIVEN_PERMILLE


def test_beyond_is_more_than_a_twentieth_and_more_than_a_fifth_of_a_watt() -> None:
    assert [is_beyond(0, drawn) for drawn in (200, 201)] == [False, True]
    assert [is_beyond(100_000, drawn) for drawn in (105_000, 105_001)] == [False, True]


@given(powers, st.lists(powers, max_size=30))
def test_share_stays_between_honest_and_its_limit(granted: int, drawn: list[int]) -> None:
    record = HONEST
    for each in drawn:
        record = judged(record, granted, each)
        assert 1_000 <= record.share_permille <= SHARE_PERMILLE_MAX
        assert 0 <= record.lies <= LIES_MAX
        assert counted(record, STEP).reserve_mw >= STEP.reserve_mw


@given(st.integers(1_001, SHARE_PERMILLE_MAX))
def test_node_that_stops_is_forgiven(share: int) -> None:
    record = Record(LIES_MAX, share)
    for _ in range(-(-(share - 1_000) // FORGIVEN_PERMILLE)):
        assert record.is_flagged
        record = judged(record, 10_000, 10_000)
    assert record == HONEST


def test_nameplate_is_learned_where_a_meter_shows_clearly_more() -> None:
    assert learned_mw(10_000, 14_000) == 14_000
    assert learned_mw(10_000, 10_400) == 10_000
    assert learned_mw(10_000, 2_000) == 10_000
    assert learned_mw(10_000, None) == 10_000
