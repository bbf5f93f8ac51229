"""Thermal loads: where they must run, where they must not, and what they bid between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.thermal import Bounds, Warmth, must_run, thermal_worth_uc

CAP, WORTH = 10_000_000, 400_000
FRIDGE = Bounds(2_000, 8_000, cools=True, worth_uc=WORTH)
HEATER = Bounds(18_000, 22_000, cools=False, worth_uc=WORTH)
temperatures = st.integers(-40_000, 90_000)


def bounded(low: int, way: int, cools: bool) -> Bounds:
    return Bounds(low, low + way, cools=cools, worth_uc=WORTH)


bounds = st.builds(bounded, st.integers(-30_000, 60_000), st.integers(1, 30_000), st.booleans())


@pytest.mark.parametrize(
    ("load", "mc", "worth"),
    [
        (FRIDGE, 8_000, CAP),
        (FRIDGE, 9_500, CAP),
        (FRIDGE, 7_999, WORTH * 5_999 // 6_000),
        (FRIDGE, 5_000, WORTH // 2),
        (FRIDGE, 2_000, None),
        (FRIDGE, 1_000, None),
        (HEATER, 18_000, CAP),
        (HEATER, 17_000, CAP),
        (HEATER, 20_000, WORTH // 2),
        (HEATER, 22_000, None),
    ],
)
def test_thermal_worth_grows_towards_the_bound_where_it_must_run(
    load: Bounds, mc: int, worth: int | None
) -> None:
    assert thermal_worth_uc(load, Warmth(mc), CAP) == worth


def test_thermal_that_nobody_knows_fails_cold() -> None:
    assert thermal_worth_uc(FRIDGE, Warmth(None), CAP) == CAP
    assert thermal_worth_uc(HEATER, Warmth(None, had_to=True), CAP) is None


def test_thermal_that_had_to_run_goes_on_until_a_tenth_is_made_good() -> None:
    assert must_run(FRIDGE, Warmth(7_401, had_to=True))
    assert not must_run(FRIDGE, Warmth(7_400, had_to=True))
    assert not must_run(FRIDGE, Warmth(7_401))
    assert must_run(HEATER, Warmth(18_399, had_to=True))


@given(bounds, temperatures, temperatures, st.booleans())
def test_thermal_worth_never_falls_on_the_way_to_the_bound(
    load: Bounds, one: int, other: int, had_to: bool
) -> None:
    idle, keen = sorted((one, other), reverse=not load.cools)
    less = thermal_worth_uc(load, Warmth(idle, had_to), CAP)
    more = thermal_worth_uc(load, Warmth(keen, had_to), CAP)
    assert (-1 if less is None else less) <= (-1 if more is None else more)


@given(bounds, temperatures)
def test_thermal_bids_the_cap_beyond_one_bound_and_nothing_beyond_the_other(
    load: Bounds, mc: int
) -> None:
    worth = thermal_worth_uc(load, Warmth(mc), CAP)
    must = mc >= load.high_mc if load.cools else mc <= load.low_mc
    must_not = mc <= load.low_mc if load.cools else mc >= load.high_mc
    assert (worth == CAP) == must
    assert (worth is None) == must_not
