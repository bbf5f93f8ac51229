"""Whatever a bus does, nothing escapes from a meter, no counter falls, and it comes back."""

from __future__ import annotations

import pytest
from tests.unit.firmware.troubled import Glitch, Story


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_meter_in_trouble_keeps_its_counters_and_comes_back(first: int) -> None:
    for seed in range(first, first + 100):
        Story(seed).play()


@pytest.mark.parametrize("first", range(0, 320, 40))
def test_garbled_sample_trips_nothing_and_books_nothing_but_a_little(first: int) -> None:
    for seed in range(first, first + 40):
        Glitch(seed).play()
