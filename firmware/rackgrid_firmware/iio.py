"""`driver = "iio"`: a meter as Linux's ina2xx-adc shows it.

in_voltage0 is the shunt's voltage and in_voltage1 the bus's, each as raw number and scale
(raw · scale is mV), or as in_voltage0_input, already in mV. Amperes are made of the shunt's voltage
and the profile's shunt, as everywhere here: the driver's own current depends on a calibration that
a brown-out sets to zero.

Sources: Linux Documentation/ABI/testing/sysfs-bus-iio (in_voltageY_raw, _scale, _input: mV;
in_sampling_frequency: Hz; hardwaregain), drivers/iio/adc/ina2xx-adc.c (channel 0 shunt, 1 bus; the
INA219's gain 1 is 40 mV).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rackgrid_firmware.kernel_meter import KernelMeter
from rackgrid_firmware.part import INA219
from rackgrid_firmware.profile import MeterProfile
from rackgrid_firmware.sysfs import I2C_DEVICES, Attributes

_SHUNT: Final = "in_voltage0"
_BUS: Final = "in_voltage1"
_GAIN_1_V: Final = 0.040
_NEARLY: Final = 0.9999
"""Full scale is a few microvolts below the round number."""


class IioMeter(KernelMeter):
    """One iio device.

    Args:
        profile: of the meter.
        devices: where the I2C devices are.
        limit_a: the lowest current that trips an output behind it, A; 0 for none.
    """

    def __init__(
        self, profile: MeterProfile, devices: Path = I2C_DEVICES, limit_a: float = 0.0
    ) -> None:
        self._end_v = float("inf")
        super().__init__(profile, Attributes(profile.path, "iio:device*", devices), limit_a)

    def _learn(self) -> float:
        shows = self._attributes
        self._shunt, self._shunt_v = self._source(_SHUNT)
        self._bus, self._bus_v = self._source(_BUS)
        part = self._part()
        self._end_v = float("inf") if part is None else part.shunt_v_max * _NEARLY
        if part is INA219 and shows.has(f"{_SHUNT}_hardwaregain"):
            # At least an eighth, which is its least: a gain of 0 would be nonsense.
            gain = max(0.125, shows.number(f"{_SHUNT}_hardwaregain"))
            self._end_v = _GAIN_1_V / gain * _NEARLY
        if shows.has("in_sampling_frequency"):
            hertz = shows.number("in_sampling_frequency")
            return 1 / hertz if hertz > 0 else 0.0
        return 0.0

    def _source(self, channel: str) -> tuple[str, float]:
        """Say which attribute to read, and what its unit is, V."""
        if self._attributes.has(f"{channel}_input"):
            return f"{channel}_input", 1e-3
        return f"{channel}_raw", self._attributes.number(f"{channel}_scale") * 1e-3

    def _take(self) -> tuple[float, float, bool]:
        volts = self._attributes.number(self._bus) * self._bus_v
        shunt_v = self._attributes.number(self._shunt) * self._shunt_v
        return volts, shunt_v / self._profile.shunt_ohms, abs(shunt_v) >= self._end_v
