"""Fails if a modulated load ever gets a power that nobody asked for, at start, change or end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.firmware.lines import RecordingLgpio, recording

from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.errors import DeviceClosed, DeviceUnavailable
from rackgrid_firmware.pwm import Pwm
from rackgrid_firmware.relay import pi_factory

HZ = 100.0


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingLgpio]:
    with recording(monkeypatch) as recorder:
        yield recorder


def pwm(*, active_high: bool = True) -> Pwm:
    return Pwm("fan", 18, active_high=active_high, hz=HZ, factory=pi_factory())


@pytest.mark.parametrize("active_high", [True, False])
def test_pwm_whole_life_is_off_but_when_asked_for(lgpio: RecordingLgpio, active_high: bool) -> None:
    off, on = int(not active_high), int(active_high)
    output = pwm(active_high=active_high)
    assert lgpio.calls == [("open", 0), ("claim_output", 18, off)]
    output.modulate(300)
    output.modulate(305)
    output.modulate(LEVEL_FULL)
    output.modulate(0)
    output.energise(True)
    output.modulate(300)
    output.close()
    third, more = (30.0, 30.5) if active_high else (70.0, 69.5)
    assert lgpio.levels[18] == [
        *(off, (HZ, third), (HZ, more), "any", on, off, on, (HZ, third), "any", off)
    ]
    assert not [call for call in lgpio.calls if call[0] == "claim_input"]


def test_pwm_at_a_level_between_never_passes_through_another_duty(lgpio: RecordingLgpio) -> None:
    """gpiozero's own starts with a duty of 0: full power behind an active-low driver."""
    pwm(active_high=False).modulate(1)
    assert [call for call in lgpio.calls if call[0] == "tx_pwm"] == [("tx_pwm", 18, HZ, 99.9)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.booleans(), st.lists(st.one_of(st.integers(0, LEVEL_FULL), st.booleans()), max_size=12))
def test_pwm_after_any_orders_gives_the_last_power_and_ends_off(
    lgpio: RecordingLgpio, active_high: bool, orders: list[int | bool]
) -> None:
    with pytest.MonkeyPatch.context() as patch, recording(patch) as line:
        output = pwm(active_high=active_high)
        for order in orders:
            if isinstance(order, bool):
                output.energise(order)
            else:
                output.modulate(order)
            assert power(line, active_high) == pytest.approx(
                float(order) / (1 if isinstance(order, bool) else LEVEL_FULL)
            )
        output.close()
        assert power(line, active_high) == 0.0


def power(line: RecordingLgpio, active_high: bool) -> float:
    """The part of its power that the load gets now."""
    now = line.levels[18][-1]
    assert not isinstance(now, str), now
    high = now[1] / 100 if isinstance(now, tuple) else float(now)
    return high if active_high else 1.0 - high


def test_pwm_that_cannot_be_driven_says_which_output(lgpio: RecordingLgpio) -> None:
    output = pwm()
    lgpio.fault = "unknown handle"
    with pytest.raises(DeviceUnavailable, match="output fan: GPIO 18 cannot be driven"):
        output.modulate(500)
    lgpio.fault = ""


def test_pwm_closed_refuses_to_modulate(lgpio: RecordingLgpio) -> None:
    output = pwm()
    output.close()
    output.close()
    for level in (0, 500, LEVEL_FULL):
        with pytest.raises(DeviceClosed, match="fan"):
            output.modulate(level)


@pytest.mark.parametrize("level", [-1, LEVEL_FULL + 1])
def test_pwm_of_more_than_everything_is_our_bug(lgpio: RecordingLgpio, level: int) -> None:
    with pytest.raises(AssertionError, match="level"):
        pwm().modulate(level)
