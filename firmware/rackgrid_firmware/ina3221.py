"""The INA3221 over an injected bus: three shunts at one address, one converter that visits them.

Each `[[meter]]` of a profile is a channel; together they are one chip, with one configuration
(which enables just these channels, for each takes its turn of the converter's time), one
conversion-ready flag and one look at the configuration every ten seconds. Source: SBOS576C (2025);
what of it is used where, in `registers3221` and `upkeep`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rackgrid_firmware import registers3221
from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.monitor import Monitor
from rackgrid_firmware.part import INA3221
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.upkeep import Ready, Upkeep, Way


class Ina3221:
    """One chip, as yet without channels.

    Args:
        bus: that it is on.
        address: 7 bit.
        clock: CLOCK_MONOTONIC in ns.
    """

    def __init__(
        self, bus: Bus, address: int, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        ready = Ready(registers3221.MASK_ENABLE, registers3221.CVRF)
        self._upkeep = Upkeep(bus, address, INA3221, ready, clock)
        self._profile = ""
        self._channels: set[int] = set()

    def channel(self, profile: MeterProfile, limit_a: float = 0.0) -> Monitor:
        """Make the driver of one channel; the chip converts it from the next reading on.

        Args:
            profile: of the meter; names the channel, 1 to 3.
            limit_a: the lowest current that trips an output behind it, A; 0 for none.

        Raises:
            ProfileError: no such channel, or it has a meter already; the channels disagree about
                how to convert; or the expected current does not fit the shunt.
        """
        number = profile.channel
        if number not in registers3221.CHANNELS or number in self._channels:
            raise ProfileError(
                f"meter {profile.name!r}: channel {number} of {self._upkeep.where} is not there or "
                "has a meter already: each needs its own of 1, 2 and 3"
            )
        if self._channels and profile.profile != self._profile:
            raise ProfileError(
                f"meter {profile.name!r}: {self._upkeep.where} converts for all its channels as "
                f'{self._profile!r}: write profile = "{self._profile}", or change all of them'
            )
        monitor = Monitor(
            profile,
            INA3221,
            self._upkeep,
            (registers3221.shunt_register(number), registers3221.bus_register(number)),
            registers3221.raw,
            registers3221.scale_for(profile.shunt_ohms, profile.gain, profile.offset_a),
            limit_a,
        )
        self._profile = profile.profile
        self._channels.add(number)
        self._upkeep.configure(self._way(profile.profile), self._way("inrush"))
        return monitor

    def _way(self, name: str) -> Way:
        """Write a way to convert: the first channel's shunt is the first register to change."""
        conversion = registers3221.CONVERSIONS[name]
        cycle_ns = conversion.cycle_ns * len(self._channels)
        return Way(registers3221.word(conversion, self._channels), cycle_ns, conversion.shunt.ns)
