"""The errors of the device layer.

DeviceError
├── DeviceUnavailable (OSError)         no such bus, chip or pin; or it stopped answering
├── DeviceForbidden   (PermissionError) it is there, and we may not use it
├── DeviceFault       (ValueError)      it answers, and what it says cannot be
├── DeviceClosed                        we closed it ourselves
└── ProfileError      (ValueError)      the board profile is wrong: carries every finding at once

Each message says what went wrong, where (bus, address, pin, register; or file:line), and what to do
next. `errno` is translated into these at the one place that touches the device.
"""

from __future__ import annotations


class DeviceError(Exception):
    """Anything that went wrong at or below a device."""


class DeviceUnavailable(DeviceError, OSError):
    """The bus, chip or pin is not there, or does not answer."""


class DeviceForbidden(DeviceError, PermissionError):
    """The device is there, and this process may not use it."""


class DeviceFault(DeviceError, ValueError):
    """The device answers with something that cannot be true."""


class DeviceClosed(DeviceError):
    """The device was used after it was closed: a bug of the caller."""


class ProfileError(DeviceError, ValueError):
    """The board profile is wrong.

    Attributes:
        findings: each thing that is wrong, one line each: `file:line: [table] key: problem`.
    """

    def __init__(self, *findings: str) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings
