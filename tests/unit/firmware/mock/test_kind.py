"""The curves of a start."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from rackgrid_firmware.mock.kind import CURVE, KINDS, SPAN, STEPS, remains, undone
from rackgrid_firmware.profile_mock_table import LOAD_KEYS


def test_kinds_are_those_of_the_profile() -> None:
    assert set(KINDS) == set(LOAD_KEYS)


def test_curve_falls_and_has_the_energy_of_the_exponential() -> None:
    assert len(CURVE) == STEPS
    assert all(later < earlier for earlier, later in pairwise(CURVE))
    assert sum(CURVE) / STEPS == pytest.approx((1 - math.exp(-SPAN)) / SPAN)


def test_remains_falls_to_nothing_when_the_inrush_is_over() -> None:
    assert remains(0, 100) == 1.0
    assert remains(50, 100) == pytest.approx(math.exp(-SPAN / 2))
    assert remains(100, 100) == 0.0


def test_undone_is_all_of_it_for_an_empty_capacitor_and_grows_with_the_pause() -> None:
    def after(pause_s: float) -> float:
        return undone(excess_w=100.0, draw_w=10.0, inrush_s=0.1, pause_s=pause_s, charge=1.0)

    assert after(0.0) == 0.0
    assert after(1e-3) < after(5e-2)
    assert after(10.0) == 1.0
    assert undone(100.0, 10.0, 0.1, 0.0, charge=0.0) == 1.0
    assert undone(0.0, 10.0, 0.1, 0.0, charge=1.0) == 1.0
