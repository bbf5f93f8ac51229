"""From a board profile's meters to chips: who reads each of them, on which line.

Each driver is imported when the first meter asks for it, so that a board pays for what it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.meter import Chip
from rackgrid_firmware.profile import MeterProfile


def open_chip(
    profile: MeterProfile, bus: Bus, clock: Callable[[], int] = time.monotonic_ns
) -> Chip:
    """Make the driver that a profile asks for; nothing is read yet.

    Args:
        profile: of the meter.
        bus: that its chip is on.
        clock: CLOCK_MONOTONIC in ns.

    Raises:
        ProfileError: the expected current does not fit the shunt.
        DeviceUnavailable: its driver is an extra that is not installed.
    """
    if profile.driver == "pi-ina219":
        from rackgrid_firmware.pi_ina219 import PiIna219

        return PiIna219(bus, profile, clock)
    from rackgrid_firmware.ina219 import Ina219

    return Ina219(bus, profile, clock)


def by_bus(profiles: Iterable[MeterProfile]) -> dict[int, tuple[MeterProfile, ...]]:
    """Sort meters by their bus: one `Bus` and one `Sampler` for each."""
    sorted_by_bus: dict[int, tuple[MeterProfile, ...]] = {}
    for profile in profiles:
        sorted_by_bus[profile.bus] = (*sorted_by_bus.get(profile.bus, ()), profile)
    return sorted_by_bus
