"""What is special to the second driver, and the package as an oracle of the first.

The contract that both drivers keep is tested in test_ina219.py, for both.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware import registers
from rackgrid_firmware.chip import open_chip
from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.pi_ina219 import PiIna219
from rackgrid_firmware.profile import MeterMock, MeterProfile

PROFILE = MeterProfile("feed", "pi-ina219", 1, 0x40, 0.1, 0.0, "fast", 1.0, 0.0, MeterMock())


class Bench:
    """One chip with both drivers' view of it."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000
        self.chip = Ina219Chip(self.now_ns, noise=0.0)
        port = ChipPort({0x40: self.chip}, lambda: self.now_ns)
        self.bus = Bus(1, lambda number: MockSMBus(port))

    def open(self, profile: MeterProfile) -> PiIna219:
        return PiIna219(self.bus, profile, lambda: self.now_ns)


def test_driver_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ina219", None)
    with pytest.raises(DeviceUnavailable, match=r"pip install 'rackgrid\[pi-ina219\]'.*or use"):
        open_chip(PROFILE, Bench().bus)


def test_meters_of_our_driver_import_neither_the_package_nor_smbus2() -> None:
    """Fails if a node without the extra could not start, or if a mock board paid for a real bus."""
    heavy = "{'ina219', 'smbus2', 'rackgrid_firmware.pi_ina219', 'asyncio'}"
    code = f"import sys, rackgrid_firmware.board; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.oracle
def test_driver_leaves_the_package_and_the_logging_of_the_process_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its constructor calls logging.basicConfig where the root logger has no handler yet."""
    package: Any = pytest.importorskip("ina219", reason="no pi-ina219 extra")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    factory = package.I2C.get_i2c_device
    Bench().open(PROFILE)
    assert package.I2C.get_i2c_device is factory
    assert logging.getLogger().handlers == []


@pytest.mark.oracle
def test_driver_leaves_the_package_as_it_was_when_its_constructor_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package: Any = pytest.importorskip("ina219", reason="no pi-ina219 extra")
    factory, handlers = package.I2C.get_i2c_device, list(logging.getLogger().handlers)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(package, "INA219", fail)
    with pytest.raises(RuntimeError, match="no"):
        Bench().open(PROFILE)
    assert package.I2C.get_i2c_device is factory
    assert logging.getLogger().handlers == handlers


@pytest.mark.oracle
@settings(max_examples=60, deadline=None)
@given(
    volts=st.floats(0, 26),
    shunt_mv=st.floats(-319, 319),
    ohms=st.sampled_from([0.01, 0.1, 0.05, 0.002]),
)
def test_volts_and_amps_agree_with_the_package_within_one_lsb(
    volts: float, shunt_mv: float, ohms: float
) -> None:
    """The oracle: same registers, and an implementation that shares nothing with ours."""
    pytest.importorskip("ina219", reason="no pi-ina219 extra")
    bench = Bench()
    bench.chip.feel(bench.now_ns, shunt_mv * 1e-3, volts)
    oracle = bench.open(replace(PROFILE, shunt_ohms=ohms))
    assert oracle.sample() is None  # configures, calibration included
    bench.now_ns += 3 * oracle.period_ns
    ours = open_chip(
        replace(PROFILE, driver="ina219", shunt_ohms=ohms), bench.bus, lambda: bench.now_ns
    )
    ours.sample()
    bench.now_ns += 3 * ours.period_ns
    sample, library = ours.sample(), cast("Any", oracle._library)
    assert sample is not None
    amps_lsb = registers.SHUNT_V_PER_LSB / ohms
    assert sample.volts == pytest.approx(library.voltage(), abs=registers.BUS_V_PER_LSB)
    assert sample.amps == pytest.approx(library.shunt_voltage() / 1e3 / ohms, abs=amps_lsb)
    # Its current() goes through the calibration register, which is cut to 15 bits: 0.05 % at most.
    # (`approx` takes the larger of its tolerances; both errors can come together.)
    assert sample.amps == pytest.approx(
        library.current() / 1e3, abs=amps_lsb + 5e-4 * abs(sample.amps)
    )
    watts = sample.volts * sample.amps
    power_lsb_w = 20 * 0.32 / ohms / 32768
    assert abs(watts) == pytest.approx(
        library.power() / 1e3, abs=2 * power_lsb_w + 1e-3 * abs(watts)
    )
    bench.now_ns += 3 * oracle.period_ns  # power() has cleared CNVR
    again = oracle.sample()
    assert again is not None
    assert (again.volts, again.amps) == (pytest.approx(sample.volts), pytest.approx(sample.amps))
