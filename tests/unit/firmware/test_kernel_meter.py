"""The contract of a meter driver, as far as it applies to one that the kernel reads; both keep it.

The files are made by the test from a register-true chip: that is the interface which there is.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from tests.unit.firmware.kernel_desk import OHMS, KernelDesk

from rackgrid_firmware.device import Quality
from rackgrid_firmware.errors import DeviceFault, DeviceUnavailable
from rackgrid_firmware.kernel_meter import PERIOD_NS, KernelMeter

KINDS = [
    ("hwmon", "ina219", 1, 32.0, 1e-3),
    ("hwmon", "ina226", 1, 8.192, 1e-3),
    ("hwmon", "ina3221", 2, 16.38, 4e-3),
    ("iio", "ina219", 1, 32.0, 8e-3),
    ("iio", "ina226", 1, 8.192, 0.25e-3),
]
"""Driver, chip, channel, full scale in A with 10 mOhm, and the step of a current."""


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[0]} {kind[1]}")
def kind(request: pytest.FixtureRequest) -> tuple[str, str, int, float, float]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def desk(tmp_path: Path, kind: tuple[str, str, int, float, float]) -> KernelDesk:
    driver, chip, channel, _, _ = kind
    return KernelDesk(tmp_path, driver, chip, channel)


@pytest.mark.parametrize("volts", [0.0, 3.304, 12.0, 24.0])
@pytest.mark.parametrize("share", [-0.97, -0.1, 0.0, 0.5, 0.97])
def test_sample_says_what_lies_at_the_inputs(
    desk: KernelDesk, kind: tuple[str, str, int, float, float], volts: float, share: float
) -> None:
    full_a, step = kind[3:]
    desk.feel(volts, share * full_a)
    sample = desk.open().sample()
    assert sample is not None
    assert sample.volts == pytest.approx(volts, abs=8e-3)
    assert sample.amps == pytest.approx(share * full_a, abs=1.1 * step)
    assert sample.quality is Quality.FRESH


@pytest.mark.parametrize("sign", [1, -1])
def test_sample_beyond_the_range_is_saturated(
    desk: KernelDesk, kind: tuple[str, str, int, float, float], sign: int
) -> None:
    desk.feel(12.0, sign * 1.5 * kind[3])
    sample = desk.open().sample()
    assert sample is not None
    assert sample.quality is Quality.SATURATED
    assert sample.amps == pytest.approx(sign * kind[3], rel=1e-3)


def test_sample_of_a_chip_that_is_none_of_ours_says_nothing_of_saturation(desk: KernelDesk) -> None:
    desk.write("name", "ltc2945")
    desk.feel(12.0, 1000.0)
    sample = desk.open().sample()
    assert sample is not None
    assert sample.quality is Quality.FRESH


def test_sample_is_calibrated_by_the_profile(desk: KernelDesk) -> None:
    desk.feel(12.0, 2.0)
    sample = desk.open(gain=1.1, offset_a=-0.02).sample()
    assert sample is not None
    assert sample.amps == pytest.approx(2.18, abs=0.01)


def test_sample_asks_the_kernel_anew_each_time(desk: KernelDesk) -> None:
    driver = desk.open()
    for amps in (1.0, 3.0, -2.0):
        desk.feel(12.0, amps)
        sample = driver.sample()
        assert sample is not None
        assert sample.amps == pytest.approx(amps, abs=0.01)


def test_chip_that_comes_late_goes_away_and_comes_back_under_another_number(
    desk: KernelDesk, kind: tuple[str, str, int, float, float]
) -> None:
    desk.feel(12.0, 1.0)
    moved = desk.devices.with_name("hidden")
    desk.device.rename(moved)
    driver = desk.open()
    with pytest.raises(DeviceUnavailable, match=r"no .*1-0041: .*dtoverlay"):
        driver.sample()
    moved.rename(desk.device)
    assert driver.sample() is not None
    shutil.rmtree(desk.device)
    driver._attributes.close()  # as after ENODEV, which no plain file gives
    with pytest.raises(DeviceUnavailable):
        driver.sample()
    desk.move("hwmon/hwmon7" if kind[0] == "hwmon" else "iio:device4")
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("text", ["", "-", "nan", "0x12", "inf"])
def test_attribute_that_is_no_number_is_a_fault_that_names_it(
    desk: KernelDesk, kind: tuple[str, str, int, float, float], text: str
) -> None:
    driver = desk.open()
    attribute = f"in{kind[2]}_input" if kind[0] == "hwmon" else "in_voltage1_raw"
    desk.write(attribute, text)
    with pytest.raises(DeviceFault, match=f"{attribute} says .*, which is no number"):
        driver.sample()
    desk.feel(12.0, 1.0)
    assert driver.sample() is not None


@pytest.mark.parametrize("code", [errno.EREMOTEIO, errno.ETIMEDOUT, errno.ENODEV, errno.ENODATA])
def test_kernel_that_cannot_read_the_chip_is_unavailable_with_its_number(
    desk: KernelDesk, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The sampler tells a hang by its errno, so it has to come through."""
    desk.feel(12.0, 1.0)
    driver = desk.open()
    assert driver.sample() is not None

    def fail(*_: object) -> bytes:
        raise OSError(code, "no")

    real = driver._attributes._pread
    monkeypatch.setattr(driver._attributes, "_pread", fail)
    for _ in range(3):
        with pytest.raises(DeviceUnavailable) as caught:
            driver.sample()
        assert caught.value.errno == code
    monkeypatch.setattr(driver._attributes, "_pread", real)
    assert driver.sample() is not None


def test_period_is_what_the_driver_says_and_bounded(
    desk: KernelDesk, kind: tuple[str, str, int, float, float]
) -> None:
    assert desk.open().period_ns == PERIOD_NS
    if kind[0] == "hwmon":
        desk.write("update_interval", 564)
        assert desk.open().period_ns == 564_000_000
        desk.write("update_interval", 2)
    else:
        desk.write("in_sampling_frequency", 5)
        assert desk.open().period_ns == 200_000_000
        desk.write("in_sampling_frequency", 0)
        assert desk.open().period_ns == PERIOD_NS
        desk.write("in_sampling_frequency", 900)
    assert desk.open().period_ns == 10_000_000


def test_meter_knows_no_resets(desk: KernelDesk) -> None:
    driver = desk.open()
    assert isinstance(driver, KernelMeter)
    assert (driver.name, driver.resets) == ("m", 0)


def test_path_may_be_the_directory_itself(desk: KernelDesk) -> None:
    desk.feel(12.0, 1.0)
    for path in (desk.shown, desk.device):
        sample = desk.open(path=str(path)).sample()
        assert sample is not None
        assert sample.amps == pytest.approx(10.0 * OHMS / OHMS / 10, abs=0.01)


class Wrong:
    """A kernel driver that shows a wrong current once."""

    def __init__(self, desk: KernelDesk, monkeypatch: pytest.MonkeyPatch, amps: float) -> None:
        self.driver = desk.open(limit_a=4.0)
        really, self.left, self.reads = self.driver._take, 0, 0  # pyright: ignore[reportPrivateUsage]

        def take() -> tuple[float, float, bool]:
            self.reads += 1
            self.left -= 1
            volts, true_a, is_saturated = really()
            return (volts, amps, is_saturated) if self.left == 0 else (volts, true_a, is_saturated)

        monkeypatch.setattr(self.driver, "_take", take)


@pytest.mark.parametrize("amps", [-30.0, -4.0, 4.0, 16.0])
def test_wrong_current_is_asked_again_before_it_is_believed(
    desk: KernelDesk, monkeypatch: pytest.MonkeyPatch, amps: float
) -> None:
    desk.feel(12.0, 0.5)
    wrong = Wrong(desk, monkeypatch, amps)
    for _ in range(5):
        wrong.driver.sample()
        wrong.left = 1
        sample = wrong.driver.sample()
        assert sample is not None
        assert sample.amps == pytest.approx(0.5, abs=0.01)
    wrong.reads = 0
    wrong.driver.sample()
    assert wrong.reads == 1, "what is near the last one is asked once"


def test_true_current_beyond_the_limit_is_said_at_once(desk: KernelDesk) -> None:
    desk.feel(12.0, 0.5)
    driver = desk.open(limit_a=4.0)
    driver.sample()
    desk.feel(12.0, 5.0)
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(5.0, abs=0.01)
