"""A meter that a kernel driver reads: what the two kinds of them, hwmon and iio, have in common.

The kernel configures the chip, notices its resets and repairs them (Linux ina2xx looks at the
calibration whenever a register reads zero), so there is little to do: find what it shows, read
volts and amperes at the pace at which the chip converts, and say honestly what cannot be known.
A chip that is not there yet is looked for again by each reading.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final

from rackgrid_firmware.device import Quality
from rackgrid_firmware.errors import DeviceError
from rackgrid_firmware.part import PARTS, Part
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.registers import Sample
from rackgrid_firmware.sysfs import Attributes

PERIOD_NS: Final = 69_000_000
"""Of a driver that does not say its pace: what Linux's ina2xx takes for the slowest chip."""
_PERIOD_MIN_NS: Final = 10_000_000
"""A reading costs the kernel two transfers; more often than this it is not asked."""


class KernelMeter(ABC):
    """One meter.

    Args:
        profile: of the meter.
        attributes: that the driver shows.
    """

    def __init__(self, profile: MeterProfile, attributes: Attributes) -> None:
        self.name = profile.name
        self.resets = 0
        """Always none: the kernel repairs them and does not tell."""
        self._profile = profile
        self._attributes = attributes
        self._period_ns = PERIOD_NS
        self._is_known = False
        with suppress(DeviceError):  # the first reading says the same, and the next ones look again
            self._know()

    @property
    def period_ns(self) -> int:
        """How long a conversion takes, as far as the driver says, ns."""
        return self._period_ns

    def sample(self) -> Sample | None:
        """Read what the kernel driver shows.

        Raises:
            DeviceUnavailable: it shows nothing, or its chip does not answer.
            DeviceForbidden: it is not ours to read.
            DeviceFault: what it shows is no number, or contradicts the profile.
        """
        try:
            if not self._is_known:
                self._know()
            volts, amps, is_saturated = self._take()
        except DeviceError:
            self._is_known = False  # it may have come back as another one
            self._attributes.close()
            raise
        profile = self._profile
        quality = Quality.SATURATED if is_saturated else Quality.FRESH
        return Sample(volts, amps * profile.gain + profile.offset_a, quality)

    def _know(self) -> None:
        """Learn what the driver shows."""
        seconds = self._learn()
        self._period_ns = max(_PERIOD_MIN_NS, round(seconds * 1e9)) if seconds else PERIOD_NS
        self._is_known = True

    def _part(self) -> Part | None:
        """Say which chip it is; None if it is not one of ours."""
        return PARTS.get(self._attributes.text("name")) if self._attributes.has("name") else None

    @abstractmethod
    def _learn(self) -> float:
        """Learn what the driver shows; say its pace, s, or 0.0 if it does not say."""

    @abstractmethod
    def _take(self) -> tuple[float, float, bool]:
        """Read volts, amperes, and whether the shunt is at its end stop."""
