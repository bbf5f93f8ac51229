"""The INA219 through the pi-ina219 package: the second driver (`driver = "pi-ina219"`).

For whoever has calibrated a board with that package, and as an independent opinion in the tests of
our own driver. The package knows how to configure the chip and to read it; what it does not know
stays ours: a shared bus with its lock and retries, a chip that was reset, a saturated shunt. So it
gets a device of ours where it would open a bus of its own: its only contact with hardware is what
`ina219.I2C.get_i2c_device` returns, asked once.

Current is taken from its `shunt_voltage()` and not from its `current()`: after a brown-out the
latter is 0 A without any error (the calibration register is 0).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from rackgrid_firmware import registers
from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.ina219 import Ina219
from rackgrid_firmware.profile import MeterProfile

_MISSING: Final = (
    "driver = \"pi-ina219\" needs the package of that name: pip install 'rackgrid[pi-ina219]', "
    'or use driver = "ina219"'
)
_building = threading.Lock()
"""The package's device factory is replaced for a moment: one at a time."""


class _Library(Protocol):
    """The part of `ina219.INA219` that we use."""

    def configure(self, *, voltage_range: int, gain: int, bus_adc: int, shunt_adc: int) -> None: ...

    def voltage(self) -> float: ...

    def shunt_voltage(self) -> float: ...

    def is_conversion_ready(self) -> bool: ...


class _Device:
    """What the package takes for an Adafruit I2C device."""

    def __init__(self, bus: Bus, address: int) -> None:
        self._bus = bus
        self._address = address

    def writeList(self, register: int, data: Sequence[int]) -> None:  # noqa: N802
        high, low = data
        self._bus.write_word(self._address, register, high << 8 | low)

    def readU16BE(self, register: int) -> int:  # noqa: N802
        return self._bus.read_word(self._address, register)

    def readS16BE(self, register: int) -> int:  # noqa: N802
        return registers.signed(self._bus.read_word(self._address, register))


class PiIna219(Ina219):
    """One chip, through pi-ina219.

    Args:
        bus: that it is on.
        profile: of the meter.
        clock: CLOCK_MONOTONIC in ns.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.

    Raises:
        DeviceUnavailable: the package is not installed.
        ProfileError: the expected current does not fit the shunt.
    """

    def __init__(
        self,
        bus: Bus,
        profile: MeterProfile,
        clock: Callable[[], int] = time.monotonic_ns,
        limit_a: float = 0.0,
    ) -> None:
        # Five transfers a sample leave no time to follow a short cycle by the clock.
        super().__init__(bus, profile, clock, follow_max_ns=0, limit_a=limit_a)
        self._library, self._range_error = _build(bus, profile)

    def _program(self) -> None:
        self._library.configure(
            voltage_range=int(self._configuration.wide_bus),
            gain=int(self._configuration.shunt_range),
            bus_adc=int(self._configuration.bus_adc),
            shunt_adc=int(self._configuration.shunt_adc),
        )

    def _ask(self) -> tuple[bool, int]:
        is_up = self._library.is_conversion_ready()
        return is_up, round(self._library.voltage() / registers.BUS_V_PER_LSB) if is_up else 0

    def _shunt_raw(self) -> int:
        try:
            return round(self._library.shunt_voltage() * 1e-3 / registers.SHUNT_V_PER_LSB)
        except self._range_error:
            # The package gives up on a saturated shunt; the end stop is a reading for us.
            return registers.signed(self._bus.read_word(self._address, registers.SHUNT))


def _build(bus: Bus, profile: MeterProfile) -> tuple[_Library, type[Exception]]:
    try:
        import ina219
    except ImportError as error:
        raise DeviceUnavailable(_MISSING) from error
    package: Any = ina219

    def device(**_: object) -> _Device:
        return _Device(bus, profile.address)

    root, quiet = logging.getLogger(), logging.NullHandler()
    with _building:
        factory = package.I2C.get_i2c_device
        package.I2C.get_i2c_device = device
        root.addHandler(quiet)  # else its constructor sets up the logging of the whole process
        try:
            library = package.INA219(profile.shunt_ohms, busnum=bus.number, address=profile.address)
        finally:
            root.removeHandler(quiet)
            package.I2C.get_i2c_device = factory
    return library, package.DeviceRangeError
