"""What a kernel driver shows of a chip in sysfs: found by a name that lasts, kept open, read again.

The N of hwmonN and iio:deviceN changes from boot to boot, so a path may also name the I2C device,
as "1-0041", and what the driver shows is looked for below it. Files are opened once; a `pread` from
their beginning makes the kernel ask the chip anew, for a twentieth of what opening them costs.

A driver that is unbound, or a chip that is unplugged, takes its files along (ENODEV); they are let
go of then, and looked for again by the next reading.

Sources: Linux Documentation/filesystems/sysfs.rst ("reading attribute data": the method runs again
when one seeks back to zero), Documentation/i2c/i2c-sysfs.rst (names of I2C devices).
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rackgrid_firmware.errors import (
    DeviceError,
    DeviceFault,
    DeviceForbidden,
    DeviceUnavailable,
)

I2C_DEVICES: Final = Path("/sys/bus/i2c/devices")
_LONGEST: Final = 64
"""An attribute is one number and a newline."""
_GONE: Final = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ESTALE})


class Attributes:
    """The attributes of one device. Used by one thread.

    Args:
        path: of its directory, or an I2C device such as "1-0041".
        below: where the directory is below an I2C device: "hwmon/hwmon*" or "iio:device*".
        devices: where the I2C devices are.
        pread: reads a file from a place.
    """

    def __init__(
        self,
        path: str,
        below: str,
        devices: Path = I2C_DEVICES,
        pread: Callable[[int, int, int], bytes] = os.pread,
    ) -> None:
        self._start = Path(path) if path.startswith("/") else devices / path
        self._below = below
        self._pread = pread
        self._folder: Path | None = None
        self._files: dict[str, int] = {}

    def has(self, name: str) -> bool:
        """Whether there is such an attribute.

        Raises:
            DeviceUnavailable: there is no such device, or no driver has it.
        """
        return (self._find() / name).exists()

    def text(self, name: str) -> str:
        """Read an attribute.

        Raises:
            DeviceUnavailable: it is not there, or the chip does not answer.
            DeviceForbidden: it is not ours to read.
        """
        try:
            file = self._files.get(name)
            if file is None:
                file = os.open(self._find() / name, os.O_RDONLY | os.O_CLOEXEC)
                self._files[name] = file
            return self._pread(file, _LONGEST, 0).decode("ascii", "replace").strip()
        except OSError as fault:
            if isinstance(fault, DeviceError):
                raise
            error = self._error(name, fault)
            if fault.errno in _GONE:
                self.close()
            raise error from fault

    def number(self, name: str) -> float:
        """Read an attribute that is a number.

        Raises:
            DeviceFault: it is none.
            DeviceUnavailable: as `text`.
            DeviceForbidden: as `text`.
        """
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DeviceFault(f"{self._where(name)} says {text!r}, which is no number")
        return value

    def close(self) -> None:
        """Let go of the files; the next reading looks for them anew."""
        files, self._files, self._folder = self._files, {}, None
        for file in files.values():
            os.close(file)

    def _find(self) -> Path:
        """Find the directory of the attributes."""
        if self._folder is None:
            self._folder = self._search()
        return self._folder

    def _search(self) -> Path:
        start, (name, pattern) = self._start, (self._below, self._below.rsplit("/", 1)[-1])
        if not start.is_dir():
            raise DeviceUnavailable(
                f"no {start}: `ls {start.parent}` shows what there is; a chip comes there by its "
                "dtoverlay (i2c-sensor) in config.txt, or by its driver's module"
            )
        if start.match(pattern):
            return start
        found = sorted(start.glob(name))
        if not found:
            raise DeviceUnavailable(
                f"no {name} below {start}: no kernel driver of that kind has the chip; look at "
                'dmesg, or let us read it: driver with the chip\'s own name, such as "ina226"'
            )
        return found[0]

    def _where(self, name: str) -> str:
        return str((self._folder or self._start) / name)

    def _error(self, name: str, fault: OSError) -> DeviceError:
        where = self._where(name)
        error: DeviceUnavailable | DeviceForbidden
        match fault.errno:
            case errno.ENOENT:
                error = DeviceUnavailable(f"no {where}: is the chip behind it a power monitor?")
            case errno.EACCES | errno.EPERM:
                error = DeviceForbidden(f"no permission to read {where}: see `ls -l`")
            case errno.ENODATA:
                error = DeviceUnavailable(
                    f"{where} has no data: the channel is switched off; write 1 into its _enable"
                )
            case _ if fault.errno in _GONE:
                error = DeviceUnavailable(f"{where} went away: its driver or its chip is gone")
            case _:
                said = fault.strerror or str(fault)
                error = DeviceUnavailable(
                    f"the kernel cannot read the chip behind {where} ({said}): check its wiring"
                )
        error.errno = fault.errno
        return error
