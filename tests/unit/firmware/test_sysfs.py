"""Fails if a kernel's attribute is sought in the wrong place, or its errors lose their sense."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rackgrid_firmware.errors import DeviceFault, DeviceForbidden, DeviceUnavailable
from rackgrid_firmware.sysfs import Attributes


@pytest.fixture
def device(tmp_path: Path) -> Path:
    shown = tmp_path / "1-0041" / "hwmon" / "hwmon5"
    shown.mkdir(parents=True)
    (tmp_path / "1-0041" / "name").write_text("ina226\n")
    (shown / "in1_input").write_text("12003\n")
    return tmp_path / "1-0041"


def attributes(path: Path | str, device: Path, **rest: object) -> Attributes:
    return Attributes(str(path), "hwmon/hwmon*", device.parent, **rest)  # type: ignore[arg-type]


def test_attribute_is_found_by_directory_by_device_and_by_name(device: Path) -> None:
    for path in (device / "hwmon" / "hwmon5", device, "1-0041"):
        assert attributes(path, device).number("in1_input") == 12003.0


def test_attribute_is_read_through_one_open_file(device: Path) -> None:
    opened: set[int] = set()

    def pread(file: int, size: int, offset: int) -> bytes:
        opened.add(file)
        return os.pread(file, size, offset)

    shows = attributes("1-0041", device, pread=pread)
    for value in ("1", "23", "-4"):
        (device / "hwmon" / "hwmon5" / "in1_input").write_text(f"{value}\n")
        assert shows.number("in1_input") == float(value)
    (file,) = opened
    shows.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)
    shows.close()


def test_attribute_that_is_there_is_known(device: Path) -> None:
    shows = attributes("1-0041", device)
    assert shows.has("in1_input")
    assert not shows.has("curr1_input")


def test_device_that_is_not_there_says_where_to_look(device: Path) -> None:
    with pytest.raises(DeviceUnavailable, match=r"no .*/1-0044: `ls .*` shows what there is"):
        attributes("1-0044", device).text("in1_input")


def test_device_without_such_a_driver_says_what_to_do(device: Path) -> None:
    shows = Attributes("1-0041", "iio:device*", device.parent)
    with pytest.raises(
        DeviceUnavailable, match=r"no iio:device\* below .*1-0041: no kernel driver"
    ):
        shows.has("in_voltage0_raw")


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (errno.EACCES, DeviceForbidden, "no permission to read .*in1_input"),
        (errno.ENODATA, DeviceUnavailable, "the channel is switched off"),
        (errno.ENODEV, DeviceUnavailable, "in1_input went away"),
        (errno.ETIMEDOUT, DeviceUnavailable, r"cannot read the chip behind .*in1_input \(slow\)"),
    ],
)
def test_error_of_the_kernel_keeps_its_number_and_gets_a_sentence(
    device: Path, code: int, kind: type[OSError], said: str
) -> None:
    def pread(*_: int) -> bytes:
        raise OSError(code, "slow")

    with pytest.raises(kind, match=said) as caught:
        attributes("1-0041", device, pread=pread).number("in1_input")
    assert caught.value.errno == code


def test_driver_that_was_unbound_is_looked_for_again_where_it_is_now(device: Path) -> None:
    gone = [True]

    def pread(file: int, size: int, offset: int) -> bytes:
        if gone:
            raise OSError(gone.pop() and errno.ENODEV, "gone")
        return os.pread(file, size, offset)

    shows = attributes("1-0041", device, pread=pread)
    with pytest.raises(DeviceUnavailable):
        shows.text("in1_input")
    (device / "hwmon" / "hwmon5").rename(device / "hwmon" / "hwmon9")
    assert shows.text("in1_input") == "12003"


@pytest.mark.parametrize("text", ["", "12 V", "nan"])
def test_number_that_is_none_is_a_fault(device: Path, text: str) -> None:
    (device / "hwmon" / "hwmon5" / "in1_input").write_text(text)
    with pytest.raises(DeviceFault, match=r"in1_input says .* which is no number"):
        attributes("1-0041", device).number("in1_input")
