"""One I2C bus: word reads and writes that know what to do when they fail. The only smbus2.

`read_word_data` and not `i2c_rdwr`: the cheapest of smbus2's calls, the same waveform on the wire
(pointer write, repeated start, two bytes), works on every Pi (i2c-bcm2835 refuses more than one
read in a batch) and on the kernel's i2c-stub; and its I2C_SLAVE lets the kernel say EBUSY when a
driver of its own has the chip, which I2C_RDWR passes by.

One lock per bus: smbus2 remembers the last slave address in the object and sets it by a call of its
own, so two threads would read each other's chips.

Faults, as i2c-bcm2835 gives them: EREMOTEIO 121 when nobody acknowledges, EIO 5 for a broken
transfer, ETIMEDOUT 110 when the bus hangs: after one second, or after `HANG_S` where the adapter
takes it. A relay's spark makes the first two for an instant, so they are tried twice again at once;
a hung bus is never retried here: each try costs its time, and whoever calls has to back off.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

from rackgrid_firmware.errors import (
    DeviceClosed,
    DeviceError,
    DeviceForbidden,
    DeviceUnavailable,
)
from rackgrid_firmware.registers import swapped

RETRIES_MAX: Final = 2
REOPEN_AFTER: Final = 5
"""So many failed accesses in a row, and the bus is closed, to be opened anew by the next one."""
HANG_S: Final = 0.1
"""A transfer that takes so long hangs, s: at 10 kHz it would take 5 ms, and chips let go of a bus
that is held low after 35 ms (SBOS448G, 8.5.5)."""
_I2C_RETRIES: Final = 0x0701
_I2C_TIMEOUT: Final = 0x0702
"""In units of 10 ms."""
_NACKS: Final = frozenset({errno.EREMOTEIO, errno.ENXIO, errno.EIO})
_GONE: Final = frozenset({errno.ENODEV, errno.ESHUTDOWN})

_T = TypeVar("_T")


class WordBus(Protocol):
    """The part of `smbus2.SMBus` that we use; words are low byte first."""

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        """Read a word."""
        ...

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Write a word."""
        ...

    def close(self) -> None:
        """Close the bus."""
        ...


@dataclass(frozen=True, slots=True)
class FaultCount:
    """What went wrong on a bus since it was made.

    Attributes:
        nacks: transfers that nobody acknowledged or that broke, retried ones included.
        timeouts: transfers during which the bus hung.
        others: any other fault.
        failures: accesses that failed for good, after their retries.
        opened: how often the bus was opened.
    """

    nacks: int
    timeouts: int
    others: int
    failures: int
    opened: int


def open_smbus(number: int) -> WordBus:
    """Open a bus of this machine."""
    import smbus2  # here, because only a real board needs it

    port = smbus2.SMBus(number)
    _shorten_hangs(port)
    return port


def _shorten_hangs(port: object) -> None:
    """Have the kernel give up on a hung transfer sooner; an adapter that refuses is as it was.

    i2c-bcm2835 and i2c-designware (Pi 5) wait for a transfer as long as `adapter->timeout` says,
    which is HZ, one second, where a driver sets none (drivers/i2c/i2c-core-base.c); the requests
    are in drivers/i2c/i2c-dev.c, and hold for the whole adapter. Retries of the kernel's own are
    those after a lost arbitration, which needs a second master.
    """
    import fcntl

    descriptor = getattr(port, "fd", None)
    if not isinstance(descriptor, int):
        return
    for request, value in ((_I2C_TIMEOUT, round(HANG_S * 100)), (_I2C_RETRIES, 0)):
        with suppress(OSError):
            fcntl.ioctl(descriptor, request, value)


class Bus:
    """One bus, by its number; opened by the first access. Safe for threads.

    Args:
        number: N of /dev/i2c-N.
        opener: makes the object that talks; smbus2's by default, or the mock's.
    """

    def __init__(self, number: int, opener: Callable[[int], WordBus] = open_smbus) -> None:
        self.number = number
        self._opener = opener
        self._lock = threading.Lock()
        self._port: WordBus | None = None
        self._closed = False
        self._in_a_row = 0
        self._nacks = self._timeouts = self._others = self._failures = self._opened = 0

    def read_word(self, address: int, register: int) -> int:
        """Read a register, high byte first.

        Args:
            address: of the chip, 7 bit.
            register: its number.

        Returns:
            16 bits.

        Raises:
            DeviceUnavailable: no such bus, nobody answers, or the bus hangs.
            DeviceForbidden: the bus or the chip is not ours to use.
            DeviceClosed: after `close`.
        """
        with self._lock:
            port = self._port or self._open()
            try:
                word = port.read_word_data(address, register)
            except OSError as fault:
                # No lambda: what a closure holds is slower to reach, also while all is well.
                access = partial(port.read_word_data, address, register)
                word = self._again(fault, address, access)
            self._in_a_row = 0
        return (word & 0xFF) << 8 | word >> 8

    def write_word(self, address: int, register: int, value: int) -> None:
        """Write a register, high byte first.

        Args:
            address: of the chip, 7 bit.
            register: its number.
            value: 16 bits.

        Raises:
            DeviceUnavailable: as `read_word`.
            DeviceForbidden: as `read_word`.
            DeviceClosed: as `read_word`.
        """
        word = swapped(value)
        with self._lock:
            port = self._port or self._open()
            try:
                port.write_word_data(address, register, word)
            except OSError as fault:
                self._again(fault, address, lambda: port.write_word_data(address, register, word))
            self._in_a_row = 0

    def faults(self) -> FaultCount:
        """Count what went wrong so far."""
        return FaultCount(self._nacks, self._timeouts, self._others, self._failures, self._opened)

    def close(self) -> None:
        """Close the bus for good; again does nothing."""
        with self._lock:
            self._closed = True
            self._let_go()

    def _open(self) -> WordBus:
        if self._closed:
            raise DeviceClosed(f"I2C bus {self.number} was used after it was closed")
        try:
            self._port = self._opener(self.number)
        except OSError as error:
            self._failures += 1
            raise _opening_error(self.number, error) from error
        self._opened += 1
        return self._port

    def _again(self, fault: OSError, address: int, access: Callable[[], _T]) -> _T:
        """Repeat an access that failed, if that may help, or give up on it."""
        for left in range(RETRIES_MAX, -1, -1):
            self._count(fault)
            if fault.errno not in _NACKS or not left:
                break
            try:
                return access()
            except OSError as next_fault:
                fault = next_fault
        self._give_up(fault)
        raise _transfer_error(self.number, address, fault) from fault

    def _count(self, fault: OSError) -> None:
        if fault.errno in _NACKS:
            self._nacks += 1
        elif fault.errno == errno.ETIMEDOUT:
            self._timeouts += 1
        else:
            self._others += 1

    def _give_up(self, fault: OSError) -> None:
        self._failures += 1
        self._in_a_row += 1
        if self._in_a_row >= REOPEN_AFTER or fault.errno in _GONE:
            self._in_a_row = 0
            self._let_go()

    def _let_go(self) -> None:
        port, self._port = self._port, None
        if port is None:
            return
        try:
            port.close()
        except OSError as fault:  # its adapter is gone: there is nothing left to close
            self._count(fault)


def _opening_error(number: int, error: OSError) -> DeviceError:
    device = f"/dev/i2c-{number}"
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return _unavailable(
            error,
            f"no I2C bus {number}: {device} does not exist; enable I2C with raspi-config "
            "(or dtparam=i2c_arm=on in config.txt) and restart",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return _forbidden(
            error,
            f"no permission to open {device}: add the user to the group i2c "
            "(sudo usermod -aG i2c USER) and start again",
        )
    return _unavailable(error, f"cannot open {device}: {error.strerror}")


def _transfer_error(number: int, address: int, fault: OSError) -> DeviceError:
    where = f"{address:#04x} on I2C bus {number}"
    match fault.errno:
        case errno.EREMOTEIO | errno.ENXIO:
            said = f"no chip answers at {where}: check wiring and address; i2cdetect -y {number}"
        case errno.EIO:
            said = f"transfers with {where} break: check wiring, pull-ups and noise from the relays"
        case errno.ETIMEDOUT:
            said = (
                f"I2C bus {number} hangs at {address:#04x}: SDA or SCL is held low; check for a "
                "short, or take the power from the chips for a moment"
            )
        case errno.EBUSY:
            return _forbidden(
                fault, f"a kernel driver has {where}: remove its dtoverlay (ina2xx) or unbind it"
            )
        case errno.EACCES | errno.EPERM:
            return _forbidden(fault, f"no permission to use {where}: {fault.strerror}")
        case errno.EOPNOTSUPP:
            said = f"the adapter of I2C bus {number} cannot transfer words: use another bus"
        case _ if fault.errno in _GONE:
            said = f"I2C bus {number} went away while in use: is its adapter plugged in?"
        case _:
            said = f"no transfer with {where}: {fault.strerror or fault}"
    return _unavailable(fault, said)


def _unavailable(cause: OSError, message: str) -> DeviceUnavailable:
    # `errno` is set afterwards so that the message stays a sentence, without "[Errno 121]".
    error = DeviceUnavailable(message)
    error.errno = cause.errno
    return error


def _forbidden(cause: OSError, message: str) -> DeviceForbidden:
    error = DeviceForbidden(message)
    error.errno = cause.errno
    return error
