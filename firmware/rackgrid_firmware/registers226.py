"""The arithmetic of the registers of INA226 and INA260, and nothing else: no bus, no clock.

Both have the same map; 01h is the shunt's voltage in the INA226 and the current in the INA260,
whose shunt is inside. The INA226's own current and power (04h, 03h) are not used: like the INA219's
they depend on a calibration that a brown-out sets to zero. The INA260's 01h needs no calibration.

Both data registers are zero from a reset to the end of the first conversion: a zero may be the
truth, and it may be a chip that has just been reset, which the configuration tells (as Linux's
ina2xx does).

Sources: SBOS547B (INA226): table 7-1 (map, reset values), 7.1.2 (01h, LSB 2.5 µV, two's
complement), 7.1.3 (02h, LSB 1.25 mV, bit 15 always 0), 7.1.7 (06h, CVRF: set when conversions,
averaging and products are complete; cleared by writing the configuration and by reading 06h).
SBOS656C (INA260): table 4, 8.6.2 (01h, LSB 1.25 mA), 8.6.3 (02h, LSB 1.25 mV), 8.6.5 (06h).
"""

from __future__ import annotations

from typing import Final

from rackgrid_firmware.conversion import Conversion, Scale
from rackgrid_firmware.registers import signed

SHUNT: Final = 0x01
BUS: Final = 0x02
MASK_ENABLE: Final = 0x06
CVRF: Final = 0x0008
POWER_ON_226: Final = 0x4127
POWER_ON_260: Final = 0x6127
"""The configuration after a reset: one sample, both 1.1 ms, both continuous."""
_FIXED_226: Final = 0x4000
_FIXED_260: Final = 0x6000
"""Bits 14 to 12, which cannot be written."""
SHUNT_V_PER_LSB: Final = 2.5e-6
AMPS_PER_LSB_260: Final = 1.25e-3
BUS_V_PER_LSB: Final = 1.25e-3
RAW_MAX: Final = 0x7FFF
"""81.92 mV in the INA226 and 40.96 A in the INA260; bit 15 of the bus register is always 0."""
RAW_MIN: Final = -0x8000


def word_226(conversion: Conversion) -> int:
    """Write the INA226's configuration, as it reads back."""
    return _FIXED_226 | conversion.bits


def word_260(conversion: Conversion) -> int:
    """Write the INA260's configuration, as it reads back."""
    return _FIXED_260 | conversion.bits


def raw(shunt_word: int, bus_word: int) -> tuple[int, int]:
    """Take the numbers out of the two registers.

    Returns:
        Shunt voltage (INA226) or current (INA260), and bus voltage, LSB.

    Raises:
        ValueError: no such chip can say this.
    """
    if bus_word > RAW_MAX:
        raise ValueError(f"a bus voltage of {bus_word:#06x}")
    return signed(shunt_word), bus_word


def scale_226(shunt_ohms: float, gain: float, offset_a: float) -> Scale:
    """Prepare the scale of an INA226: A = V_shunt / R · gain + offset."""
    return Scale(BUS_V_PER_LSB, SHUNT_V_PER_LSB / shunt_ohms * gain, offset_a, RAW_MIN, RAW_MAX)


def scale_260(gain: float, offset_a: float) -> Scale:
    """Prepare the scale of an INA260: A = current · gain + offset."""
    return Scale(BUS_V_PER_LSB, AMPS_PER_LSB_260 * gain, offset_a, RAW_MIN, RAW_MAX)
