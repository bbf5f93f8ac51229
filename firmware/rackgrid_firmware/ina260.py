"""The INA260 over an injected bus: an INA226 whose 2 mOhm shunt is inside, trimmed at the factory.

Up to 15 A for ever, without a shunt to choose or to solder; it reads amperes, so there is nothing
to calibrate but gain and offset. Source: SBOS656C (2016); what of it is used where, in
`registers226` and `upkeep`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rackgrid_firmware import registers226
from rackgrid_firmware.conversion import AVERAGED, Conversion
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.monitor import Monitor
from rackgrid_firmware.part import INA260
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.upkeep import Ready, Upkeep, Way


class Ina260(Monitor):
    """One chip.

    Args:
        bus: that it is on.
        profile: of the meter.
        clock: CLOCK_MONOTONIC in ns.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.

    Raises:
        ProfileError: the expected current is more than the shunt bears.
    """

    def __init__(
        self,
        bus: Bus,
        profile: MeterProfile,
        clock: Callable[[], int] = time.monotonic_ns,
        limit_a: float = 0.0,
    ) -> None:
        ready = Ready(registers226.MASK_ENABLE, registers226.CVRF)
        upkeep = Upkeep(bus, profile.address, INA260, ready, clock)
        usual, hasty = (_way(AVERAGED[name]) for name in (profile.profile, "inrush"))
        upkeep.configure(usual, hasty)
        super().__init__(
            profile,
            INA260,
            upkeep,
            (registers226.SHUNT, registers226.BUS),
            registers226.raw,
            registers226.scale_260(profile.gain, profile.offset_a),
            limit_a,
        )


def _way(conversion: Conversion) -> Way:
    """Write a way to convert: both registers change together, at the end of a cycle."""
    return Way(registers226.word_260(conversion), conversion.cycle_ns, conversion.cycle_ns)
