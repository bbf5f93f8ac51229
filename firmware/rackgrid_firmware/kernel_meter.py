"""A meter that a kernel driver reads: what the two kinds of them, hwmon and iio, have in common.

The kernel configures the chip, notices its resets and repairs them (Linux ina2xx looks at the
calibration whenever a register reads zero), so there is little to do: find what it shows, read
volts and amperes at the pace at which the chip converts, and say honestly what cannot be known.
A chip that is not there yet is looked for again by each reading.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final

from rackgrid_firmware.device import Quality
from rackgrid_firmware.doubt import Doubt, Pair, frame
from rackgrid_firmware.errors import DeviceError
from rackgrid_firmware.part import PARTS, Part
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.registers import Sample
from rackgrid_firmware.sysfs import Attributes

PERIOD_NS: Final = 69_000_000
"""Of a driver that does not say its pace: what Linux's ina2xx takes for the slowest chip."""
_PERIOD_MIN_NS: Final = 10_000_000
"""A reading costs the kernel two transfers; more often than this it is not asked."""

_SPAN_A: Final = 16.0
_SPAN_V: Final = 32.0
"""What a meter spans of which no `amps_max` is known: by it is judged how large a jump is."""
_EARLY: Final = 0.999
"""A current is doubted a little before it trips."""


class KernelMeter(ABC):
    """One meter.

    Args:
        profile: of the meter.
        attributes: that the driver shows.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.
    """

    def __init__(self, profile: MeterProfile, attributes: Attributes, limit_a: float = 0.0) -> None:
        self.name = profile.name
        self.resets = 0
        """Always none: the kernel repairs them and does not tell."""
        self._profile = profile
        self._attributes = attributes
        self._period_ns = PERIOD_NS
        self._is_known = False
        self._is_saturated = False
        span = profile.amps_max or _SPAN_A, _SPAN_V
        # It converts fast, or nobody knows.
        self._doubt = Doubt(frame(span, (-math.inf, math.inf), _early(limit_a), cycle_ns=0))
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
        profile = self._profile
        try:
            if not self._is_known:
                self._know()
            amps, volts = self._read()
            if self._is_saturated or not self._doubt.is_near(amps, volts):
                amps, volts = self._doubt.settle((amps, volts), self._read, profile.path)
        except DeviceError:
            self._is_known = False  # it may have come back as another one
            self._attributes.close()
            raise
        quality = Quality.SATURATED if self._is_saturated else Quality.FRESH
        return Sample(volts, amps, quality)

    def _read(self) -> Pair:
        """Read amperes, calibrated, and volts; note whether the shunt is at its end stop."""
        volts, amps, self._is_saturated = self._take()
        return amps * self._profile.gain + self._profile.offset_a, volts

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


def _early(limit_a: float) -> Pair:
    return (-limit_a * _EARLY, limit_a * _EARLY) if limit_a else (-math.inf, math.inf)
