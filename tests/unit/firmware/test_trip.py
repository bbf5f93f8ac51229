"""Fails if a trip comes late or without cause."""

from __future__ import annotations

import math

import pytest
from tests.unit.firmware.seen import VOLTS, S, Seen, on

from rackgrid_firmware.device import Quality
from rackgrid_firmware.protection import (
    Trip,
    Watch,
)

# --- overcurrent and overload -------------------------------------------------------------------


def test_overcurrent_trips_with_the_very_sample_that_shows_it_inrush_or_not() -> None:
    seen = on(Watch("lamp", "own", True, most_w=12.0, inrush_ns=S, trip_a=3.0))
    assert seen.read(2.99 * VOLTS) == []
    assert seen.read(3.0 * VOLTS) == [Trip("lamp", "overcurrent: 3.00 A, trips at 3 A")]


def test_overcurrent_counts_backward_current_and_saturation() -> None:
    seen = on(Watch("lamp", "own", False, most_w=12.0, trip_a=3.0))
    assert seen.read(-3.1 * VOLTS)[0].reason.startswith("overcurrent: 3.10 A,")
    (trip,) = seen.read(3.2 * VOLTS, quality=Quality.SATURATED)
    assert trip.reason == "overcurrent: 3.20 A or more, trips at 3 A"


def test_overcurrent_of_a_stale_reading_another_meter_or_an_open_output_is_none() -> None:
    seen = on(Watch("lamp", "own", False, most_w=12.0, trip_a=3.0))
    assert seen.read(99.0, quality=Quality.STALE) == []
    assert seen.read(99.0, meter="other") == []
    seen.move("lamp", False)
    assert seen.read(99.0) == []


@pytest.mark.parametrize("times", [1.2, 2.0, 5.0])
def test_overload_trips_when_the_cold_curve_of_iec_60255_says(times: float) -> None:
    seen = on(Watch("lamp", "own", False, most_w=12.0, rating_a=1.0, tau_ns=20 * S))
    seen.read(0.0)
    begun_ns = seen.now_ns
    while not seen.read(times * VOLTS):
        pass
    expected_s = 20 * math.log(times**2 / (times**2 - 1))
    assert (seen.now_ns - begun_ns) / S == pytest.approx(expected_s, abs=0.07)


def test_overload_bears_the_rating_for_ever_and_trips_sooner_when_warm() -> None:
    seen = on(Watch("lamp", "own", False, most_w=12.0, rating_a=1.0, tau_ns=2 * S))
    assert seen.read(VOLTS, samples=2000) == []
    warm = len([1 for _ in range(100) if not seen.read(1.5 * VOLTS)])
    assert warm < 3


def test_overload_does_not_cool_while_nobody_measures() -> None:
    seen = on(Watch("lamp", "own", False, most_w=12.0, rating_a=1.0, tau_ns=2 * S))
    seen.read(0.95 * VOLTS, samples=2000)
    heat = seen.sights.outputs[0].heat
    seen.read(0.0, step_ns=60 * S)
    assert seen.sights.outputs[0].heat == heat
    seen.read(0.0, samples=10)
    assert seen.sights.outputs[0].heat < heat


def test_overload_cools_between_the_readings_of_a_slow_meter() -> None:
    """Fails if each short overload is added to those of hours ago."""
    slow = Watch("lamp", "own", False, most_w=12.0, rating_a=1.0, tau_ns=60 * S, gap_ns=5 * S)
    seen = on(slow)
    for _ in range(24):
        assert seen.read(1.5 * VOLTS, samples=5, step_ns=2_200_000_000) == []
        assert seen.read(0.2 * VOLTS, samples=300, step_ns=2_200_000_000) == []


# --- undervoltage -------------------------------------------------------------------------------


def low_rack() -> Seen:
    ranks = (("last", 2), ("first", 0), ("also-first", 0), ("middle", 1))
    seen = Seen(
        tuple(
            Watch(name, "own", False, most_w=9.0, below_v=11.0, below_ns=S, rank=rank)
            for name, rank in ranks
        )
    )
    for name, _ in ranks:
        seen.move(name, True)
    return seen


def shed(seen: Seen, samples: int, volts: float = 10.0) -> list[str]:
    names = [trip.output for trip in seen.read(1.0, samples=samples, volts=volts)]
    for name in names:
        seen.move(name, False)
    return names


def test_undervoltage_takes_the_least_important_first_and_waits_between_stages() -> None:
    seen = low_rack()
    assert shed(seen, 15) == []
    assert shed(seen, 1) == ["first", "also-first"]
    assert shed(seen, 14) == []
    assert shed(seen, 1) == ["middle"]
    assert shed(seen, 15) == ["last"]
    assert seen.trips[0].reason == "undervoltage: 10.00 V, trips below 11 V after 1 s"


def test_undervoltage_is_told_as_its_own_meter_saw_it() -> None:
    """Fails if the reason shows the voltage of another meter, which was read last."""
    seen = Seen(
        tuple(
            Watch(name, name, False, most_w=9.0, below_v=below_v, below_ns=S)
            for name, below_v in (("lamp", 11.0), ("pump", 12.5))
        )
    )
    for name in ("lamp", "pump"):
        seen.move(name, True)
    reasons = [
        trip.reason
        for _ in range(20)
        for meter, volts in (("lamp", 9.0), ("pump", 12.3))
        for trip in seen.read(1.0, meter=meter, volts=volts, step_ns=40_000_000)
        if trip.output == "lamp"
    ]
    assert set(reasons) == {"undervoltage: 9.00 V, trips below 11 V after 1 s"}


def test_undervoltage_that_ends_in_time_takes_nothing() -> None:
    seen = low_rack()
    assert shed(seen, 14) == []
    assert shed(seen, 1, volts=11.0) == []
    assert shed(seen, 15) == []


# --- what is dimmed


@pytest.mark.parametrize("level", [100, 500])
def test_dimmed_load_heats_as_its_pulses_do_and_never_as_more_than_full_power(level: int) -> None:
    """2 A in pulses against 1 A that it bears for ever: the mean of the square is 4 A² · duty."""
    watch = Watch("lamp", "own", False, most_w=24.0, rating_a=1.0, tau_ns=2 * S)
    seen = Seen((watch,))
    seen.move("lamp", True, level)
    seen.settle(2.0 * VOLTS * level / 1000)
    heat = 4.0 * level / 1000
    for _ in range(200):
        if seen.read(2.0 * VOLTS * level / 1000):
            break
    assert (seen.sights.outputs[0].heat > 1.0) == (heat > 1.0)
    if heat < 1.0:
        assert seen.sights.outputs[0].heat == pytest.approx(heat, rel=0.01)


def test_reading_that_may_be_of_the_level_before_heats_no_more_than_it_shows() -> None:
    watch = Watch("lamp", "own", False, most_w=24.0, rating_a=1.0, tau_ns=100_000_000)
    seen = on(watch)
    seen.settle(0.9 * VOLTS)
    seen.read(0.9 * VOLTS, samples=100)
    seen.move("lamp", True, 100)
    assert seen.read(0.9 * VOLTS, samples=2) == []
