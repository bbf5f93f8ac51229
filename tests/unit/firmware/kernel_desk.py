"""A directory that a kernel driver would show, fed from a register-true chip.

The files are what Linux's ina2xx, ina3221 and ina2xx-adc write: whole millivolts and milliamperes,
or raw numbers with a scale. A test moves the chip's clock and lets the kernel `show`.
"""

from __future__ import annotations

import weakref
from pathlib import Path

from rackgrid_firmware.hwmon import HwmonMeter
from rackgrid_firmware.iio import IioMeter
from rackgrid_firmware.kernel_meter import KernelMeter
from rackgrid_firmware.mock.shelf import make_chip
from rackgrid_firmware.profile import MeterMock, MeterProfile

OHMS = 0.01
_LSB = {"ina219": (10e-6, 4e-3, 3), "ina226": (2.5e-6, 1.25e-3, 0), "ina3221": (40e-6, 8e-3, 3)}
"""Shunt V, bus V, and how far the bus register is shifted."""


class KernelDesk:
    """One chip, its kernel driver, and the directory."""

    def __init__(self, folder: Path, driver: str, name: str, channel: int = 1) -> None:
        self.driver = driver
        self.name = name
        self.channel = channel
        self.devices = folder / "devices"
        self.device = self.devices / "1-0041"
        self.now_ns = 0
        self.chip = make_chip(name, 0, noise=0.0)
        self.move("hwmon/hwmon3" if driver == "hwmon" else "iio:device0")

    def move(self, below: str) -> None:
        """Bind the driver: its directory is there from now on."""
        self.shown = self.device / below
        self.shown.mkdir(parents=True)
        (self.device / "name").write_text(f"{self.name}\n")
        self.write("name", self.name)
        if self.driver == "hwmon":
            shunt = f"shunt{self.channel}" if self.name == "ina3221" else "shunt"
            self.write(f"{shunt}_resistor", round(OHMS * 1e6))
        self.show()

    def write(self, attribute: str, value: object) -> None:
        (self.shown / attribute).write_text(f"{value}\n")

    def feel(self, volts: float, amps: float) -> None:
        """Put a load behind the chip, and let it convert."""
        self.chip.feel(self.now_ns, amps * OHMS, volts, self.channel)
        self.now_ns += 50_000_000
        self.show()

    def show(self) -> None:
        """Let the kernel read the chip and show what it says."""
        shunt_lsb, bus_lsb, shift = _LSB[self.name]
        shunt_register = 2 * self.channel - 1 if self.name == "ina3221" else 1
        word = self.chip.read(self.now_ns, shunt_register)
        shunt = word - 0x10000 if word & 0x8000 else word
        bus = self.chip.read(self.now_ns, shunt_register + 1) >> shift
        if self.name == "ina3221":
            shunt >>= 3
        if self.driver == "hwmon":
            self.write(f"in{self.channel}_input", round(bus * bus_lsb * 1e3))
            self.write(f"curr{self.channel}_input", round(shunt * shunt_lsb / OHMS * 1e3))
        else:
            self.write("in_voltage0_raw", shunt)
            self.write("in_voltage0_scale", f"{shunt_lsb * 1e3:.9f}")
            self.write("in_voltage1_raw", bus)
            self.write("in_voltage1_scale", f"{bus_lsb * 1e3:.9f}")

    def profile(self, **changes: object) -> MeterProfile:
        ohms = 0.0 if self.driver == "hwmon" else OHMS
        values: dict[str, object] = {
            "name": "m",
            "driver": self.driver,
            "bus": 0,
            "address": 0,
            "shunt_ohms": ohms,
            "amps_max": 0.0,
            "profile": "energy",
            "gain": 1.0,
            "offset_a": 0.0,
            "mock": MeterMock(),
            "channel": self.channel,
            "path": "1-0041",
        }
        return MeterProfile(**{**values, **changes})  # type: ignore[arg-type]

    def open(self, limit_a: float = 0.0, **changes: object) -> KernelMeter:
        kind = HwmonMeter if self.driver == "hwmon" else IioMeter
        meter = kind(self.profile(**changes), self.devices, limit_a)
        # A firmware has its meters for as long as it lives; hundreds of tests have not.
        weakref.finalize(meter, meter._attributes.close)
        return meter
