"""The meter chips by their datasheets' limits: what a board profile may ask of each.

Sources: INA219 SBOS448G: 7.3 (26 V), 7.5 (±320 mV), 8.5.5.1 (0x40 to 0x4F). INA226 SBOS547B: 6.3
(36 V), 6.5 (±81.92 mV), 6.5.6.1 (0x40 to 0x4F), 7.1.10 (die 226h). INA260 SBOS656C: 7.1 and 8.3.1
(2 mOhm inside, 15 A for ever at up to 85 °C), 7.3 (36 V), 8.5.3.1 (0x40 to 0x4F), 8.6.8 (die 227h).
INA3221 SBOS576C: 6.3 (26 V), 6.5 (±163.8 mV), 7.5.1.1 (0x40 to 0x43), 7.6.2.20 (die 3220h).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of meter chip.

    Attributes:
        name: as its datasheet has it.
        shunt_v_max: where its shunt converter ends, V.
        address_max: its highest I2C address; the lowest is 0x40.
        channels: how many shunts it has.
        die: its die id without the revision (the upper 12 bits of FFh); 0 if it has none.
        ohms: the shunt inside, ohm; 0.0 if the shunt is outside.
        amps_max: what the shunt inside bears, A; 0.0 if the shunt is outside.
        volts_max: the most that its pins bear, V.
    """

    name: str
    shunt_v_max: float
    address_max: int = 0x4F
    channels: int = 1
    die: int = 0
    ohms: float = 0.0
    amps_max: float = 0.0
    volts_max: float = 26.0


INA219: Final = Part("INA219", 0.320)
INA226: Final = Part("INA226", 0.08192, die=0x226, volts_max=36.0)
INA260: Final = Part("INA260", 0.08192, die=0x227, ohms=0.002, amps_max=15.0, volts_max=36.0)
INA3221: Final = Part("INA3221", 0.1638, address_max=0x43, channels=3, die=0x322)

PARTS: Final = {
    "ina219": INA219,
    "pi-ina219": INA219,
    "ina226": INA226,
    "ina260": INA260,
    "ina3221": INA3221,
}
"""By the driver that reads them over I2C."""
KERNEL_DRIVERS: Final = frozenset({"hwmon", "iio"})
"""The drivers that read what a kernel driver shows."""


def over_range(part: Part, amps: float, ohms: float) -> str:
    """Say why a chip cannot see a current through a shunt, and what to do; "" if it can.

    Args:
        part: the chip.
        amps: the most that is expected, A; 0 if unknown.
        ohms: of the shunt, ohm.
    """
    if part.amps_max:
        if amps <= part.amps_max:
            return ""
        return (
            f"{amps:g} A is more than the shunt inside an {part.name} bears; expect at most "
            f"{part.amps_max:g} A, or take an INA226 with a shunt of its own"
        )
    if amps * ohms <= part.shunt_v_max * (1 + 1e-9):
        return ""
    return (
        f"{amps:g} A through {ohms:g} ohm is {amps * ohms * 1000:.0f} mV, and the chip sees at "
        f"most {part.shunt_v_max * 1000:g} mV; fit a shunt of at most "
        f"{_rounded_down(part.shunt_v_max / amps)} ohm, or expect at most "
        f"{_rounded_down(part.shunt_v_max / ohms)} A"
    )


def _rounded_down(value: float) -> str:
    """Write three digits that are not above `value`: a limit must not be rounded past itself."""
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.floor(value / step + 1e-6) * step:.3g}"
