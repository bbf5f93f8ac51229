"""The arithmetic of the INA3221's registers, and nothing else: no bus, no clock, no state.

Three channels, each a pair of registers with the number in bits 15 to 3: shunt 40 µV, bus 8 mV.

Its averaging is not the mean of a block as in the INA226: after each conversion the register moves
towards the new value by the AVG-th part of the difference. So it starts from zero after a reset and
creeps up: at AVG = 64 it shows half of the truth after 44 rounds, without any sign. One sample
(AVG = 0) has none of that, and what averaging would give comes from the longest conversion time
instead: 8.244 ms for the shunt, 140 µs for the bus, each channel in turn. Then the shunt of each of
n channels is integrated 98 % / n of the time, which is all that one converter can do.

Source: SBOS576C (2025): table 7-3 (map, reset values), 7.4.1 and figure 7-6 (averaging), 7.4.2
(channels in turn), 7.6.2.1 (configuration), 7.6.2.2 and 7.6.2.3 (data), 7.6.2.16 (0Fh, CVRF: set
when all conversions are complete; cleared by writing the configuration and by reading 0Fh).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rackgrid_firmware.conversion import Conversion, Samples, Scale, Span
from rackgrid_firmware.registers import signed

MASK_ENABLE: Final = 0x0F
CVRF: Final = 0x0001
POWER_ON: Final = 0x7127
"""The configuration after a reset: three channels, one sample, both 1.1 ms, both continuous."""
CHANNELS: Final = (1, 2, 3)
SHUNT_V_PER_LSB: Final = 40e-6
BUS_V_PER_LSB: Final = 8e-3
RAW_MAX: Final = 4095
RAW_MIN: Final = -4096
"""163.8 mV, and one LSB more on the other side."""
_BUS_RAW_MIN: Final = -13
"""A tenth of a volt below ground: no bus is, and the register has a sign."""

CONVERSIONS: Final = {
    "energy": Conversion(Samples.ONE, Span.US_140, Span.US_8244),
    "fast": Conversion(Samples.ONE, Span.US_588, Span.US_588),
    "inrush": Conversion(Samples.ONE, Span.US_332, Span.US_140),
}
"""What the profiles mean to this chip; each channel takes so long, one after the other."""


def shunt_register(channel: int) -> int:
    """Say where the shunt voltage of a channel (1 to 3) is."""
    return 2 * channel - 1


def bus_register(channel: int) -> int:
    """Say where the bus voltage of a channel (1 to 3) is."""
    return 2 * channel


def word(conversion: Conversion, channels: Iterable[int]) -> int:
    """Write the configuration, with these channels (1 to 3) enabled: bits 14, 13 and 12."""
    bits = conversion.bits
    for channel in channels:
        bits |= 1 << 15 - channel
    return bits


def enabled(configuration: int) -> tuple[int, ...]:
    """Say which channels a configuration enables."""
    return tuple(channel for channel in CHANNELS if configuration & 1 << 15 - channel)


def raw(shunt_word: int, bus_word: int) -> tuple[int, int]:
    """Take the numbers out of a channel's two registers.

    Returns:
        Shunt voltage and bus voltage, LSB.

    Raises:
        ValueError: no INA3221 can say this.
    """
    shunt_raw, bus_raw = signed(shunt_word) >> 3, signed(bus_word) >> 3
    if (shunt_word | bus_word) & 7:
        raise ValueError(f"{shunt_word:#06x} and {bus_word:#06x}, whose lowest bits cannot be set")
    if bus_raw < _BUS_RAW_MIN:
        raise ValueError(f"a bus voltage of {bus_raw * BUS_V_PER_LSB:.2f} V")
    return shunt_raw, bus_raw


def scale_for(shunt_ohms: float, gain: float, offset_a: float) -> Scale:
    """Prepare the scale of a channel: A = V_shunt / R · gain + offset."""
    return Scale(BUS_V_PER_LSB, SHUNT_V_PER_LSB / shunt_ohms * gain, offset_a, RAW_MIN, RAW_MAX)
