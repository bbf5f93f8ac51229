"""Fails if a pin is ever at a level nobody asked for, or a fault of the GPIO is not explained.

`lgpio` is replaced by a recorder of the line levels that the calls would produce: what the kernel
would do at the pin, call by call.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from tests.unit.firmware.lines import RecordingLgpio, recording

from rackgrid_firmware.errors import DeviceClosed, DeviceForbidden, DeviceUnavailable
from rackgrid_firmware.relay import Relay, pi_factory


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingLgpio]:
    with recording(monkeypatch) as recorder:
        yield recorder


def relay(factory: Any, *, active_high: bool = True, safe_on: bool = False) -> Relay:
    return Relay("fan", 17, active_high=active_high, safe_on=safe_on, factory=factory)


@pytest.mark.parametrize("active_high", [True, False])
@pytest.mark.parametrize("safe_on", [True, False])
def test_relay_whole_life_is_at_its_safe_level_but_when_switched(
    lgpio: RecordingLgpio, active_high: bool, safe_on: bool
) -> None:
    safe = int(safe_on == active_high)
    factory = pi_factory()
    output = relay(factory, active_high=active_high, safe_on=safe_on)
    assert lgpio.calls == [("open", 0), ("claim_output", 17, safe)]
    output.energise(not safe_on)
    output.energise(not safe_on)
    output.energise(safe_on)
    output.energise(not safe_on)
    output.close()
    factory.close()
    assert lgpio.levels[17] == [safe, 1 - safe, 1 - safe, safe, 1 - safe, safe]
    assert lgpio.calls[-1] == ("close",)
    assert not [call for call in lgpio.calls if call[0] == "claim_input"]


def test_gpiozeros_own_factory_pulses_an_active_low_relay(lgpio: RecordingLgpio) -> None:
    """The reason for ours; if this fails, gpiozero was repaired and ours may go."""
    own = importlib.import_module("gpiozero.pins.lgpio").LGPIOFactory()
    output = relay(own, active_high=False)
    assert lgpio.levels[17] == ["input", 0, 1]
    output.close()
    assert lgpio.levels[17][-1] == "input"


def test_relay_claimed_again_after_a_close_is_written_without_a_gap(lgpio: RecordingLgpio) -> None:
    factory = pi_factory()
    relay(factory, active_high=False).close()
    relay(factory, active_high=False)
    assert set(lgpio.levels[17]) == {1}


def test_relay_dropped_without_close_stays_driven(lgpio: RecordingLgpio) -> None:
    output = relay(pi_factory())
    output.energise(True)
    del output
    assert lgpio.levels[17] == [0, 1]
    gc.collect()


def test_relay_closed_twice_is_closed_and_refuses_to_switch(lgpio: RecordingLgpio) -> None:
    output = relay(pi_factory())
    output.close()
    output.close()
    with pytest.raises(DeviceClosed, match="fan"):
        output.energise(True)


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [
        ("GPIO busy", DeviceUnavailable, "gpioinfo"),
        ("no permission to perform action", DeviceForbidden, "usermod"),
        ("GPIO operation not permitted", DeviceForbidden, "usermod"),
        ("bad GPIO number", DeviceUnavailable, "bad GPIO number"),
    ],
)
def test_relay_claim_fails_says_which_output_and_what_to_do(
    lgpio: RecordingLgpio, text: str, kind: type[Exception], advice: str
) -> None:
    lgpio.fault = text
    with pytest.raises(kind, match=advice) as caught:
        relay(pi_factory())
    assert "output fan: GPIO 17" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_relay_write_fails_is_unavailable(lgpio: RecordingLgpio) -> None:
    output = relay(pi_factory())
    lgpio.fault = "unknown handle"
    with pytest.raises(DeviceUnavailable, match="cannot be driven"):
        output.energise(True)
    lgpio.fault = ""


def test_relay_same_pin_twice_is_refused(lgpio: RecordingLgpio) -> None:
    factory = pi_factory()
    first = relay(factory)
    with pytest.raises(DeviceUnavailable, match="already in use"):
        Relay("pump", 17, active_high=True, safe_on=False, factory=factory)
    first.energise(True)
    assert lgpio.levels[17] == [0, 1]


def test_relay_bug_in_the_factory_is_not_called_a_fault_of_the_device() -> None:
    class Broken:
        def reserve_pins(self, *_: object) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        relay(Broken())


def test_factory_without_lgpio_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with pytest.raises(DeviceUnavailable, match="apt install python3-lgpio"):
        pi_factory()


def test_factory_with_the_empty_wheel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", ModuleType("lgpio"))
    with pytest.raises(DeviceUnavailable, match="empty shell"):
        pi_factory()


def test_factory_in_an_unwritable_directory_names_lg_wd(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "lgpio":
                raise FileNotFoundError(2, "No such file", ".lgd-nfy-3")

    monkeypatch.delitem(sys.modules, "lgpio", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(DeviceUnavailable, match="LG_WD"):
        pi_factory()


def test_factory_not_on_a_pi_says_so(
    lgpio: RecordingLgpio, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = importlib.import_module("gpiozero.pins.local")
    exc = importlib.import_module("gpiozero.exc")

    def unknown() -> int:
        raise exc.PinUnknownPi("unable to locate Pi revision")

    monkeypatch.setattr(local, "get_pi_revision", unknown)
    with pytest.raises(DeviceUnavailable, match='driver = "mock"'):
        pi_factory()


@pytest.mark.parametrize(
    ("chips", "usable", "kind", "advice"),
    [
        ([], False, DeviceUnavailable, "no /dev/gpiochip"),
        (["/dev/gpiochip0"], False, DeviceForbidden, "usermod"),
        (["/dev/gpiochip0"], True, DeviceUnavailable, "can not open gpiochip"),
    ],
)
def test_factory_chip_does_not_open_says_why(
    lgpio: RecordingLgpio,
    monkeypatch: pytest.MonkeyPatch,
    chips: list[str],
    usable: bool,
    kind: type[Exception],
    advice: str,
) -> None:
    lgpio.open_fault = "can not open gpiochip"

    def found(_: str) -> list[str]:
        return chips

    def may(*_: object) -> bool:
        return usable

    monkeypatch.setattr("rackgrid_firmware.relay.glob.glob", found)
    monkeypatch.setattr("rackgrid_firmware.relay.os.access", may)
    with pytest.raises(kind, match=advice):
        pi_factory()
