"""The INA219 over an injected bus: configure, read two registers, notice when the chip was reset.

A sample is two word reads, 02h and 01h, and arithmetic (`registers`); pi-ina219 needs five for
volts, amperes and watts. 02h comes first, because it says whether anything was converted at all;
01h, read after it, is at least as fresh.

A chip that browns out (relays and motors do that to it) wakes up with its power-on configuration
and empty registers. Its readings are right again after a conversion (same LSB, wider range), only
noisier; so it is enough to read the configuration back every ten seconds, after every error, when a
reading is larger than the range allows, and before a zero is believed: it may be that of an empty
register. A wrong one is written again and counted.

Around a switching somebody may want to see more (`hurry`): the chip then converts 1623 times a
second, in its widest range, and goes back to its own profile by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rackgrid_firmware import registers
from rackgrid_firmware.errors import DeviceError, DeviceFault, ProfileError
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.registers import Range, Sample

VERIFY_NS: Final = 10_000_000_000
"""Between two looks at the configuration, ns."""
_CYCLES_MAX: Final = 3
"""A chip that has not converted after so many of its longest cycles never will."""


class Ina219:
    """One chip.

    Args:
        bus: that it is on.
        profile: of the meter.
        clock: CLOCK_MONOTONIC in ns.

    Raises:
        ProfileError: the expected current does not fit the shunt.
    """

    def __init__(
        self, bus: Bus, profile: MeterProfile, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        shunt_range = _range_of(profile)
        self.name = profile.name
        self.resets = 0
        """How often the chip was found reset."""
        self.begun_ns = 0
        """Since when it has been converting as it does now, ns."""
        self._bus = bus
        self._address = profile.address
        self._clock = clock
        self._usual = _pace(profile, profile.profile, shunt_range)
        self._hasty = _pace(profile, "inrush", Range.MV_320)
        self._configuration, self._scale = self._usual
        self._hurry_until_ns = 0
        self._verify_at_ns = 0
        self._silent_since_ns: int | None = None
        self._configured = False

    @property
    def period_ns(self) -> int:
        """How long a conversion takes, ns: reading more often gives the same again."""
        return self._configuration.cycle_ns

    def hurry(self, until_ns: int) -> None:
        """Convert as fast as may be until then; may be called by another thread.

        Args:
            until_ns: CLOCK_MONOTONIC, ns.
        """
        self._hurry_until_ns = max(self._hurry_until_ns, until_ns)

    def rest(self) -> None:
        """Let the chip sleep; the next `sample` wakes it, and waits for a conversion.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
        """
        self._configured = False
        self._verify_at_ns = 0
        asleep = self._configuration.word & ~registers.Mode.BOTH_CONTINUOUS
        self._bus.write_word(self._address, registers.CONFIGURATION, asleep)

    def sample(self) -> Sample | None:
        """Read the newest conversion.

        Returns:
            The sample, or None if the chip has not converted since it was configured.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
            DeviceFault: it says what cannot be, or does not convert.
        """
        now_ns = self._clock()
        try:
            self._keep_pace(now_ns)
            if now_ns >= self._verify_at_ns:
                self._verify(now_ns)
            converted, shunt_raw, bus_raw = self._take()
            if converted and not (shunt_raw and bus_raw) and not self._is_believed(now_ns):
                return None
            if converted:
                return self._judge(shunt_raw, bus_raw)
            self._wait(now_ns)
            return None
        except DeviceError:
            self._verify_at_ns = 0
            raise

    def _keep_pace(self, now_ns: int) -> None:
        """Convert fast for as long as somebody is in a hurry, and then as usual."""
        pace = self._hasty if now_ns < self._hurry_until_ns else self._usual
        if pace[0] is not self._configuration:
            self._configuration, self._scale = pace
            self._configured = False
            self._verify_at_ns = 0

    def _is_believed(self, now_ns: int) -> bool:
        """Look whether a zero is the truth, or that of a chip which has just been reset."""
        before = self.resets
        self._verify(now_ns)
        return self.resets == before

    def _take(self) -> tuple[bool, int, int]:
        """Read whether the chip has converted, and the raw shunt and bus voltages."""
        bus = self._bus.read_word(self._address, registers.BUS)
        shunt = self._bus.read_word(self._address, registers.SHUNT)
        return registers.is_converted(bus), registers.signed(shunt), registers.bus_raw(bus)

    def _judge(self, shunt_raw: int, bus_raw: int) -> Sample:
        self._silent_since_ns = None
        if bus_raw > registers.BUS_RAW_MAX or abs(shunt_raw) > registers.SHUNT_RAW_MAX:
            raise DeviceFault(
                f"{self._where()} says {bus_raw * registers.BUS_V_PER_LSB:.2f} V and "
                f"{shunt_raw * registers.SHUNT_V_PER_LSB * 1e3:.0f} mV at the shunt, which no "
                "INA219 can: check wiring and noise"
            )
        if abs(shunt_raw) > self._scale.raw_max:
            self._verify_at_ns = 0  # beyond our range: the chip has been reset to its widest
        return self._scale.sample(shunt_raw, bus_raw)

    def _verify(self, now_ns: int) -> None:
        """Make sure that the chip works as configured."""
        if not self._configured or not self._keeps_configuration():
            self.resets += self._configured
            self._program()
            self.begun_ns = self._clock()
            if not self._keeps_configuration():
                raise DeviceFault(
                    f"{self._where()} does not keep its configuration: is it an INA219?"
                )
            self._configured = True
            self._silent_since_ns = now_ns
        self._verify_at_ns = now_ns + VERIFY_NS

    def _keeps_configuration(self) -> bool:
        # A second look, because a bit that flipped on the wire is no reset of the chip.
        word = self._configuration.word
        return self._read_back() == word or self._read_back() == word

    def _program(self) -> None:
        """Write the configuration; conversions start anew."""
        self._bus.write_word(self._address, registers.CONFIGURATION, self._configuration.word)

    def _read_back(self) -> int:
        return self._bus.read_word(self._address, registers.CONFIGURATION)

    def _wait(self, now_ns: int) -> None:
        """Bear with a chip that is converting for the first time, but not for ever."""
        if self._silent_since_ns is None:
            self._silent_since_ns = now_ns
        elif now_ns - self._silent_since_ns > _CYCLES_MAX * self._configuration.cycle_max_ns:
            self._silent_since_ns = now_ns
            raise DeviceFault(f"{self._where()} does not convert: check its supply")

    def _where(self) -> str:
        return f"the chip at {self._address:#04x} on I2C bus {self._bus.number}"


def _pace(
    profile: MeterProfile, name: str, shunt_range: Range
) -> tuple[registers.Configuration, registers.Scale]:
    """Prepare a way to convert, and what its numbers mean."""
    configuration = registers.configuration_for(name, shunt_range)
    scale = registers.scale_for(profile.shunt_ohms, profile.gain, profile.offset_a, shunt_range)
    return configuration, scale


def _range_of(profile: MeterProfile) -> Range:
    shunt_range = registers.range_for(profile.amps_max, profile.shunt_ohms)
    if shunt_range is None:
        raise ProfileError(
            f"meter {profile.name!r}: {profile.amps_max} A through {profile.shunt_ohms} ohm is "
            "more than the 320 mV that an INA219 measures: use a smaller shunt, or amps_max of at "
            f"most {0.32 / profile.shunt_ohms:.2f}"
        )
    return shunt_range
