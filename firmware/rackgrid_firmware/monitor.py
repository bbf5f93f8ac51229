"""One channel of a chip with a converter for shunt and bus: two word reads make a sample.

Bus voltage first, then shunt: what is read last is the newest, and for power the current matters
more. Either being zero may be the truth (no load, no voltage) or an empty register after a reset;
then the configuration is read before the zero is believed, so a sample costs three transfers at
most while all is well.
"""

from __future__ import annotations

from collections.abc import Callable

from rackgrid_firmware.conversion import Scale
from rackgrid_firmware.errors import DeviceError, DeviceFault, ProfileError
from rackgrid_firmware.part import Part, over_range
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.registers import Sample
from rackgrid_firmware.upkeep import Upkeep


class Monitor:
    """One channel.

    Args:
        profile: of the meter.
        part: the chip.
        upkeep: of the chip.
        registers: of shunt (or current) and bus voltage.
        raw: takes the numbers out of the two words; ValueError if no such chip can say them.
        scale: turns them into a sample.

    Raises:
        ProfileError: the expected current does not fit the shunt.
    """

    def __init__(
        self,
        profile: MeterProfile,
        part: Part,
        upkeep: Upkeep,
        registers: tuple[int, int],
        raw: Callable[[int, int], tuple[int, int]],
        scale: Scale,
    ) -> None:
        if text := over_range(part, profile.amps_max, profile.shunt_ohms):
            raise ProfileError(f"meter {profile.name!r}: {text}")
        self.name = profile.name
        self._part = part
        self._upkeep = upkeep
        self._shunt, self._bus = registers
        self._raw = raw
        self._scale = scale

    @property
    def period_ns(self) -> int:
        """How long a conversion takes, ns: reading more often gives the same again."""
        return self._upkeep.cycle_ns

    @property
    def resets(self) -> int:
        """How often the chip was found reset."""
        return self._upkeep.resets

    def sample(self) -> Sample | None:
        """Read the newest conversion.

        Returns:
            The sample, or None if the chip has not converted since it was configured.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
            DeviceFault: it says what cannot be, is another one, or does not convert.
        """
        upkeep = self._upkeep
        try:
            if not upkeep.is_ready():
                return None
            bus = upkeep.read(self._bus)
            shunt = upkeep.read(self._shunt)
            if not (bus and shunt) and not self._is_believed():
                return None
            return self._judge(shunt, bus)
        except DeviceError:
            upkeep.distrust()
            raise

    def _is_believed(self) -> bool:
        """Look whether a zero is the truth or that of a chip which has just been reset."""
        self._upkeep.distrust()
        return self._upkeep.is_ready()

    def _judge(self, shunt: int, bus: int) -> Sample:
        try:
            return self._scale.sample(*self._raw(shunt, bus))
        except ValueError as fault:
            raise DeviceFault(
                f"{self._upkeep.where} says {fault}, which no {self._part.name} can: check wiring "
                "and noise"
            ) from fault
