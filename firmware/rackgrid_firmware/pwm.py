"""A GPIO output that modulates: off, full on, or pulsing in between. For a MOSFET, never a relay.

Off and full on are plain levels, as a relay's: nothing has to run for them. In between lgpio writes
every edge from a thread of this process. So a process that is stopped or killed leaves the pin at
the level of that moment, and a load at a third of its power may be at all of it until the watchdog
has ended the process and the helper has driven the pin. Until then nobody may count on less than
the nameplate: a level saves energy, and no watts of the feed's reserve.

gpiozero's `PWMOutputDevice` is passed by: it claims the pin as an input first, starts with a duty
of 0, which is full power behind an active-low driver, and rounds to whole percents. The Pi's own
PWM (GPIO 12, 13, 18 and 19, by an overlay and sysfs) is passed by, too: it pulses on when the
process has died, and no deadline ends that. The price is jitter: a program times an edge to some
0.1 ms, so pulses are kept long (`PULSE_S_MIN` of `profile_pin`).

Source: lg (lgpio), lgGpio.c, `xSetAsPwm`: a new duty takes effect at the end of the running cycle;
to stop ends it at once, under the lock of the writing thread, at whatever level; to stop what does
not pulse is an error.
"""

from __future__ import annotations

from typing import Any

from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.relay import Relay


class Pwm(Relay):
    """One modulated output.

    Args:
        name: in the board profile.
        gpio: BCM number.
        active_high: whether a high pin energises the load.
        hz: how often it pulses in between, a second.
        factory: where gpiozero gets its pins: `pi_factory()`, or the mock's.

    Raises:
        DeviceUnavailable: there is no such pin, or somebody else has it.
        DeviceForbidden: we may not use it.
    """

    def __init__(self, name: str, gpio: int, *, active_high: bool, hz: float, factory: Any) -> None:
        assert 0 < hz <= 10_000, f"{name}: {hz} Hz"
        super().__init__(name, gpio, active_high=active_high, safe_on=False, factory=factory)
        self._hz = hz
        self._active_high = active_high

    def modulate(self, level: int) -> None:
        """Give the load a part of its power; a new part takes effect within one period.

        Args:
            level: thousandths of full power, 0 to `LEVEL_FULL`.

        Raises:
            DeviceUnavailable: the pin could not be driven.
            DeviceClosed: the output was closed.
        """
        assert 0 <= level <= LEVEL_FULL, f"{self.name}: level {level}"
        if level in (0, LEVEL_FULL):
            self.energise(level > 0)
        else:
            high = level if self._active_high else LEVEL_FULL - level
            self._pulse(self._hz, high / LEVEL_FULL)
