"""How the INA226, INA260 and INA3221 convert: the twelve bits of configuration that they share.

Averaging, one conversion time each for bus and shunt (or, in the INA260, current), and a mode; what
the upper four bits mean differs from chip to chip. And from raw numbers to a sample, as all of them
do it.

Asymmetric times, as with the INA219: the bus voltage hardly moves, so it gets the shortest time and
the shunt the rest. "energy" of the single-channel chips is 16 times 4.156 ms and 140 µs, 68.7 ms
together: the shunt converter integrates 97 % of the time, V and I are never more than 4.3 ms apart,
and the period is that of the INA219 in its own "energy" profile, so that mixed boards share a
wake-up.

Sources: SBOS547B (INA226) 7.1.1 and 6.5; SBOS656C (INA260) 8.6.1 and 7.5; SBOS576C (INA3221)
7.6.2.1 and 6.5: the same three tables of bits, the same times, typical and at most (1.1 times as
long).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from rackgrid_firmware.device import Quality
from rackgrid_firmware.registers import Sample

CONFIGURATION: Final = 0x00
MAKER: Final = 0xFE
DIE: Final = 0xFF
TEXAS_INSTRUMENTS: Final = 0x5449
""""TI", in the maker register of all three."""
_SLOWEST: Final = 1.1
"""Longest conversion time by its typical one: 1.21 ms by 1.1 ms, and so for all eight."""


class Samples(IntEnum):
    """How many conversions make one reading (the AVG field)."""

    ONE = 0
    OF_4 = 1
    OF_16 = 2
    OF_64 = 3
    OF_128 = 4
    OF_256 = 5
    OF_512 = 6
    OF_1024 = 7

    @property
    def count(self) -> int:
        """The number itself."""
        return _COUNTS[self]


class Span(IntEnum):
    """How long one conversion of one input takes (the CT fields)."""

    US_140 = 0
    US_204 = 1
    US_332 = 2
    US_588 = 3
    US_1100 = 4
    US_2116 = 5
    US_4156 = 6
    US_8244 = 7

    @property
    def ns(self) -> int:
        """Typical, ns."""
        return _SPANS_NS[self]


_COUNTS: Final = (1, 4, 16, 64, 128, 256, 512, 1024)
_SPANS_NS: Final = (140_000, 204_000, 332_000, 588_000, 1_100_000, 2_116_000, 4_156_000, 8_244_000)


class Mode(IntEnum):
    """What is converted, and whether once (triggered) or for ever (continuous)."""

    POWER_DOWN = 0
    SHUNT_TRIGGERED = 1
    BUS_TRIGGERED = 2
    BOTH_TRIGGERED = 3
    POWER_DOWN_TOO = 4
    SHUNT_CONTINUOUS = 5
    BUS_CONTINUOUS = 6
    BOTH_CONTINUOUS = 7


@dataclass(frozen=True, slots=True)
class Conversion:
    """The lower twelve bits of the configuration, taken apart.

    Attributes:
        samples: averaged (INA226, INA260) or filtered (INA3221).
        bus, shunt: time of one conversion of each.
        mode: what is converted.
    """

    samples: Samples
    bus: Span
    shunt: Span
    mode: Mode = Mode.BOTH_CONTINUOUS

    @property
    def bits(self) -> int:
        """The twelve bits."""
        return self.samples << 9 | self.bus << 6 | self.shunt << 3 | self.mode

    @property
    def cycle_ns(self) -> int:
        """Typical time of one averaged reading of one channel, ns; 0 if nothing is converted."""
        shunt_ns = self.shunt.ns if self.mode & 1 else 0
        bus_ns = self.bus.ns if self.mode & 2 else 0
        return self.samples.count * (shunt_ns + bus_ns)


def parse(word: int) -> Conversion:
    """Take the lower twelve bits of a configuration word apart; each of them means something."""
    return Conversion(
        Samples(word >> 9 & 7), Span(word >> 6 & 7), Span(word >> 3 & 7), Mode(word & 7)
    )


def slowest(cycle_ns: int) -> int:
    """Say how long the slowest chip of the datasheet takes for a typical time, ns."""
    return int(cycle_ns * _SLOWEST)


AVERAGED: Final = {
    "energy": Conversion(Samples.OF_16, Span.US_140, Span.US_4156),
    "fast": Conversion(Samples.ONE, Span.US_588, Span.US_588),
    "inrush": Conversion(Samples.ONE, Span.US_332, Span.US_140),
}
"""What the profiles mean to chips that average whole blocks: 14.6, 850, 2119 readings a second."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From raw numbers to volts and amperes, for one channel.

    Attributes:
        volts_per_lsb: of the bus register.
        amps_per_lsb: of the shunt or current register, gain included.
        offset_a: added to the current.
        raw_min, raw_max: the end stops of the shunt or current register.
    """

    volts_per_lsb: float
    amps_per_lsb: float
    offset_a: float
    raw_min: int
    raw_max: int

    def sample(self, shunt_raw: int, bus_raw: int) -> Sample:
        """Turn raw numbers, which the chip can give, into a sample."""
        end_stop = shunt_raw >= self.raw_max or shunt_raw <= self.raw_min
        return Sample(
            bus_raw * self.volts_per_lsb,
            shunt_raw * self.amps_per_lsb + self.offset_a,
            Quality.SATURATED if end_stop else Quality.FRESH,
        )
