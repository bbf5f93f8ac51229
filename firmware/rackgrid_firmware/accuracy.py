"""How far each meter may be believed, from its datasheet or from its calibration. Pure.

A meter that was never calibrated is as good as the limits of its datasheet and the tolerance of its
shunt. Such a limit is a bound within which nothing is known, so its standard uncertainty is a/√3,
and a step of the converter is one of ±half a step; independent contributions add as squares, and
k = 2 of the sum are stated (`device.Accuracy`). The datasheet's *maximum* is taken, not its typical
value: a rack bills its members by this.

On a soft feed a pulsing current finds less voltage than the mean: down to what the feed's
resistance takes at the greatest current. A chip that samples the two apart does not see by how
much, so that counts as a bound of the voltage (`covariance` has the cause, and the cure for
energy; it stays in the statement, for power is not cured, nor are pulses too short to be seen).

A calibration takes the place of gain, shunt and offset, not of what changes afterwards: the chip's
drift with 25 °C of warming comes on top of what the calibration says of itself. The voltage is not
calibrated. What the shunt's own warming adds is not known here; the user's page tells of it.

Which chip a kernel driver has, the profile does not say, so nothing is stated of its current until
it is calibrated. Then the calibration's own word counts, and for what it does not cover (drift, the
voltage, and steps: sysfs writes whole mA and mV) the worst of the chips that are known.

Sources: JCGM 100:2008 (GUM), 4.3.7 (a/√3), F.2.2.1 (steps), 5.1.2, 6.2.1. INA219: SBOS448G, 7.5,
A grade, which is what breakouts carry and the worse one. INA226: SBOS547B, 5.5. INA260: SBOS656C,
7.5; its drift is the shunt's 10 ppm/°C with the INA226's converter. INA3221: SBOS576A, p. 3. Linux
Documentation/hwmon/sysfs-interface.rst (mV, mA).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from rackgrid_firmware.device import Accuracy
from rackgrid_firmware.part import PARTS
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.registers import (
    BUS_V_PER_LSB,
    RANGE_NAMES,
    SHUNT_V_PER_LSB,
    Range,
    configuration_for,
    range_for,
)

COVERAGE: Final = 2.0
"""k: times the standard uncertainty is what is stated, some 95 % of cases."""
WARMING_C: Final = 25.0
"""So far from the temperature of its calibration may a chip get: a closed rack in summer."""
_BOUND: Final = 1 / math.sqrt(3)
"""Standard uncertainty of a value known to lie within ±1."""
_STEP: Final = 1 / math.sqrt(12)
"""Standard uncertainty of a value rounded to 1."""


@dataclass(frozen=True, slots=True)
class ChipLimits:
    """The limits of a datasheet, each a maximum.

    Attributes:
        gain: of the current, a fraction, over temperature, without the shunt (unless it is inside).
        offset: V at the shunt, or A if the shunt is inside; over temperature.
        step: one step of the register, V at the shunt, or A if the shunt is inside.
        gain_drift, offset_drift: what a calibration leaves open: what `WARMING_C` does, at least.
        volts_gain, volts_offset_v, volts_step_v: of the bus voltage.
        has_shunt: whether the shunt is part of the chip.
    """

    gain: float
    offset: float
    step: float
    gain_drift: float
    offset_drift: float
    volts_gain: float
    volts_offset_v: float
    volts_step_v: float
    has_shunt: bool = False


_INA219_OFFSET_V: Final = {
    Range.MV_40: 100e-6,
    Range.MV_80: 125e-6,
    Range.MV_160: 150e-6,
    Range.MV_320: 200e-6,
}
_LIMITS: Final = {
    "ina226": ChipLimits(
        gain=0.001 + WARMING_C * 50e-6,
        offset=10e-6 + WARMING_C * 0.1e-6,
        step=2.5e-6,
        gain_drift=WARMING_C * 50e-6,
        offset_drift=WARMING_C * 0.1e-6,
        volts_gain=0.001 + WARMING_C * 50e-6,
        volts_offset_v=7.5e-3 + WARMING_C * 40e-6,
        volts_step_v=1.25e-3,
    ),
    "ina260": ChipLimits(
        gain=0.0015 + WARMING_C * 60e-6,
        offset=5e-3 + WARMING_C * 50e-6,
        step=1.25e-3,
        gain_drift=WARMING_C * 60e-6,
        offset_drift=WARMING_C * 50e-6,
        volts_gain=0.001 + WARMING_C * 50e-6,
        volts_offset_v=7.5e-3 + WARMING_C * 40e-6,
        volts_step_v=1.25e-3,
        has_shunt=True,
    ),
    "ina3221": ChipLimits(
        gain=0.0025 + WARMING_C * 50e-6,
        offset=80e-6 + WARMING_C * 0.5e-6,
        step=40e-6,
        gain_drift=WARMING_C * 50e-6,
        offset_drift=WARMING_C * 0.5e-6,
        volts_gain=0.0025 + WARMING_C * 50e-6,
        volts_offset_v=16e-3 + WARMING_C * 80e-6,
        volts_step_v=8e-3,
    ),
}


_UNKNOWN_DRIFT_V: Final = WARMING_C * 0.5e-6
"""Of an INA3221's offset, the worst that is known, V at the shunt."""
_UNKNOWN_DRIFT_A: Final = WARMING_C * 50e-6
"""The same of a shunt that is not known: an INA260's, A."""
_SYSFS: Final = 1e-3
"""hwmon writes whole mA and mV, be the chip as fine as it may."""


def limits_of(profile: MeterProfile) -> ChipLimits | None:
    """Look up the limits of a meter's chip; None if nobody knows them."""
    if profile.driver in {"ina219", "pi-ina219"}:
        return _ina219(profile)
    return _LIMITS.get(profile.driver)


def step_a_of(profile: MeterProfile) -> float:
    """Say what one step of a meter's current is, A."""
    limits = limits_of(profile)
    if limits is None:
        return SHUNT_V_PER_LSB / profile.shunt_ohms if profile.driver == "iio" else _SYSFS
    return limits.step if limits.has_shunt else limits.step / profile.shunt_ohms


def dip_v_of(profile: MeterProfile) -> float:
    """Say by how much less than the mean voltage a current may find at most, V; 0 if unknown.

    With currents between 0 and I_max the covariance of V and I is at most R·I·(I_max - I) (Bhatia
    and Davis 2000, "A better bound on the variance"), so by current at most R·I_max.
    """
    part = PARTS.get(profile.driver)
    if part is None or not profile.feed_ohms:
        return 0.0
    end_a = part.amps_max or part.shunt_v_max / profile.shunt_ohms
    return profile.feed_ohms * (profile.amps_max or end_a)


def accuracy_of(profile: MeterProfile) -> Accuracy | None:
    """Say how far a meter may be believed.

    Returns:
        None for a chip that nobody knows the limits of, and that was not calibrated.
    """
    limits = limits_of(profile)
    if limits is None:
        if not profile.calibrated:
            return None
        limits = _of_kernel(profile)
    ohms = 1.0 if limits.has_shunt else profile.shunt_ohms
    if profile.calibrated:
        gain = math.hypot(profile.uncertainty_percent / 100, COVERAGE * _BOUND * limits.gain_drift)
        offset_a = math.hypot(profile.uncertainty_a, COVERAGE * _BOUND * limits.offset_drift / ohms)
    else:
        shunt = 0.0 if limits.has_shunt else profile.shunt_tolerance_percent / 100
        gain = COVERAGE * _BOUND * math.hypot(limits.gain, shunt)
        offset_a = COVERAGE * math.hypot(_BOUND * limits.offset, _STEP * limits.step) / ohms
    return Accuracy(
        amps_gain=gain,
        amps_offset_a=offset_a,
        volts_gain=COVERAGE * _BOUND * limits.volts_gain,
        volts_offset_v=COVERAGE
        * math.hypot(
            _BOUND * limits.volts_offset_v, _STEP * limits.volts_step_v, _BOUND * dip_v_of(profile)
        ),
        calibrated=profile.calibrated,
    )


def _of_kernel(profile: MeterProfile) -> ChipLimits:
    """Give the worst that is known, for what a calibration of a kernel driver's meter leaves open.

    Gain and offset are not used once it is calibrated: the voltage and the drifts are.
    """
    knows_shunt = profile.shunt_ohms > 0
    return ChipLimits(
        gain=0.01,
        offset=max(_INA219_OFFSET_V.values()) if knows_shunt else _LIMITS["ina260"].offset,
        step=step_a_of(profile) * (profile.shunt_ohms or 1.0),
        gain_drift=max(0.005 * WARMING_C / 60, *(each.gain_drift for each in _LIMITS.values())),
        offset_drift=_UNKNOWN_DRIFT_V if knows_shunt else _UNKNOWN_DRIFT_A,
        volts_gain=0.01,
        volts_offset_v=max(each.volts_offset_v for each in _LIMITS.values()),
        volts_step_v=max(_SYSFS, *(each.volts_step_v for each in _LIMITS.values())),
        has_shunt=not knows_shunt,
    )


def _ina219(profile: MeterProfile) -> ChipLimits:
    """Its offset depends on the range, and so do the steps of a single sample of 12 or 9 bits.

    Without `amps_max` or a `shunt_range` the range follows the current, and a calibration has found
    one offset of four: then it vouches for the gain, and the datasheet for the offset.
    """
    if profile.shunt_range:
        shunt_range = RANGE_NAMES.get(profile.shunt_range)
    else:
        shunt_range = range_for(profile.amps_max, profile.shunt_ohms)
    if shunt_range is None:  # automatic, or no driver opens such a meter: on the safe side
        shunt_range = Range.MV_320
    is_settled = profile.shunt_range in RANGE_NAMES or (
        profile.amps_max and not profile.shunt_range
    )
    adc = configuration_for(
        profile.profile, shunt_range, shunt_adc=profile.shunt_adc, bus_adc=profile.bus_adc
    )
    shunt_steps = (1 << shunt_range << 12 - adc.shunt_adc.bits) / adc.shunt_adc.samples
    bus_steps = (1 << 12 - adc.bus_adc.bits) / adc.bus_adc.samples
    drift_v = WARMING_C * 0.1e-6
    offset_v = _INA219_OFFSET_V[shunt_range] + drift_v
    return ChipLimits(
        gain=0.01,  # 0.5 % at 25 °C, 1 % from -25 to 85 °C
        offset=offset_v,
        step=SHUNT_V_PER_LSB * max(1.0, shunt_steps),
        gain_drift=0.005 * WARMING_C / 60,
        offset_drift=drift_v if is_settled else offset_v,
        volts_gain=0.01,
        volts_offset_v=0.0,
        volts_step_v=BUS_V_PER_LSB * max(1.0, bus_steps),
    )
