"""The ways in which an INA219 converts for a board profile: as usual, hastily, keenly.

*Usual* is what the profile asks for. *Hasty* is as fast as may be in the widest range, for a start
that is over in a tenth of a second. *Keen* is V and I by turns with all twelve bits, for a look at
a soft feed (`covariance`).

Source: SBOS448G, table 5 (conversion times); which profile means which setting is `registers`'.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid_firmware import registers
from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.registers import RANGE_NAMES, Configuration, Range, Scale


@dataclass(frozen=True, slots=True)
class Pace:
    """A way to convert, and what its numbers mean.

    Attributes:
        configuration: of the chip.
        scale: from its raw numbers to volts and amperes.
    """

    configuration: Configuration
    scale: Scale

    @property
    def is_averaged(self) -> bool:
        """Whether a current is the mean of several samples."""
        return self.configuration.shunt_adc.samples > 1


def usual(profile: MeterProfile, shunt_range: Range) -> Pace:
    """Prepare to convert as a board profile asks for it, in this range."""
    configuration = registers.configuration_for(
        profile.profile,
        shunt_range,
        shunt_adc=profile.shunt_adc,
        bus_adc=profile.bus_adc,
        bus_range=profile.bus_range,
    )
    return _pace(profile, configuration)


def hasty(profile: MeterProfile) -> Pace:
    """Prepare to convert as fast as may be, in the widest range."""
    return _widest(profile, "inrush")


def keen(profile: MeterProfile) -> Pace:
    """Prepare to convert V and I by turns, in the widest range."""
    return _widest(profile, "fast")


def first_range(profile: MeterProfile) -> Range:
    """Choose the range to begin with.

    Raises:
        ProfileError: the expected current does not fit the shunt.
    """
    if profile.shunt_range:
        return RANGE_NAMES.get(profile.shunt_range, Range.MV_320)
    shunt_range = registers.range_for(profile.amps_max, profile.shunt_ohms)
    if shunt_range is None:
        raise ProfileError(
            f"meter {profile.name!r}: {profile.amps_max} A through {profile.shunt_ohms} ohm is "
            "more than the 320 mV that an INA219 measures: use a smaller shunt, or amps_max of at "
            f"most {0.32 / profile.shunt_ohms:.2f}"
        )
    return shunt_range


def _widest(profile: MeterProfile, name: str) -> Pace:
    bus_range = profile.bus_range
    return _pace(profile, registers.configuration_for(name, Range.MV_320, bus_range=bus_range))


def _pace(profile: MeterProfile, configuration: Configuration) -> Pace:
    scale = registers.scale_for(
        profile.shunt_ohms,
        profile.gain,
        profile.offset_a,
        configuration.shunt_range,
        wide_bus=configuration.wide_bus,
    )
    return Pace(configuration, scale)
