"""What is special to iio; what both kernel drivers keep is in test_kernel_meter.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.firmware.kernel_desk import KernelDesk

from rackgrid_firmware.device import Quality
from rackgrid_firmware.errors import DeviceUnavailable


@pytest.fixture
def desk(tmp_path: Path) -> KernelDesk:
    made = KernelDesk(tmp_path, "iio", "ina219")
    made.feel(12.0, 2.0)
    return made


def test_iio_processed_values_are_taken_as_they_are(desk: KernelDesk) -> None:
    desk.write("in_voltage0_input", 30)
    desk.write("in_voltage1_input", 5100)
    sample = desk.open().sample()
    assert sample is not None
    assert (sample.volts, sample.amps) == (pytest.approx(5.1), pytest.approx(3.0))


@pytest.mark.parametrize(
    ("gain", "end_a"), [("1", 4.0), ("0.5", 8.0), ("0.125", 32.0), ("0", 32.0)]
)
def test_iio_saturation_follows_the_gain_of_the_ina219(
    desk: KernelDesk, gain: str, end_a: float
) -> None:
    desk.write("in_voltage0_hardwaregain", gain)
    driver = desk.open()
    for amps, quality in ((end_a * 0.99, Quality.FRESH), (end_a, Quality.SATURATED)):
        desk.write("in_voltage0_raw", round(amps * 0.01 / 10e-6))
        sample = driver.sample()
        assert sample is not None
        assert sample.quality is quality


@pytest.mark.parametrize("attribute", ["in_voltage0_scale", "in_voltage1_raw"])
def test_iio_attribute_that_is_missing_is_named(desk: KernelDesk, attribute: str) -> None:
    (desk.shown / attribute).unlink()
    with pytest.raises(DeviceUnavailable, match=f"no .*/{attribute}: is the chip behind it"):
        desk.open().sample()
