"""The arithmetic of the INA219's registers, and nothing else: no bus, no clock, no state.

Current comes from the shunt voltage (01h) and the shunt's resistance, in software. The chip's own
current and power registers (03h, 04h) are not used: they depend on the calibration register, which
a brown-out sets to zero, and then they read 0 A without any error, just after a relay switched
(Adafruit rewrites the calibration before every read for that reason). The shunt register has the
same 10 µV LSB in every range, so a chip that lost its configuration still tells the truth, only
more coarsely.

Source: TI SBOS448G (2015): 7.5 (p. 5, conversion times), 8.6.2.1 (p. 19, configuration, ranges, ADC
settings, modes), 8.6.3.1 (p. 21, shunt voltage), 8.6.3.2 (p. 23, bus voltage, CNVR, OVF).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from rackgrid_firmware.device import Quality

CONFIGURATION: Final = 0x00
SHUNT: Final = 0x01
BUS: Final = 0x02
POWER: Final = 0x03
"""Read for its effect alone: it clears CNVR (p. 23)."""

POWER_ON: Final = 0x399F
"""The configuration after a reset: 32 V, ±320 mV, 12 bit, both continuous (p. 19)."""
SHUNT_V_PER_LSB: Final = 10e-6
BUS_V_PER_LSB: Final = 4e-3
BUS_RAW_MAX: Final = 8000
"""32 V, the end of the bus register's scale (p. 23); the pins bear 26 V."""
SHUNT_RAW_MAX: Final = 32000
"""320 mV, the end of the widest range (p. 21)."""
CNVR: Final = 0b10
_OVF: Final = 0b01
_SLOWEST: Final = 1.102
"""Longest conversion time by its typical one: 586 µs by 532 µs (p. 5)."""


class Range(IntEnum):
    """Full scale of the shunt input (the PGA field)."""

    MV_40 = 0
    MV_80 = 1
    MV_160 = 2
    MV_320 = 3

    @property
    def raw_max(self) -> int:
        """The end stop of the shunt register, LSB."""
        return 4000 << self

    @property
    def volts(self) -> float:
        """Full scale, V."""
        return self.raw_max * SHUNT_V_PER_LSB


class Adc(IntEnum):
    """Resolution or averaging of one of the two inputs (the BADC and SADC fields)."""

    BITS_9 = 0
    BITS_10 = 1
    BITS_11 = 2
    BITS_12 = 3
    SAMPLES_2 = 9
    SAMPLES_4 = 10
    SAMPLES_8 = 11
    SAMPLES_16 = 12
    SAMPLES_32 = 13
    SAMPLES_64 = 14
    SAMPLES_128 = 15

    @property
    def conversion_ns(self) -> int:
        """Typical conversion time, ns."""
        return _CONVERSION_NS[self]

    @property
    def bits(self) -> int:
        """Resolution of one sample."""
        return 9 + min(self, 3)

    @property
    def samples(self) -> int:
        """How many samples are averaged."""
        return 1 << max(0, self - 8)


_CONVERSION_NS: Final = {
    Adc.BITS_9: 84_000,
    Adc.BITS_10: 148_000,
    Adc.BITS_11: 276_000,
    Adc.BITS_12: 532_000,
    Adc.SAMPLES_2: 1_060_000,
    Adc.SAMPLES_4: 2_130_000,
    Adc.SAMPLES_8: 4_260_000,
    Adc.SAMPLES_16: 8_510_000,
    Adc.SAMPLES_32: 17_020_000,
    Adc.SAMPLES_64: 34_050_000,
    Adc.SAMPLES_128: 68_100_000,
}


RANGE_NAMES: Final = {
    "40mV": Range.MV_40,
    "80mV": Range.MV_80,
    "160mV": Range.MV_160,
    "320mV": Range.MV_320,
}
"""Full scale of the shunt, as a board profile says it."""
ADC_NAMES: Final = {
    **{f"{each.bits}bit": each for each in Adc if each.samples == 1},
    **{f"{each.samples}x": each for each in Adc if each.samples > 1},
}
"""Resolution or averaging, as a board profile says it: "9bit" to "12bit", "2x" to "128x"."""


class Mode(IntEnum):
    """What the chip converts, and whether once (triggered) or for ever (continuous)."""

    POWER_DOWN = 0
    SHUNT_TRIGGERED = 1
    BUS_TRIGGERED = 2
    BOTH_TRIGGERED = 3
    ADC_OFF = 4
    SHUNT_CONTINUOUS = 5
    BUS_CONTINUOUS = 6
    BOTH_CONTINUOUS = 7


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration register, taken apart.

    Attributes:
        wide_bus: bus scale of 32 V; else 16 V. The LSB is the same.
        shunt_range: full scale of the shunt input.
        bus_adc, shunt_adc: resolution or averaging.
        mode: what is converted.
    """

    wide_bus: bool
    shunt_range: Range
    bus_adc: Adc
    shunt_adc: Adc
    mode: Mode = Mode.BOTH_CONTINUOUS

    @property
    def word(self) -> int:
        """The register's 16 bits."""
        return (
            self.wide_bus << 13
            | self.shunt_range << 11
            | self.bus_adc << 7
            | self.shunt_adc << 3
            | self.mode
        )

    @property
    def cycle_ns(self) -> int:
        """Typical time of one conversion of everything that the mode converts, ns; 0 if nothing."""
        if self.mode is Mode.ADC_OFF:
            return 0
        shunt_ns = self.shunt_adc.conversion_ns if self.mode & 1 else 0
        bus_ns = self.bus_adc.conversion_ns if self.mode & 2 else 0
        return shunt_ns + bus_ns

    @property
    def cycle_max_ns(self) -> int:
        """The same for the slowest chip of the datasheet, ns."""
        return int(self.cycle_ns * _SLOWEST)

    @property
    def head_ns(self) -> int:
        """Typical time until a cycle has replaced its first register, ns: the shunt comes first."""
        return self.shunt_adc.conversion_ns if self.mode & 1 else self.bus_adc.conversion_ns


def parse(word: int) -> Configuration:
    """Take a configuration register apart; each 16-bit word means something.

    Bit 15 (reset, reads 0) and bit 14 (void) are passed over; codes that mean the same thing give
    the same value (p. 19: ADC3 does not matter below 12 bit, 1000b is one sample of 12 bit).
    """
    return Configuration(
        wide_bus=bool(word & 1 << 13),
        shunt_range=Range(word >> 11 & 3),
        bus_adc=_adc(word >> 7 & 15),
        shunt_adc=_adc(word >> 3 & 15),
        mode=Mode(word & 7),
    )


def _adc(code: int) -> Adc:
    if code == 8:
        return Adc.BITS_12
    return Adc(code if code > 8 else code & 3)


def configuration_for(
    profile: str,
    shunt_range: Range,
    *,
    shunt_adc: str = "",
    bus_adc: str = "",
    bus_range: str = "",
) -> Configuration:
    """Choose resolution and averaging.

    Args:
        profile: "energy" averages the shunt over 128 samples and takes one of the bus, so the
            shunt converter integrates 99 % of the time, at 14.6 samples a second; with both
            averaged alike, as everyone does, it would look away half of the time. "fast" is one
            12-bit sample each, 940 a second. "inrush" is a coarser look at the voltage, 1623 a
            second.
        shunt_range: full scale of the shunt.
        shunt_adc, bus_adc: one of `ADC_NAMES` instead of what the profile says; "" for that.
        bus_range: "16V" or "32V"; "" is the latter.
    """
    shunt, bus = {
        "energy": (Adc.SAMPLES_128, Adc.BITS_12),
        "fast": (Adc.BITS_12, Adc.BITS_12),
        "inrush": (Adc.BITS_12, Adc.BITS_9),
    }[profile]
    return Configuration(
        bus_range != "16V",
        shunt_range,
        bus_adc=ADC_NAMES[bus_adc] if bus_adc else bus,
        shunt_adc=ADC_NAMES[shunt_adc] if shunt_adc else shunt,
    )


def range_for(amps_max: float, shunt_ohms: float) -> Range | None:
    """Choose the finest range that still holds a current.

    Args:
        amps_max: the most that is expected, A; 0 if unknown.
        shunt_ohms: of the shunt.

    Returns:
        The range, the widest for an unknown current; None if the shunt is too large for it.
    """
    if amps_max == 0:
        return Range.MV_320
    volts = abs(amps_max) * shunt_ohms
    # At full scale exactly the reading is at its end stop, so only the widest range may touch it.
    for shunt_range in Range:
        if volts < shunt_range.volts or (
            shunt_range is Range.MV_320 and volts <= shunt_range.volts * (1 + 1e-9)
        ):
            return shunt_range
    return None


def swapped(word: int) -> int:
    """Swap the two bytes of a word: SMBus sends the low one first, the INA219 the high one."""
    return (word & 0xFF) << 8 | word >> 8


def signed(word: int) -> int:
    """Read a word as two's complement, as the shunt register is in every range (p. 21)."""
    return word - 0x10000 if word & 0x8000 else word


def bus_raw(word: int) -> int:
    """Take the voltage out of the bus register, LSB of 4 mV."""
    return word >> 3


def is_converted(word: int) -> bool:
    """Whether the bus register says that a conversion has ended since the flag was cleared.

    Writing a mode clears it, and so does reading 03h (p. 23). (A field report saw reading 02h clear
    it too.)
    """
    return bool(word & CNVR)


class Sample(NamedTuple):
    """One conversion, in physical units; a tuple, because one is made 1600 times a second.

    Attributes:
        volts: at the load, V.
        amps: through the shunt, A.
        quality: `FRESH`, or `SATURATED` when the shunt or the bus is at its end stop.
    """

    volts: float
    amps: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class Scale:
    """From register words to volts and amperes, for one channel.

    Attributes:
        amps_per_lsb: of the shunt register, gain included.
        offset_a: added to the current.
        raw_max: the shunt's end stop, LSB.
        bus_max: the bus's end stop, LSB.
    """

    amps_per_lsb: float
    offset_a: float
    raw_max: int
    bus_max: int = BUS_RAW_MAX

    def sample(self, shunt_raw: int, bus_raw: int) -> Sample:
        """Turn raw readings into a sample; they are in the ranges that the chip can give."""
        raw_max = self.raw_max
        end_stop = shunt_raw >= raw_max or shunt_raw <= -raw_max or bus_raw >= self.bus_max
        return Sample(
            bus_raw * BUS_V_PER_LSB,
            shunt_raw * self.amps_per_lsb + self.offset_a,
            Quality.SATURATED if end_stop else Quality.FRESH,
        )


def scale_for(
    shunt_ohms: float,
    gain: float,
    offset_a: float,
    shunt_range: Range,
    *,
    wide_bus: bool = True,
) -> Scale:
    """Prepare the scale of a channel: A = V_shunt / R · gain + offset."""
    bus_max = BUS_RAW_MAX if wide_bus else BUS_RAW_MAX // 2
    return Scale(SHUNT_V_PER_LSB / shunt_ohms * gain, offset_a, shunt_range.raw_max, bus_max)
