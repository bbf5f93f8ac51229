"""Fails if a load draws without a closed contact, beyond its nameplate, or not as the seed says."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.kind import KINDS
from rackgrid_firmware.mock.load import HZ_MAX, WANDER_NS, Load
from rackgrid_firmware.mock.wiring import LoadWiring
from rackgrid_firmware.profile_mock import ContactMock, LoadMock

S = 1_000_000_000
FAN = LoadWiring(
    name="fan",
    gpio=17,
    active_high=True,
    required=False,
    nominal_w=12.0,
    inrush_w=20.0,
    inrush_s=0.5,
    draw_w=10.0,
    noise=0.0,
    meter="",
)


def test_load_undriven_pin_closes_nothing() -> None:
    for active_high in (True, False):
        load = Load(replace(FAN, active_high=active_high), seed=1)
        assert load.level is None
        assert load.watts(S) == 0.0
        assert load.next_change_ns(S) is None


def test_load_switched_on_draws_inrush_and_then_its_steady_power() -> None:
    load = Load(FAN, seed=1)
    load.drive(S, True)
    assert load.watts(S) == 20.0
    assert load.next_change_ns(S) == S + S // 2
    assert load.watts(S + S // 2) == 10.0
    assert load.next_change_ns(S + S // 2) is None
    load.drive(2 * S, True)
    assert load.watts(2 * S) == 10.0, "driving it again is no new start"
    load.drive(3 * S, False)
    assert load.watts(3 * S) == 0.0


def test_load_active_low_follows_the_low_level() -> None:
    load = Load(replace(FAN, active_high=False), seed=1)
    load.drive(0, True)
    assert not load.is_closed
    load.drive(0, False)
    assert load.is_closed
    load.drive(0, None)
    assert not load.is_closed, "an input feeds no coil"


def test_load_welded_stays_closed_until_repaired_and_cannot_weld_open() -> None:
    load = Load(FAN, seed=1)
    load.weld(0, True)
    assert not load.is_closed
    load.drive(0, True)
    load.drive(S, False)
    assert load.watts(S) == 10.0
    load.weld(2 * S, False)
    assert load.watts(2 * S) == 0.0


def test_load_wander_changes_each_second_and_repeats_with_the_seed() -> None:
    noisy = replace(FAN, noise=0.1, inrush_s=0.0)

    def run(seed: int, since_ns: int) -> list[float]:
        load = Load(noisy, seed)
        load.drive(since_ns, True)
        return [load.watts(since_ns + second * S) for second in range(20)]

    assert run(1, 0) == run(1, 77 * S)
    assert run(1, 0) != run(2, 0)
    assert len(set(run(1, 0))) == 20
    load = Load(noisy, 1)
    load.drive(5, True)
    assert load.next_change_ns(5) == 5 + WANDER_NS
    assert load.next_change_ns(5 + WANDER_NS + 1) == 5 + 2 * WANDER_NS


@given(st.floats(0, 12), st.floats(0, 1), st.integers(0, 1000))
def test_load_running_never_passes_its_nameplate(draw_w: float, noise: float, second: int) -> None:
    load = Load(replace(FAN, draw_w=draw_w, noise=noise, inrush_s=0.0), seed=3)
    load.drive(0, True)
    assert 0.0 <= load.watts(second * S) <= FAN.nominal_w


# --- kinds -----------------------------------------------------------------------------------


def kind(name: str, **keys: object) -> Load:
    """A load of 10 W (12 W at most) that starts with 20 W, at the voltage of its profile."""
    mock = LoadMock(kind=name, **keys)  # type: ignore[arg-type]
    return Load(replace(FAN, load=mock), seed=1)


def curve(load: Load, until_ns: int) -> list[tuple[int, float]]:
    """What it draws from each change on."""
    seen, at_ns = [(0, load.watts(0))], 0
    while (next_ns := load.next_change_ns(at_ns)) is not None and next_ns <= until_ns:
        load.advance(next_ns)
        seen.append((next_ns, load.watts(next_ns)))
        at_ns = next_ns
    return seen


def test_resistive_load_draws_with_the_square_of_the_voltage() -> None:
    load = kind("resistive")
    load.drive(0, True)
    demand = load.drawn(S).demand
    assert demand.watts(12.0, 6.0) == pytest.approx(10.0)
    assert demand.watts(6.0, 6.0) == pytest.approx(2.5)


@pytest.mark.parametrize("name", ["motor", "supply", "lamp"])
def test_inrush_that_falls_begins_below_its_promise_and_ends_at_the_steady_draw(name: str) -> None:
    load = kind(name)
    load.drive(0, True)
    seen = curve(load, S)
    watts = [value for _, value in seen]
    assert 17 < watts[0] <= 20.0
    assert watts == sorted(watts, reverse=True)
    assert seen[-1] == (S // 2, pytest.approx(10.0))
    excess_j = sum((value - 10.0) * (later - at) / S for (at, value), (later, _) in pairwise(seen))
    assert excess_j == pytest.approx(10.0 * 0.5 / 5 * (1 - math.exp(-5)), rel=1e-6)


def test_motor_restarted_too_soon_stalls_until_it_may_turn() -> None:
    load = kind("motor", stall_s=10.0)
    load.drive(0, True)
    load.drive(5 * S, False)
    load.drive(8 * S, True)
    assert load.watts(8 * S) == load.watts(14 * S) == pytest.approx(20.0)
    assert load.next_change_ns(8 * S) == 15 * S
    assert load.watts(16 * S) == pytest.approx(10.0)


def test_supply_whose_capacitor_is_still_full_has_a_smaller_inrush() -> None:
    load = kind("supply")
    load.drive(0, True)
    first_w = load.watts(0)
    load.drive(5 * S, False)
    load.drive(5 * S + 1_000_000, True)
    assert load.watts(5 * S + 1_000_000) < 0.3 * (first_w - 10.0) + 10.0
    load.drive(20 * S, False)
    load.drive(60 * S, True)
    assert load.watts(60 * S) == pytest.approx(first_w)


def test_pwm_load_ripples_with_its_own_frequency_and_tells_its_mean() -> None:
    load = kind("pwm", hz=100.0, duty=0.25)
    load.drive(0, True)
    assert load.watts(S) == pytest.approx(2.5)
    drawn = load.drawn(S)
    assert drawn.ripple is not None
    assert (drawn.ripple.period_ns, drawn.share) == (10_000_000, 0.25)
    assert load.next_change_ns(S) is None, "the truth is not told of every edge"


def test_cycle_load_goes_on_and_off_by_itself_with_an_inrush_each_time() -> None:
    load = kind("cycle", period_s=10.0, duty=0.5)
    load.drive(0, True)
    assert [watts for _, watts in curve(load, 21 * S)] == [20.0, 10.0, 0.0] * 2 + [20.0, 10.0]


def test_thermal_load_runs_as_its_thermostat_asks() -> None:
    load = kind("thermal", reach_c=-20.0, settle_s=100.0, low_c=3.0, high_c=7.0)
    load.drive(0, True)
    seen = curve(load, 400 * S)
    assert 0.0 in [watts for _, watts in seen]
    low_c = [load.celsius(at) for at, _ in seen[-1:]]
    assert all(celsius is not None and 2.9 < celsius < 7.1 for celsius in low_c)
    assert kind("motor").celsius(0) is None


def test_liar_draws_more_than_its_nameplate_and_nobody_else_does() -> None:
    honest, liar = kind("power"), kind("power", lies=True)
    for load in (honest, liar):
        load.draw_w = 30.0
        load.drive(0, True)
    assert (honest.watts(S), liar.watts(S)) == (12.0, 30.0)


def test_modulated_load_draws_its_share_and_starts_once() -> None:
    load = kind("power")
    load.modulate(0, 0.5, 200.0)
    assert load.watts(0) == pytest.approx(10.0)
    assert load.watts(S) == pytest.approx(5.0)
    load.modulate(2 * S, 0.25, 200.0)
    assert load.watts(2 * S) == pytest.approx(2.5), "another share is no start"
    load.modulate(3 * S, 0.0, 200.0)
    assert load.watts(3 * S) == 0.0
    load.modulate(4 * S, 1.0, 200.0)
    assert load.watts(4 * S) == 20.0


@pytest.mark.parametrize(("duty", "hz"), [(-0.1, 100), (1.1, 100), (0.5, 0), (0.5, HZ_MAX + 1)])
def test_modulation_that_cannot_be_is_refused(duty: float, hz: float) -> None:
    with pytest.raises(ValueError, match="a duty of"):
        kind("power").modulate(0, duty, hz)


def test_contact_that_bounces_starts_the_load_several_times() -> None:
    contact = ContactMock(operate_s=0.005, bounces=2, bounce_s=0.004)
    load = kind("power", contact=contact)
    load.drive(0, True)
    assert [watts for _, watts in curve(load, S)] == [0.0, 20.0, 0.0, 20.0, 0.0, 20.0, 10.0]


@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.tuples(st.integers(0, 3 * S), st.booleans()), max_size=20),
)
def test_load_of_any_kind_keeps_what_its_profile_promises(
    name: str, switches: list[tuple[int, bool]]
) -> None:
    """At most inrush_w, and at most nominal_w once inrush_s is over, since the last start."""
    keys: dict[str, object] = {"hz": 50.0, "duty": 0.5} if name == "pwm" else {}
    if name == "cycle":
        keys = {"period_s": 2.0, "duty": 0.5}
    if name == "thermal":
        keys = {"reach_c": -20.0, "settle_s": 5.0, "low_c": 3.0, "high_c": 7.0}
    load, at_ns = kind(name, **keys), 0
    for span_ns, on in switches:
        at_ns += span_ns
        load.drive(at_ns, on)
        assert 0.0 <= load.watts(at_ns) <= 20.0
        since_ns = at_ns - load._started_ns
        if since_ns >= S // 2:
            assert load.watts(at_ns) <= 12.0
