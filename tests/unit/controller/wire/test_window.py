from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.wire.window import WINDOW, Window

counters = st.one_of(
    st.integers(0, 40),
    st.integers(WINDOW - 20, WINDOW + 20),
    st.integers(0, 4 * WINDOW),
    st.integers(2**64 - 2 * WINDOW, 2**64 - 1),
)


@settings(max_examples=300)
@given(st.lists(counters, max_size=60))
def test_window_takes_exactly_what_a_set_of_seen_counters_would(sequence: list[int]) -> None:
    window, seen, newest = Window(), set[int](), 0
    for counter in sequence:
        fresh = counter not in seen and counter > newest - WINDOW
        assert window.take(counter) is fresh, counter
        if fresh:
            seen.add(counter)
            newest = max(newest, counter)


@given(st.permutations(range(1, 40)))
def test_window_takes_each_counter_once_in_any_order(order: list[int]) -> None:
    window = Window()
    assert all(window.take(counter) for counter in order)
    assert not any(window.take(counter) for counter in order)


@pytest.mark.parametrize("spent", [1, 500, 2**63])
def test_window_with_a_spent_counter_takes_only_what_comes_after_it(spent: int) -> None:
    """Fails if what a boot said before it proved itself could be taken after it."""
    window = Window(spent)
    assert not any(window.take(spent - back) for back in (0, 1, WINDOW - 1, WINDOW, spent))
    assert window.take(spent + 2)
    assert window.take(spent + 1)
    assert not window.take(spent + 1)
