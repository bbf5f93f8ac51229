"""Fails if a pin that somebody holds is told as free, or as another one's.

The kernel's answer is laid out here by hand, from gpio.h; `tests/vpi` asks a real gpiochip.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from rackgrid_firmware.errors import DeviceForbidden, DeviceUnavailable
from rackgrid_firmware.pin_holder import KERNEL, holders


class Kernel:
    """A gpiochip's line information."""

    def __init__(self, **held: tuple[int, bytes]) -> None:
        self.held = {int(name[1:]): value for name, value in held.items()}
        self.error: OSError | None = None

    def ioctl(self, fd: int, request: int, argument: bytearray) -> int:
        assert fd > 2
        assert request == (3 << 30 | len(argument) << 16 | 0xB4 << 8 | 5)
        if self.error is not None:
            raise self.error
        (offset,) = struct.unpack_from("=I", argument, 64)
        flags, consumer = self.held.get(offset, (0, b""))
        argument[:32] = f"GPIO{offset}".encode().ljust(32, b"\0")
        argument[32:64] = consumer.ljust(32, b"\0")
        struct.pack_into("=IQ", argument, 68, 0, flags)
        return 0


@pytest.fixture
def chip(tmp_path: Path) -> str:
    path = tmp_path / "gpiochip0"
    path.write_bytes(b"")
    return str(path)


def test_pins_that_are_in_use_are_told_with_their_holder(chip: str) -> None:
    kernel = Kernel(g17=(1 | 1 << 3, b"lg"), g22=(1 << 2, b""), g27=(1, b""), g5=(0, b"old"))
    assert holders(chip, (4, 5, 17, 22, 27), kernel.ioctl) == {17: "lg", 27: KERNEL}


def test_consumers_of_strange_names_are_told_all_the_same(chip: str) -> None:
    kernel = Kernel(g17=(1, b"\xff" * 32))
    assert holders(chip, (17,), kernel.ioctl)[17]


def test_chip_that_cannot_be_asked_is_an_error_and_no_free_pin(chip: str, tmp_path: Path) -> None:
    kernel = Kernel()
    with pytest.raises(DeviceUnavailable, match="No such file"):
        holders(str(tmp_path / "none"), (17,), kernel.ioctl)
    kernel.error = OSError(22, "Invalid argument")
    with pytest.raises(DeviceUnavailable, match="Invalid argument"):
        holders(chip, (17,), kernel.ioctl)
    kernel.error = PermissionError(13, "Permission denied")
    with pytest.raises(DeviceForbidden, match="run as root"):
        holders(chip, (17,), kernel.ioctl)


def test_file_that_is_no_gpiochip_is_an_error(chip: str) -> None:
    with pytest.raises(DeviceUnavailable):
        holders(chip, (17,))
