"""One channel of a chip with a converter for shunt and bus: two word reads make a sample.

The chip's `Upkeep` reads them, for all channels at once, when its ready flag is up: three transfers
for a chip of one channel. Either word being zero may be the truth (no load, no voltage) or an empty
register after a reset; then the configuration is read before the zero is believed, so a sample
costs four transfers at most while all is well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from rackgrid_firmware import doubt
from rackgrid_firmware.conversion import Scale
from rackgrid_firmware.doubt import Doubt, Frame, Pair
from rackgrid_firmware.errors import DeviceError, DeviceFault, ProfileError
from rackgrid_firmware.part import Part, over_range
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.registers import Sample
from rackgrid_firmware.upkeep import Upkeep

Words = tuple[int, int]
"""Of shunt and bus, as they were read."""
_SPAN_V: Final = 32.0


class Monitor:
    """One channel.

    Args:
        profile: of the meter.
        part: the chip.
        upkeep: of the chip.
        registers: of shunt (or current) and bus voltage.
        raw: takes the numbers out of the two words; ValueError if no such chip can say them.
        scale: turns them into a sample.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.

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
        limit_a: float = 0.0,
    ) -> None:
        if text := over_range(part, profile.amps_max, profile.shunt_ohms):
            raise ProfileError(f"meter {profile.name!r}: {text}")
        self.name = profile.name
        self._part = part
        self._upkeep = upkeep
        self._seat = upkeep.seat(*registers)
        self._raw = raw
        self._scale = scale
        self._limit = doubt.limits(limit_a, scale.amps_per_lsb, scale.offset_a)
        self._cycle_ns = 0
        self._doubt = Doubt(self._frame())

    @property
    def period_ns(self) -> int:
        """How long a conversion takes, ns: reading more often gives the same again."""
        return self._upkeep.cycle_ns

    @property
    def resets(self) -> int:
        """How often the chip was found reset, or standing still."""
        return self._upkeep.resets

    @property
    def begun_ns(self) -> int:
        """Since when the chip has been converting as it does now, ns."""
        return self._upkeep.begun_ns

    @property
    def due_ns(self) -> int:
        """When to sample next, ns."""
        return self._upkeep.beat.due_ns

    @property
    def late_ns(self) -> int:
        """Until when that sample may be put off at no cost, ns."""
        return self._upkeep.beat.late_ns

    @property
    def ended_ns(self) -> int:
        """When the conversion of the last sample ended, ns."""
        return self._upkeep.beat.ended_ns

    @property
    def missed(self) -> int:
        """Conversions that nobody read."""
        return self._upkeep.missed

    def hurry(self, until_ns: int) -> None:
        """Have the chip convert as fast as may be until then; may be called by another thread.

        Args:
            until_ns: CLOCK_MONOTONIC, ns.
        """
        self._upkeep.hurry(until_ns)

    def rest(self) -> None:
        """Let the chip sleep, with all its channels; the next `sample` wakes it.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
        """
        self._upkeep.rest()

    def sample(self) -> Sample | None:
        """Read the newest conversion.

        Returns:
            The sample; None if the chip has not converted since the last one, or since it was
            configured.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
            DeviceFault: it says what cannot be, is another one, or does not convert.
        """
        words = self._seat.take()
        if words is None:
            self._upkeep.visit()
            words = self._seat.take()
        if words is None:
            return None
        try:
            return self._judge(words)
        except DeviceError:
            self._upkeep.distrust()
            raise

    def _judge(self, words: Words) -> Sample | None:
        """Make a sample of two words, once they are to be believed."""
        if self._cycle_ns != self._upkeep.cycle_ns:
            self._doubt.reframe(self._frame())
        if not self._doubt.is_near(*self._numbers(words)):
            words = self._settle(words)
        if not all(words) and not self._upkeep.is_intact():
            return None
        try:
            return self._scale.sample(*self._raw(*words))
        except ValueError as fault:
            raise DeviceFault(
                f"{self._upkeep.where} says {fault}, which no {self._part.name} can: check wiring "
                "and noise"
            ) from fault

    def _settle(self, words: Words) -> Words:
        """Read again what is not to be believed at once."""

        def read() -> Pair:
            nonlocal words
            words = self._upkeep.read_again(self._seat)
            return self._numbers(words)

        self._doubt.settle(self._numbers(words), read, self._upkeep.where)
        return words

    def _numbers(self, words: Words) -> Pair:
        """Take the numbers out of two words; what no chip can say is beyond everything."""
        try:
            return self._raw(*words)
        except ValueError:
            return math.inf, math.inf

    def _frame(self) -> Frame:
        """Say what of the raw numbers is to be doubted, as the chip converts now."""
        self._cycle_ns = self._upkeep.cycle_ns
        scale = self._scale
        span = scale.raw_max, _SPAN_V / scale.volts_per_lsb
        return doubt.frame(span, (scale.raw_min, scale.raw_max), self._limit, self._cycle_ns)
