from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.wire.bucket import SECOND_NS, Bucket


def test_bucket_takes_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(per_s=10, burst=5)
    assert [bucket.take(0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert bucket.take(SECOND_NS // 10)
    assert not bucket.take(SECOND_NS // 10)
    assert [bucket.take(10 * SECOND_NS) for _ in range(6)] == [True] * 5 + [False]


def test_bucket_refusal_costs_nothing() -> None:
    """Fails if a sender that goes on too fast is never let in again."""
    bucket = Bucket(per_s=10, burst=1)
    taken = sum(bucket.take(ms * SECOND_NS // 1000) for ms in range(10_000))
    assert taken == 100


@given(
    st.integers(1, 1000),
    st.integers(1, 50),
    st.lists(st.integers(0, SECOND_NS // 100), max_size=300),
)
def test_bucket_never_lets_more_through_than_burst_and_rate(
    per_s: int, burst: int, gaps: list[int]
) -> None:
    bucket, now_ns, taken = Bucket(per_s, burst), 0, 0
    for gap in gaps:
        now_ns += gap
        taken += bucket.take(now_ns)
        assert taken <= burst + now_ns // (SECOND_NS // per_s)


@pytest.mark.parametrize(("per_s", "burst"), [(0, 1), (1, 0)])
def test_bucket_that_lets_nothing_through_is_our_bug(per_s: int, burst: int) -> None:
    with pytest.raises(AssertionError):
        Bucket(per_s, burst)
