"""The words of the device layer: what a meter says and what an output does.

Sign convention, once for the whole project: positive power is drawn by a load; a source's meter
reads positive when the source gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import hypot
from typing import Protocol, runtime_checkable

LEVEL_FULL = 1000
"""Full power: levels are thousandths of it."""
UNAVAILABLE = "unavailable"
"""The cause of an output whose pin could not be had: it is off, and cannot be switched on."""


class Quality(Enum):
    """How far a reading may be believed."""

    FRESH = "fresh"
    """Converted by the chip since the last reading."""
    SATURATED = "saturated"
    """The shunt converter is at its end stop: the truth is this much or more."""
    STALE = "stale"
    """The chip does not answer or has not converted in time: count the load at its nameplate."""


class Verdict(Enum):
    """What the meter says about a switch that was just made."""

    UNKNOWN = "unknown"
    OK = "ok"
    WELDED = "welded"
    """Switched off, and still draws."""
    NO_LOAD = "no_load"
    """Switched on, and draws nothing: unplugged, or idle. A notice that stays until it draws or
    somebody clears it; no fault."""
    STUCK_OPEN = "stuck_open"
    """Switched on, and draws less than the profile says it must: the contact has not closed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One complete sample of one meter.

    Attributes:
        meter: the meter's name in the board profile.
        t_ns: CLOCK_MONOTONIC when the sample was complete, ns.
        volts: bus voltage at the load, V.
        amps: current, A; positive as the sign convention above says.
        energy_mj: energy since the counter began, mJ; never falls. It begins with the kernel's
            boot, and anew after a crash of the firmware.
        quality: how far to believe it.
        estimated_mj: the part of the energy that nobody measured, mJ; never falls either.
    """

    meter: str
    t_ns: int
    volts: float
    amps: float
    energy_mj: int
    quality: Quality
    estimated_mj: int = 0

    @property
    def watts(self) -> float:
        """Power, W."""
        return self.volts * self.amps


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far a meter's readings may be believed: expanded uncertainties with k = 2, some 95 %.

    Each is the root of a part that grows with the reading, squared, and one that does not, squared:
    the two come from different causes. Current and voltage are converted by the same chip, but
    from different inputs, so they count as independent, too.

    Source: JCGM 100:2008 (GUM), 5.1.2 (independent contributions), 6.2.1 (expanded uncertainty).

    Attributes:
        amps_gain, amps_offset_a: of the current: a fraction of it, and A.
        volts_gain, volts_offset_v: of the voltage that the current finds: a fraction of it, and V.
        calibrated: the day of the calibration, "2026-11-26"; "" if it is by the datasheet.
    """

    amps_gain: float
    amps_offset_a: float
    volts_gain: float
    volts_offset_v: float
    calibrated: str = ""

    def of_amps(self, amps: float) -> float:
        """Uncertainty of a current, A."""
        return hypot(self.amps_gain * amps, self.amps_offset_a)

    def of_volts(self, volts: float) -> float:
        """Uncertainty of a voltage, V."""
        return hypot(self.volts_gain * volts, self.volts_offset_v)

    def of_watts(self, volts: float, amps: float) -> float:
        """Uncertainty of the power, W: (I·U(V))² + (V·U(I))², GUM 5.1.2 for a product."""
        return hypot(amps * self.of_volts(volts), volts * self.of_amps(amps))


class Meter(Protocol):
    """A thing that measures volts and amps."""

    @property
    def name(self) -> str:
        """The meter's name in the board profile."""
        ...

    def read(self) -> Reading:
        """Take the newest sample.

        Raises:
            DeviceError: the chip did not answer, or not believably.
        """
        ...


class Output(Protocol):
    """A thing that energises a load or does not."""

    @property
    def name(self) -> str:
        """The output's name in the board profile."""
        ...

    def energise(self, on: bool) -> None:
        """Give the load power, or take it away.

        Raises:
            DeviceError: the pin could not be driven.
        """
        ...

    def close(self) -> None:
        """Bring the output to its safe level and leave it there."""
        ...


@runtime_checkable
class Modulating(Output, Protocol):
    """An output that can give its load a part of its power."""

    def modulate(self, level: int) -> None:
        """Give the load a part of its power.

        Args:
            level: thousandths of full power, 0 to `LEVEL_FULL`.

        Raises:
            DeviceError: the pin could not be driven.
        """
        ...
