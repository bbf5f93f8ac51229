"""What is special to hwmon; what both kernel drivers keep is in test_kernel_meter.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.firmware.kernel_desk import KernelDesk

from rackgrid_firmware.device import Quality
from rackgrid_firmware.errors import DeviceFault, DeviceUnavailable


@pytest.fixture
def desk(tmp_path: Path) -> KernelDesk:
    made = KernelDesk(tmp_path, "hwmon", "ina226")
    made.feel(12.0, 2.0)
    return made


def test_hwmon_current_is_corrected_when_the_kernel_was_told_of_another_shunt(
    desk: KernelDesk,
) -> None:
    """The default of Linux's ina2xx is 10 mOhm; breakouts have 100."""
    sample = desk.open(shunt_ohms=0.1).sample()
    assert sample is not None
    assert sample.amps == pytest.approx(0.2)


def test_hwmon_saturation_follows_the_shunt_of_the_profile(desk: KernelDesk) -> None:
    desk.feel(12.0, 100.0)
    sample = desk.open(shunt_ohms=0.1).sample()
    assert sample is not None
    assert sample.quality is Quality.SATURATED


def test_hwmon_shunt_of_the_profile_without_the_kernels_is_a_fault(desk: KernelDesk) -> None:
    (desk.shown / "shunt_resistor").unlink()
    assert desk.open().sample() is not None
    with pytest.raises(DeviceFault, match=r"shows no shunt_resistor.*take shunt_ohms out"):
        desk.open(shunt_ohms=0.01).sample()


def test_hwmon_ina260_needs_no_shunt_to_know_its_end(desk: KernelDesk) -> None:
    (desk.shown / "shunt_resistor").unlink()
    desk.write("name", "ina260")
    desk.write("curr1_input", 40_900)
    sample = desk.open().sample()
    assert sample is not None
    assert sample.quality is Quality.SATURATED


def test_hwmon_without_a_current_makes_one_of_the_shunts_millivolts(desk: KernelDesk) -> None:
    (desk.shown / "curr1_input").unlink()
    desk.write("in0_input", 20)
    sample = desk.open().sample()
    assert sample is not None
    assert sample.amps == pytest.approx(2.0)
    (desk.shown / "shunt_resistor").unlink()
    with pytest.raises(DeviceFault, match="shows the shunt's voltage and not the shunt"):
        desk.open().sample()


@pytest.mark.parametrize("channel", [1, 2])
def test_hwmon_that_is_no_power_monitor_says_what_is_missing(
    desk: KernelDesk, channel: int
) -> None:
    (desk.shown / "curr1_input").unlink()
    with pytest.raises(DeviceUnavailable, match=f"'m': 1-0041 shows no curr{channel}_input"):
        desk.open(channel=channel).sample()


def test_hwmon_volts_that_are_missing_are_named(desk: KernelDesk) -> None:
    (desk.shown / "in1_input").unlink()
    with pytest.raises(DeviceUnavailable, match=r"no .*/in1_input: is the chip behind it"):
        desk.open().sample()
