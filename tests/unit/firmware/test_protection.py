"""Fails if a contact is accused without proof, or acquitted too soon."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.firmware.seen import LAMP, VOLTS, S, Seen, on

from rackgrid_firmware.device import LEVEL_FULL, Quality, Reading, Verdict
from rackgrid_firmware.protection import (
    ACCUSED_AFTER,
    ACQUITTED_AFTER,
    Cleared,
    Moved,
    Read,
    Trip,
    Watch,
    begin,
    step,
    verdicts,
)

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


def test_welded_one_of_two_comes_back_if_it_is_cleared_in_vain_and_the_other_is_not_accused() -> (
    None
):
    """Fails if "cleared" is taken for "seen to be off": then its watts would be the other's."""
    lamp, pump = (
        Watch("lamp", "both", False, most_w=10.0),
        Watch("pump", "both", False, most_w=20.0),
    )
    seen = Seen((lamp, pump))
    seen.move("lamp", True)
    seen.settle(8.0, "both")
    assert [each.output for each in seen.read(18.0, samples=50, meter="both")] == ["pump"]
    seen.tell(Cleared("pump"))
    assert [each.output for each in seen.read(18.0, samples=50, meter="both")] == ["pump"]
    assert (seen.verdict("lamp"), seen.verdict("pump")) == (Verdict.UNKNOWN, Verdict.WELDED)


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


def test_load_that_is_missing_stays_noticed_until_it_draws_or_is_cleared() -> None:
    """Fails if switching alone makes a dead lamp a good one, or if the notice takes it off."""
    seen = on(LAMP)
    seen.settle(0.0)
    seen.read(0.0, samples=ACQUITTED_AFTER)
    for is_on in (False, True, False):
        seen.move("lamp", is_on)
        seen.settle(0.0)
        assert seen.read(0.0, samples=50) == []
        assert seen.verdict() is Verdict.NO_LOAD
    seen.tell(Cleared("lamp"))
    seen.read(0.0, samples=50)
    assert seen.verdict() is Verdict.OK, "its contact is open, and nobody asks for more"
    seen.move("lamp", True)
    seen.settle(0.0)
    seen.read(0.0, samples=ACQUITTED_AFTER)
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
        st.sampled_from(["read", "read", "read", "on", "dim", "off", "clear"]),
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
                level = 300 if what == "dim" else LEVEL_FULL
                event = Moved(now_ns, name, what != "off", level)
        sights, trips = step(watches, sights, event)
        after = verdicts(watches, sights)
        assert trips == () or isinstance(event, Read)
        for watch, sight in zip(watches, sights.outputs, strict=True):
            latched = before[watch.name] in (Verdict.WELDED, Verdict.STUCK_OPEN)
            if latched and not (what == "clear" and name == watch.name):
                assert after[watch.name] is before[watch.name]
            assert math.isfinite(sight.heat)
