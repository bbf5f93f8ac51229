"""What a load asks of the rail, and how it switches by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.demand import Demand, Drawn, Ripple


def test_demand_constant_power_holds_down_to_the_least_voltage_and_is_a_resistance_below() -> None:
    demand = Demand(power_w=8.0)
    assert demand.watts(12.0, 6.0) == demand.watts(6.0, 6.0) == 8.0
    assert demand.watts(3.0, 6.0) == 2.0
    assert demand.watts(0.0, 6.0) == 0.0


def test_demand_conductance_follows_the_square_of_the_voltage() -> None:
    assert Demand(siemens=0.5).watts(4.0, 6.0) == 8.0


def test_ripple_is_on_for_its_duty_and_names_its_next_edge() -> None:
    ripple = Ripple(begun_ns=100, period_ns=10, on_ns=3)
    assert [ripple.is_on(100 + t) for t in range(11)] == [True] * 3 + [False] * 7 + [True]
    assert [ripple.next_edge_ns(100 + t) for t in (0, 2, 3, 9, 10)] == [103, 103, 110, 110, 113]
    assert ripple.duty == 0.3


def test_drawn_without_a_ripple_is_always_on() -> None:
    assert Drawn(Demand(1.0)).is_on(5)
    assert Drawn(Demand(1.0)).share == 1.0


@given(st.integers(0, 10**9), st.integers(2, 10**6), st.data())
def test_ripple_edges_bound_what_is_on_and_the_mean_is_the_duty(
    begun_ns: int, period_ns: int, data: st.DataObject
) -> None:
    ripple = Ripple(begun_ns, period_ns, data.draw(st.integers(1, period_ns - 1)))
    at_ns, on_ns = begun_ns, 0
    for _ in range(6):  # three whole periods
        edge_ns = ripple.next_edge_ns(at_ns)
        assert edge_ns > at_ns
        assert ripple.is_on(at_ns) == ripple.is_on(edge_ns - 1) != ripple.is_on(edge_ns)
        on_ns += (edge_ns - at_ns) * ripple.is_on(at_ns)
        at_ns = edge_ns
    assert on_ns / (at_ns - begun_ns) == pytest.approx(ripple.duty)
