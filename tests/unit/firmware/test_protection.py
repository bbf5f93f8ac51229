"""Fails if a trip comes late or without cause, or a contact is accused without proof."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.protection import (
    ACCUSED_AFTER,
    ACQUITTED_AFTER,
    Cleared,
    Moved,
    Read,
    Sights,
    Trip,
    Watch,
    begin,
    step,
    verdicts,
)

S = 1_000_000_000
STEP_NS = 68_630_000
VOLTS = 12.0
LAMP = Watch("lamp", "own", False, most_w=12.0, discharge_ns=S)


@dataclass
class Seen:
    """What was seen of some outputs, and every trip that it brought."""

    watches: tuple[Watch, ...]
    now_ns: int = 100 * S
    trips: list[Trip] = field(default_factory=list[Trip])
    sights: Sights = field(init=False)

    def __post_init__(self) -> None:
        self.sights = begin(self.watches, {}, self.now_ns)

    def tell(self, event: Read | Moved | Cleared) -> tuple[Trip, ...]:
        self.sights, trips = step(self.watches, self.sights, event)
        self.trips += trips
        return trips

    def move(self, output: str, on: bool) -> None:
        self.tell(Moved(self.now_ns, output, on))

    def read(
        self,
        watts: float,
        *,
        samples: int = 1,
        meter: str = "own",
        volts: float = VOLTS,
        quality: Quality = Quality.FRESH,
        step_ns: int = STEP_NS,
    ) -> list[Trip]:
        before = len(self.trips)
        for _ in range(samples):
            self.now_ns += step_ns
            amps = watts / volts if volts else 0.0
            self.tell(Read(Reading(meter, self.now_ns, volts, amps, 0, quality)))
        return self.trips[before:]

    def settle(self, watts: float, meter: str = "own") -> None:
        """Let the last switching pass."""
        self.now_ns += 3 * S
        self.read(watts, meter=meter)

    def verdict(self, output: str = "lamp") -> Verdict:
        return verdicts(self.watches, self.sights)[output]


# --- overcurrent and overload -------------------------------------------------------------------


def on(watch: Watch) -> Seen:
    seen = Seen((watch,))
    seen.move(watch.name, True)
    return seen


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


def test_undervoltage_that_ends_in_time_takes_nothing() -> None:
    seen = low_rack()
    assert shed(seen, 14) == []
    assert shed(seen, 1, volts=11.0) == []
    assert shed(seen, 15) == []


# --- a meter of its own -------------------------------------------------------------------------


def test_contact_that_gives_power_after_release_and_discharge_is_welded() -> None:
    seen = on(LAMP)
    seen.settle(11.0)
    seen.move("lamp", False)
    assert seen.read(11.0, samples=17) == [], "still inside release, discharge and the window"
    trips = seen.read(11.0, samples=1 + ACCUSED_AFTER)
    assert trips == [Trip("lamp", "welded: switched off, and 11.0 W flow", is_welded=True)]
    assert seen.verdict() is Verdict.WELDED


def test_welded_is_latched_and_comes_back_if_it_is_cleared_in_vain() -> None:
    seen = Seen((LAMP,))
    seen.settle(11.0)
    seen.read(11.0, samples=ACCUSED_AFTER)
    seen.read(0.0, samples=50)
    assert seen.verdict() is Verdict.WELDED
    seen.tell(Cleared("lamp"))
    assert seen.verdict() is Verdict.UNKNOWN
    assert len(seen.read(11.0, samples=ACCUSED_AFTER)) == 1
    assert seen.verdict() is Verdict.WELDED


def test_contact_that_opens_is_acquitted_only_after_many_samples() -> None:
    seen = Seen((LAMP,))
    seen.settle(0.0)
    seen.read(0.0, samples=ACQUITTED_AFTER - 2)
    assert seen.verdict() is Verdict.UNKNOWN
    seen.read(0.0)
    assert seen.verdict() is Verdict.OK


def test_load_switched_on_by_hand_is_seen_long_after_the_acquittal() -> None:
    seen = Seen((LAMP,))
    seen.settle(0.0)
    seen.read(0.0, samples=50)
    assert len(seen.read(5.0, samples=ACCUSED_AFTER)) == 1


def test_single_samples_and_leakage_accuse_nobody() -> None:
    seen = Seen((Watch("lamp", "own", False, most_w=12.0, leak_w=0.5),))
    seen.settle(0.0)
    for _ in range(30):
        seen.read(11.0, samples=ACCUSED_AFTER - 1)
        seen.read(0.4)
    assert seen.trips == []


def test_current_within_the_meters_zero_error_is_none() -> None:
    seen = Seen((Watch("lamp", "own", False, most_w=12.0, zero_a=0.02),))
    seen.settle(0.0)
    assert seen.read(0.019 * VOLTS, samples=50) == []
    assert len(seen.read(0.021 * VOLTS, samples=50)) == 1


def test_load_that_draws_nothing_is_an_information_and_may_come_back() -> None:
    seen = on(LAMP)
    seen.settle(0.0)
    assert seen.read(0.0, samples=50) == []
    assert seen.verdict() is Verdict.NO_LOAD
    seen.read(6.0, samples=ACQUITTED_AFTER)
    assert seen.verdict() is Verdict.OK


@pytest.mark.parametrize("required", [True, False])
def test_load_below_its_least_draw_is_stuck_open_and_latched(required: bool) -> None:
    seen = on(Watch("lamp", "own", required, most_w=12.0, least_w=2.0))
    seen.settle(1.0)
    trips = seen.read(1.0, samples=50)
    assert len(trips) == (0 if required else 1)
    assert seen.verdict() is Verdict.STUCK_OPEN
    seen.read(6.0, samples=50)
    assert seen.verdict() is Verdict.STUCK_OPEN


def test_meter_without_voltage_judges_nothing() -> None:
    seen = on(LAMP)
    seen.settle(6.0)
    seen.read(0.0, samples=50, volts=0.0)
    assert seen.verdict() is Verdict.UNKNOWN


# --- a shared meter -----------------------------------------------------------------------------


def pair() -> Seen:
    return Seen(
        (
            Watch("lamp", "both", False, most_w=10.0),
            Watch("pump", "both", False, most_w=20.0),
        )
    )


def acquitted_pair() -> Seen:
    seen = pair()
    seen.settle(0.0, "both")
    seen.read(0.0, samples=ACQUITTED_AFTER, meter="both")
    return seen


def test_shared_meter_finds_the_only_output_that_was_not_seen_to_be_off() -> None:
    seen = acquitted_pair()
    seen.move("pump", True)
    seen.settle(15.0, "both")
    seen.read(15.0, samples=ACQUITTED_AFTER, meter="both")
    assert seen.verdict("pump") is Verdict.OK
    seen.move("pump", False)
    seen.settle(15.0, "both")
    seen.read(15.0, samples=ACCUSED_AFTER, meter="both")
    assert [(trip.output, trip.is_welded) for trip in seen.trips] == [("pump", True)]
    assert seen.verdict("lamp") is not Verdict.WELDED


def test_shared_meter_that_cannot_tell_suspects_apart_counts_them_all() -> None:
    seen = pair()
    seen.settle(8.0, "both")
    trips = seen.read(8.0, samples=ACCUSED_AFTER, meter="both")
    assert [trip.output for trip in trips] == ["lamp", "pump"]
    assert "meter both cannot tell which of 2" in trips[0].reason


def test_shared_meter_proves_a_weld_beyond_the_nameplate_of_what_is_on() -> None:
    seen = acquitted_pair()
    seen.move("lamp", True)
    seen.move("pump", True)
    seen.settle(28.0, "both")
    seen.move("pump", False)
    seen.settle(28.0, "both")
    seen.read(28.0, samples=ACCUSED_AFTER, meter="both")
    assert seen.verdict("pump") is Verdict.WELDED
    assert seen.verdict("lamp") is Verdict.UNKNOWN


def test_shared_meter_within_the_nameplate_of_what_is_on_proves_nothing_of_what_is_off() -> None:
    seen = acquitted_pair()
    seen.move("lamp", True)
    seen.move("pump", True)
    seen.settle(15.0, "both")
    seen.move("lamp", False)
    seen.settle(15.0, "both")
    assert seen.read(15.0, samples=50, meter="both") == []
    assert seen.verdict("lamp") is Verdict.UNKNOWN


def test_shared_meter_says_nothing_while_anything_behind_it_moves() -> None:
    seen = pair()
    for number in range(30):
        seen.move("lamp", number % 2 == 0)
        seen.read(9.0, samples=10, meter="both")
    assert seen.trips == []


# --- laws ---------------------------------------------------------------------------------------

moves = st.lists(
    st.tuples(
        st.sampled_from(["read", "read", "read", "on", "off", "clear"]),
        st.sampled_from(["lamp", "pump", "nobody"]),
        st.floats(-100, 100),
        st.floats(-5, 30),
        st.sampled_from(Quality),
        st.integers(0, 5 * S),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(moves)
def test_protection_takes_any_history_and_latches_until_it_is_cleared(
    history: list[tuple[str, str, float, float, Quality, int]],
) -> None:
    watches = (
        Watch("lamp", "own", False, 10.0, S, trip_a=3.0, rating_a=1.0, below_v=11.0, least_w=1.0),
        Watch("pump", "own", True, 20.0, below_v=10.0, rank=1),
    )
    now_ns, sights = S, begin(watches, {"pump": True}, S)
    for what, name, amps, volts, quality, wait_ns in history:
        now_ns += wait_ns
        before = verdicts(watches, sights)
        match what:
            case "read":
                event = Read(Reading("own", now_ns, volts, amps, 0, quality))
            case "clear":
                event = Cleared(name)
            case _:
                event = Moved(now_ns, name, what == "on")
        sights, trips = step(watches, sights, event)
        after = verdicts(watches, sights)
        assert trips == () or isinstance(event, Read)
        for watch, sight in zip(watches, sights.outputs, strict=True):
            latched = before[watch.name] in (Verdict.WELDED, Verdict.STUCK_OPEN)
            if latched and not (what == "clear" and name == watch.name):
                assert after[watch.name] is before[watch.name]
            assert math.isfinite(sight.heat)
