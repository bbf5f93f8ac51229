"""From a board profile's meters to chips: who reads each of them, on which line.

Each driver is imported when the first meter asks for it, so that a board pays for what it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.meter import Chip
from rackgrid_firmware.part import KERNEL_DRIVERS
from rackgrid_firmware.profile import MeterProfile

if TYPE_CHECKING:
    from rackgrid_firmware.ina3221 import Ina3221


class Chips:
    """Makes the chips of a board; meters that are channels of one chip share it.

    Args:
        clock: CLOCK_MONOTONIC in ns.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._triples: dict[tuple[int, int], Ina3221] = {}

    def open(self, profile: MeterProfile, bus: Bus, limit_a: float = 0.0) -> Chip:
        """Make the driver that a profile asks for; nothing is read yet.

        Args:
            profile: of the meter.
            bus: that its chip is on.
            limit_a: the lowest current that trips an output behind it, A; 0 for none.

        Raises:
            ProfileError: the expected current does not fit the shunt, or the channel is taken.
            DeviceUnavailable: its driver is an extra that is not installed.
        """
        match profile.driver:
            case "pi-ina219":
                from rackgrid_firmware.pi_ina219 import PiIna219

                return PiIna219(bus, profile, self._clock, limit_a=limit_a)
            case "ina226":
                from rackgrid_firmware.ina226 import Ina226

                return Ina226(bus, profile, self._clock, limit_a=limit_a)
            case "ina260":
                from rackgrid_firmware.ina260 import Ina260

                return Ina260(bus, profile, self._clock, limit_a=limit_a)
            case "ina3221":
                return self._triple(profile, bus).channel(profile, limit_a)
            case _:
                from rackgrid_firmware.ina219 import Ina219

                return Ina219(bus, profile, self._clock, limit_a=limit_a)

    def _triple(self, profile: MeterProfile, bus: Bus) -> Ina3221:
        """Give the INA3221 at this place, the same one to each of its meters."""
        from rackgrid_firmware.ina3221 import Ina3221

        place = bus.number, profile.address
        if place not in self._triples:
            self._triples[place] = Ina3221(bus, profile.address, self._clock)
        return self._triples[place]


def open_chip(
    profile: MeterProfile, bus: Bus, clock: Callable[[], int] = time.monotonic_ns
) -> Chip:
    """Make the driver of a single meter, as `Chips.open` does; of an INA3221 this one channel."""
    return Chips(clock).open(profile, bus)


def open_kernel_meter(profile: MeterProfile, limit_a: float = 0.0) -> Chip:
    """Make the driver of a meter that a kernel driver has; what it shows may come later.

    Args:
        profile: of the meter.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.
    """
    if profile.driver == "hwmon":
        from rackgrid_firmware.hwmon import HwmonMeter

        return HwmonMeter(profile, limit_a=limit_a)
    from rackgrid_firmware.iio import IioMeter

    return IioMeter(profile, limit_a=limit_a)


def of_kernel(profiles: Iterable[MeterProfile]) -> tuple[MeterProfile, ...]:
    """Take the meters that a kernel driver has: one `Sampler` for each, for each may hang."""
    return tuple(each for each in profiles if each.driver in KERNEL_DRIVERS)


def wired(profiles: Iterable[MeterProfile]) -> tuple[MeterProfile, ...]:
    """Take the meters whose chips we read ourselves."""
    return tuple(each for each in profiles if each.driver not in KERNEL_DRIVERS)


def by_bus(profiles: Iterable[MeterProfile]) -> dict[int, tuple[MeterProfile, ...]]:
    """Sort the meters that we read by their bus: one `Bus` and one `Sampler` for each."""
    sorted_by_bus: dict[int, tuple[MeterProfile, ...]] = {}
    for profile in wired(profiles):
        sorted_by_bus[profile.bus] = (*sorted_by_bus.get(profile.bus, ()), profile)
    return sorted_by_bus
