"""Loads: what they bid in each state, and what stands in the floor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.load import floor_mw, step_for

WORTH, CAP, NOMINAL, INRUSH = 300_000, 10_000_000, 10_000, 25_000


@pytest.mark.parametrize(
    ("metered", "running", "settled", "power", "reserve"),
    [
        # off: nameplate, and room for the inrush
        (None, False, False, NOMINAL, INRUSH),
        (0, False, True, NOMINAL, INRUSH),
        # off, and draws all the same: what it draws may come on top
        (30_000, False, False, NOMINAL, 30_000),
        # on, still starting: the meter shows the inrush, not the load
        (22_000, True, False, NOMINAL, INRUSH),
        (None, True, False, NOMINAL, INRUSH),
        # settled: the meter knows better
        (8_000, True, True, 8_000, NOMINAL),
        (12_000, True, True, 12_000, 12_000),
        (0, True, True, 0, NOMINAL),
        # the sensor's offset makes no producer of a load
        (-3, True, True, 0, NOMINAL),
        # settled, but the meter is stale or absent
        (None, True, True, NOMINAL, NOMINAL),
    ],
)
def test_step_of_a_load_takes_metered_power_and_reserves_the_worst_case(
    metered: int | None, running: bool, settled: bool, power: int, reserve: int
) -> None:
    step = step_for(WORTH, NOMINAL, INRUSH, metered, running, settled, CAP, False)
    assert step is not None
    assert (step.power_mw, step.reserve_mw) == (power, reserve)
    assert (step.worth_uc, step.running) == (WORTH, running)


@pytest.mark.parametrize(
    ("running", "min_on_left", "min_off_left", "worth"),
    [
        (True, True, False, CAP),
        (True, False, False, WORTH),
        (False, False, True, None),
        (False, False, False, WORTH),
        # a guard of the other state says nothing
        (False, True, False, WORTH),
        (True, False, True, WORTH),
    ],
)
def test_step_inside_a_guard_bids_the_cap_or_not_at_all(
    running: bool, min_on_left: bool, min_off_left: bool, worth: int | None
) -> None:
    step = step_for(
        WORTH, NOMINAL, INRUSH, None, running, True, CAP, min_on_left, min_off_left=min_off_left
    )
    assert (None if step is None else step.worth_uc) == worth


def test_step_with_inrush_below_nameplate_reserves_nameplate() -> None:
    step = step_for(WORTH, NOMINAL, 0, None, False, False, CAP, False)
    assert step is not None
    assert step.reserve_mw == NOMINAL


watts = st.integers(0, 2**31)


@given(watts, watts, st.none() | st.integers(-1000, 2**31), st.booleans(), st.booleans())
def test_step_reserve_always_covers_nameplate_and_meter(
    nominal: int, inrush: int, metered: int | None, running: bool, settled: bool
) -> None:
    step = step_for(WORTH, nominal, inrush, metered, running, settled, CAP, False)
    assert step is not None
    assert step.reserve_mw >= max(nominal, metered or 0)
    assert step.reserve_mw >= inrush or (running and settled)


@pytest.mark.parametrize(
    ("base", "required", "floor"),
    [
        (3_000, [], 3_000),
        (3_000, [(10_000, 25_000)], 28_000),
        (0, [(10_000, 0), (5_000, 5_000)], 15_000),
    ],
)
def test_floor_is_the_worst_case_of_all_required_loads_at_once(
    base: int, required: list[tuple[int, int]], floor: int
) -> None:
    assert floor_mw(base, required) == floor
