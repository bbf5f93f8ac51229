"""Fails if a load draws without a closed contact, beyond its nameplate, or not as the seed says."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.load import WANDER_NS, Load
from rackgrid_firmware.mock.wiring import LoadWiring

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
