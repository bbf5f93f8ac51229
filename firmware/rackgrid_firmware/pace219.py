"""The ways in which an INA219 converts for a board profile: as usual, hastily, keenly.

*Usual* is what the profile asks for. *Hasty* is as fast as may be in the widest range, for a start
that is over in a tenth of a second. *Keen* is V and I by turns with all twelve bits, for a look at
a soft feed (`covariance`).

Source: SBOS448G, table 5 (conversion times); which profile means which setting is `registers`'.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid_firmware import doubt, registers
from rackgrid_firmware.doubt import Frame
from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.ranging import AutoRange
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

    def frame(self, limit_a: float) -> Frame:
        """Say what of its raw numbers is to be doubted.

        Args:
            limit_a: the lowest current that trips, A; 0 for none.
        """
        raw_max, scale = self.scale.raw_max, self.scale
        limit = doubt.limits(limit_a, scale.amps_per_lsb, scale.offset_a)
        span = raw_max, registers.BUS_RAW_MAX
        return doubt.frame(span, (-raw_max, raw_max), limit, self.configuration.cycle_ns)

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


class Paces:
    """How one chip is to convert now.

    Args:
        profile: of the meter.

    Raises:
        ProfileError: the expected current does not fit the shunt.
    """

    def __init__(self, profile: MeterProfile) -> None:
        self.usual = usual(profile, first_range(profile))
        """As the profile has it; with an automatic range, in the one that was chosen last."""
        self.hasty, self.keen = hasty(profile), keen(profile)
        self.busy_until_ns = 0
        """Until then, ns, it may be another one than the usual."""
        self._profile = profile
        self.is_auto = profile.shunt_range == "auto" and not self.usual.is_averaged
        """Whether it chooses the range: then `judge` wants to see each reading."""
        self._auto = AutoRange() if self.is_auto else None
        self._hurry_until_ns = self._look_until_ns = 0

    def hurry(self, until_ns: int) -> None:
        """Have it convert as fast as may be until then; may be called by another thread."""
        self._hurry_until_ns = max(self._hurry_until_ns, until_ns)
        self.busy_until_ns = max(self.busy_until_ns, until_ns)

    def look(self, until_ns: int) -> None:
        """Have it convert V and I by turns until then, unless somebody is in a hurry."""
        self._look_until_ns = until_ns
        self.busy_until_ns = max(self.busy_until_ns, until_ns)

    def choose(self, now_ns: int) -> Pace:
        """Say how it is to convert now; in a hurry the usual range becomes the widest."""
        if now_ns < self._hurry_until_ns:
            if self._auto is not None:
                self._auto.widen()
                self._take_range(Range.MV_320)
            return self.hasty
        return self.keen if now_ns < self._look_until_ns else self.usual

    def judge(self, shunt_raw: int, configuration: Configuration) -> None:
        """Choose the range by a reading, if the chip converts as usual and that is automatic."""
        if self._auto is not None and configuration == self.usual.configuration:
            self._take_range(self._auto.judge(shunt_raw))

    def _take_range(self, shunt_range: Range) -> None:
        if self.usual.configuration.shunt_range is not shunt_range:
            self.usual = usual(self._profile, shunt_range)


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
