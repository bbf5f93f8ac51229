"""The INA226 over an injected bus: an INA219 with 16 bits, 36 V and 2.5 µV steps.

For large currents: its ±81.92 mV make 16 A with 5 mOhm and 80 A with 1 mOhm, and the shunt stays
cool. Source: SBOS547B (2024); what of it is used where, in `registers226` and `upkeep`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rackgrid_firmware import registers226
from rackgrid_firmware.conversion import AVERAGED, Conversion
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.monitor import Monitor
from rackgrid_firmware.part import INA226
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.upkeep import Ready, Upkeep, Way


class Ina226(Monitor):
    """One chip.

    Args:
        bus: that it is on.
        profile: of the meter.
        clock: CLOCK_MONOTONIC in ns.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.

    Raises:
        ProfileError: the expected current does not fit the shunt.
    """

    def __init__(
        self,
        bus: Bus,
        profile: MeterProfile,
        clock: Callable[[], int] = time.monotonic_ns,
        limit_a: float = 0.0,
    ) -> None:
        ready = Ready(registers226.MASK_ENABLE, registers226.CVRF)
        upkeep = Upkeep(bus, profile.address, INA226, ready, clock)
        usual, hasty = (_way(AVERAGED[name]) for name in (profile.profile, "inrush"))
        upkeep.configure(usual, hasty)
        super().__init__(
            profile,
            INA226,
            upkeep,
            (registers226.SHUNT, registers226.BUS),
            registers226.raw,
            registers226.scale_226(profile.shunt_ohms, profile.gain, profile.offset_a),
            limit_a,
        )


def _way(conversion: Conversion) -> Way:
    """Write a way to convert: both registers change together, at the end of a cycle."""
    return Way(registers226.word_226(conversion), conversion.cycle_ns, conversion.cycle_ns)
