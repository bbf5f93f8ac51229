"""Fails if a mock pin drives the plant to a level that the relay did not ask for, or remembers."""

from __future__ import annotations

import pytest

from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.mock.pins import PlantFactory
from rackgrid_firmware.pwm import Pwm
from rackgrid_firmware.relay import Relay


class Port:
    def __init__(self) -> None:
        self.driven: list[tuple[int, bool | float]] = []

    def drive(self, gpio: int, level: bool) -> None:
        self.driven.append((gpio, level))

    def modulate(self, gpio: int, duty: float, hz: float) -> None:
        assert hz == 100.0
        self.driven.append((gpio, duty))


@pytest.mark.parametrize("active_high", [True, False])
@pytest.mark.parametrize("safe_on", [True, False])
def test_pin_whole_life_drives_what_the_relay_says(active_high: bool, safe_on: bool) -> None:
    port = Port()
    safe = safe_on == active_high
    relay = Relay("fan", 17, active_high=active_high, safe_on=safe_on, factory=PlantFactory(port))
    relay.energise(not safe_on)
    relay.energise(not safe_on)
    relay.close()
    assert port.driven == [(17, safe), (17, not safe), (17, safe)]


def test_pin_switched_often_keeps_no_history() -> None:
    port = Port()
    factory = PlantFactory(port)
    relay = Relay("fan", 17, active_high=True, safe_on=False, factory=factory)
    for count in range(100):
        relay.energise(count % 2 == 0)
    assert len(port.driven) == 101
    assert len(factory.pin(17).states) <= 1
    relay.close()


def test_pin_of_the_i2c_bus_is_claimed_without_its_pull_up_showing() -> None:
    port = Port()
    relay = Relay("fan", 2, active_high=True, safe_on=False, factory=PlantFactory(port))
    assert port.driven == [(2, False)]
    relay.close()


def test_pin_that_is_no_gpio_is_unavailable() -> None:
    with pytest.raises(DeviceUnavailable, match="99"):
        Relay("fan", 99, active_high=True, safe_on=False, factory=PlantFactory(Port()))


def test_pin_asked_to_become_an_input_refuses() -> None:
    factory = PlantFactory(Port())
    with pytest.raises(RuntimeError, match="input"):
        factory.pin(17).function = "input"


def test_pin_that_pulses_tells_each_level_that_comes_after() -> None:
    port = Port()
    pwm = Pwm("fan", 18, active_high=False, hz=100.0, factory=PlantFactory(port))
    pwm.modulate(300)
    pwm.modulate(0)
    pwm.modulate(1000)
    pwm.modulate(300)
    pwm.modulate(1000)
    pwm.close()
    assert port.driven == [(18, level) for level in (True, 0.7, True, False, 0.7, False, True)]
