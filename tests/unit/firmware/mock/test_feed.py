"""Where the rail settles: Kirchhoff holds, whatever the loads, the sources and the limit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.demand import Demand
from rackgrid_firmware.mock.feed import Supply

STIFF = Supply(12.0, 0.1, volts_min=6.0)


def test_feed_without_load_shows_its_open_voltage() -> None:
    feed = STIFF.feed(Demand())
    assert (feed.volts, feed.watts, feed.amps) == (12.0, 0.0, 0.0)


def test_feed_sags_by_its_resistance_under_a_constant_power() -> None:
    feed = STIFF.feed(Demand(power_w=50.0))
    assert feed.volts == pytest.approx((12 + math.sqrt(144 - 4 * 0.1 * 50)) / 2)
    assert feed.volts == pytest.approx(12.0 - 0.1 * feed.amps)


def test_feed_rises_above_its_open_voltage_where_sources_give_more_than_is_drawn() -> None:
    feed = STIFF.feed(Demand(power_w=-60.0))
    assert feed.volts > 12.0
    assert feed.amps < 0


def test_feed_that_cannot_carry_the_load_collapses_and_regulators_give_up() -> None:
    feed = Supply(12.0, 10.0, volts_min=6.0).feed(Demand(power_w=13.0))
    assert feed.volts < 6.0
    assert feed.watts == pytest.approx(13.0 * (feed.volts / 6.0) ** 2)


def test_feed_at_its_limit_gives_no_more_current_and_folds_back() -> None:
    limited = Supply(12.0, 0.01, amps_max=5.0, amps_short=2.0, volts_min=6.0)
    easy, hard = limited.feed(Demand(siemens=0.3)), limited.feed(Demand(siemens=3.0))
    assert easy.amps == pytest.approx(easy.volts * 0.3)
    assert hard.amps == pytest.approx(2.0 + 3.0 * hard.volts / 12.0)
    assert hard.amps < easy.amps < 5.0


def test_feed_that_is_lost_gives_nothing() -> None:
    assert replace(STIFF, is_lost=True).feed(Demand(power_w=10.0)).volts == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"open_v": 0.0},
        {"ohms": -1.0},
        {"ohms": math.inf},
        {"amps_max": 0.0},
        {"amps_max": 2.0, "amps_short": 3.0},
        {"amps_max": 2.0, "amps_short": 0.0},
    ],
)
def test_supply_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a feed"):
        replace(STIFF, **wrong)


def _supply(open_v: float, ohms: float, limit: float, fold: float) -> Supply:
    short = limit * fold if math.isfinite(limit) else limit
    return Supply(open_v, ohms, limit, short, volts_min=open_v / 2)


SUPPLIES = st.builds(
    _supply,
    st.floats(5, 48),
    st.floats(0, 5),
    st.just(math.inf) | st.floats(0.5, 50),
    st.floats(0.1, 1),
)
DEMANDS = st.builds(Demand, st.floats(-100, 400), st.floats(0, 10))


@given(SUPPLIES, DEMANDS)
def test_feed_any_rail_is_in_balance_and_within_its_limit(supply: Supply, demand: Demand) -> None:
    """What the feed gives is what the loads draw; the voltage is its line's, or its limit's."""
    feed = supply.feed(demand)
    assert feed.volts > 0
    assert feed.watts == pytest.approx(demand.watts(feed.volts, supply.volts_min), rel=1e-6)
    assert feed.amps == pytest.approx(feed.watts / feed.volts, rel=1e-6)
    line_v = supply.open_v - supply.ohms * feed.amps
    assert feed.volts <= line_v + 1e-5 * supply.open_v
    if math.isfinite(supply.amps_max):
        limit_a = supply.amps_short + (supply.amps_max - supply.amps_short) * (
            feed.volts / supply.open_v
        )
        assert feed.amps <= limit_a * (1 + 1e-5)
        is_limited = feed.amps >= limit_a * (1 - 1e-5)
        assert is_limited or feed.volts == pytest.approx(line_v, rel=1e-5)
    else:
        assert feed.volts == pytest.approx(line_v, rel=1e-5)
