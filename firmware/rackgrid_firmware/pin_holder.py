"""Who holds a pin, as the kernel says, without taking it.

Asked of the gpiochip itself: it needs no lgpio, which may be what is missing, and leaves nothing
behind, as lgpio's pipe does.

Source: Linux include/uapi/linux/gpio.h (gpio_v2_line_info, GPIO_V2_GET_LINEINFO_IOCTL), and
drivers/gpio/gpiolib-cdev.c, gpio_desc_to_lineinfo (in use also: what the kernel has muxed away).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterable
from typing import Final

from rackgrid_firmware.errors import DeviceForbidden, DeviceUnavailable

LINE_INFO: Final = 0xC100B405
"""_IOWR(0xB4, 5, struct gpio_v2_line_info)."""
INFO_BYTES: Final = 256
OFFSET_AT: Final = 64
FLAGS_AT: Final = 72
USED: Final = 1
KERNEL: Final = "the kernel"
"""Has a pin that nobody gave a name to: a bus, or another function of it."""

Ioctl = Callable[[int, int, bytearray], int]


def holders(path: str, gpios: Iterable[int], ioctl: Ioctl = fcntl.ioctl) -> dict[int, str]:
    """Say of each pin that somebody holds who that is, as they called themselves.

    Args:
        path: of the gpiochip.
        gpios: BCM numbers.
        ioctl: asks the kernel.

    Raises:
        DeviceUnavailable: there is no such chip, or it has no such pin.
        DeviceForbidden: it is not ours to look at.
    """
    try:
        chip = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            told = {gpio: _holder(chip, gpio, ioctl) for gpio in gpios}
        finally:
            os.close(chip)
    except OSError as fault:
        if fault.errno in (errno.EACCES, errno.EPERM):
            raise DeviceForbidden(f"{path} is not for this user to look at: run as root") from fault
        raise DeviceUnavailable(f"{path} cannot be looked at: {fault.strerror}") from fault
    return {gpio: who for gpio, who in told.items() if who}


def _holder(chip: int, gpio: int, ioctl: Ioctl) -> str:
    info = bytearray(INFO_BYTES)
    struct.pack_into("=I", info, OFFSET_AT, gpio)
    ioctl(chip, LINE_INFO, info)
    (flags,) = struct.unpack_from("=Q", info, FLAGS_AT)
    if not flags & USED:
        return ""
    consumer = bytes(info[32:64]).split(b"\0", 1)[0].decode("utf-8", "replace")
    return consumer or KERNEL
