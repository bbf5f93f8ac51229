"""`driver = "hwmon"`: a meter as Linux's ina2xx, ina3221 and their like show it.

Volts are in1_input (in2, in3 for the further channels of an INA3221), amperes curr1_input. A driver
without curr1_input shows the shunt's voltage as in0_input, in whole millivolts: coarse, but better
than nothing. Amperes are the kernel's, from the shunt that *it* was told of (device tree, or
shunt_resistor); if the profile says another one, they are corrected by the ratio.

The milliamperes end where the shunt converter ends; which current that is follows from the chip's
name and the shunt. It is taken one per cent early, because the kernel's calibration register is
rounded: saturated is then said too soon, and never too late. Of a chip that is not one of ours it
is not known, and not said.

Sources: Linux Documentation/hwmon/sysfs-interface.rst (in*_input mV, curr*_input mA,
update_interval ms), ina2xx.rst (in0 shunt, in1 bus, shunt_resistor µOhm), ina3221.rst (in1 to in3
bus, shunt1_resistor to shunt3_resistor µOhm, in1_enable).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rackgrid_firmware.errors import DeviceFault, DeviceUnavailable
from rackgrid_firmware.kernel_meter import KernelMeter
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.sysfs import I2C_DEVICES, Attributes

_NEARLY: Final = 0.99


class HwmonMeter(KernelMeter):
    """One channel of a hwmon device.

    Args:
        profile: of the meter.
        devices: where the I2C devices are.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.
    """

    def __init__(
        self, profile: MeterProfile, devices: Path = I2C_DEVICES, limit_a: float = 0.0
    ) -> None:
        self._volts = f"in{profile.channel}_input"
        self._amps = f"curr{profile.channel}_input"
        self._per_unit = 0.0
        self._end_a = float("inf")
        super().__init__(profile, Attributes(profile.path, "hwmon/hwmon*", devices), limit_a)

    def _learn(self) -> float:
        shows, profile = self._attributes, self._profile
        kernel_ohms = self._kernel_ohms()
        if shows.has(f"curr{profile.channel}_input"):
            self._amps = f"curr{profile.channel}_input"
            self._per_unit = 1e-3
            if profile.shunt_ohms:
                if not kernel_ohms:
                    raise DeviceFault(
                        f"meter {profile.name!r}: its kernel driver shows no shunt_resistor, so "
                        "shunt_ohms of the profile cannot correct it: take shunt_ohms out"
                    )
                self._per_unit *= kernel_ohms / profile.shunt_ohms
        elif profile.channel == 1 and shows.has("in0_input"):
            ohms = profile.shunt_ohms or kernel_ohms
            if not ohms:
                raise DeviceFault(
                    f"meter {profile.name!r}: its kernel driver shows the shunt's voltage and not "
                    "the shunt: write shunt_ohms"
                )
            self._amps = "in0_input"
            self._per_unit = 1e-3 / ohms
        else:
            raise DeviceUnavailable(
                f"meter {profile.name!r}: {profile.path} shows no curr{profile.channel}_input: is "
                "the chip there a power monitor, and the channel right?"
            )
        part = self._part()
        ohms = profile.shunt_ohms or kernel_ohms or (part.ohms if part is not None else 0.0)
        self._end_a = part.shunt_v_max / ohms * _NEARLY if part and ohms else float("inf")
        return shows.number("update_interval") / 1e3 if shows.has("update_interval") else 0.0

    def _kernel_ohms(self) -> float:
        """Say which shunt the kernel was told of, ohm; 0.0 if it does not show it."""
        for name in (f"shunt{self._profile.channel}_resistor", "shunt_resistor"):
            if self._attributes.has(name):
                return self._attributes.number(name) * 1e-6
        return 0.0

    def _take(self) -> tuple[float, float, bool]:
        volts = self._attributes.number(self._volts) * 1e-3
        amps = self._attributes.number(self._amps) * self._per_unit
        return volts, amps, abs(amps) >= self._end_a
