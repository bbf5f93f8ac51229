"""Fails if times that should be in step with nothing leave some part of a period out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.uneven import uneven


@given(st.integers(1, 10_000))
def test_uneven_steps_fill_the_square(first: int) -> None:
    """Fails if some part of it is left out for long: of 64 in a row each eighth has some."""
    points = [uneven(first + step) for step in range(64)]
    for axis in (0, 1):
        counts = [0] * 8
        for point in points:
            counts[int(point[axis] * 8)] += 1
        assert min(counts) >= 5, counts
