"""How far a meter sees, held against what the outputs behind it draw. Pure.

A profile says watts and a chip ends at amperes, so the voltage decides. Where nobody has measured
it, what is beyond the chip's end even at the highest voltage that its pins bear is certainly
beyond, and nothing else is said: INA226 breakouts with R100, which end at 0.82 A, are the usual
case. Inrush is left out: a meter at its end stop for a moment is counted at nameplate, which holds.
"""

from __future__ import annotations

from typing import Final

from rackgrid_firmware.part import INA219, INA226, PARTS, Part
from rackgrid_firmware.profile import MeterProfile, Profile
from rackgrid_firmware.registers import RANGE_NAMES

VOLTS_MIN: Final = 1.0
"""A feed of less is off, and says nothing of the load."""
USUAL_V: Final = 12.0
"""What advice is given for while nobody has measured."""


def end_a_of(meter: MeterProfile) -> float:
    """Say where a meter ends, A; 0.0 if its chip is not known, as that of a kernel driver."""
    part = PARTS.get(meter.driver)
    if part is None:
        return 0.0
    if part.amps_max:
        return part.amps_max
    fixed = RANGE_NAMES.get(meter.shunt_range)
    return (part.shunt_v_max if fixed is None else fixed.volts) / meter.shunt_ohms


def watts_behind(meter: MeterProfile, profile: Profile) -> float:
    """Add up the nameplates of the outputs that a meter sees, W."""
    return sum(output.nominal_w for output in profile.outputs if output.meter == meter.name)


def beyond(meter: MeterProfile, profile: Profile, volts: float = 0.0) -> tuple[str, str]:
    """Say why a meter cannot see what is behind it, and what to do; two "" if it can.

    Args:
        meter: of the board.
        profile: the board.
        volts: at the meter, as measured; 0.0 if nobody has.
    """
    part, watts = PARTS.get(meter.driver), watts_behind(meter, profile)
    if part is None:
        return "", ""
    is_measured = volts > VOLTS_MIN
    at_v = volts if is_measured else part.volts_max
    behind = f"the outputs behind it draw {watts:g} W"
    end_a = end_a_of(meter)
    if watts > end_a * at_v:
        where = f"at {at_v:.1f} V" if is_measured else f"at any voltage up to {at_v:g} V"
        sees = "" if part.ohms else f" with {meter.shunt_ohms:g} ohm"
        text = f"{behind}, and the {part.name}{sees} sees {end_a:.3g} A, which is less {where}"
        said_v = volts if is_measured else USUAL_V
        return text, f"{_another(part, watts, said_v)}, or give the loads meters of their own"
    if meter.amps_max and watts > meter.amps_max * at_v:
        why = ", and the range is chosen by it" if part is INA219 else ""
        return (
            f"{behind}, and amps_max says that at most {meter.amps_max:g} A are expected{why}",
            "raise amps_max of the meter in the board profile",
        )
    return "", ""


def _another(part: Part, watts: float, volts: float) -> str:
    """Say what would see so many watts."""
    other = INA226 if part.ohms else part
    ohms = f"{other.shunt_v_max * volts / watts:.2g} ohm at {volts:.3g} V"
    if part.ohms:
        return f"take an INA226 with a shunt of at most {ohms}"
    return f"fit a shunt of at most {ohms}, and write its shunt_ohms"
