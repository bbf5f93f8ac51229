"""Faults of a bus, to be injected: what a driver meets in the field and not on the desk.

The numbers are those of the kernel's BCM2835 I2C driver: a chip that does not acknowledge gives
EREMOTEIO (121); a transfer that does not complete gives ETIMEDOUT (110), after the adapter's
timeout of one second.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """What goes wrong with a transfer."""

    NACK = "nack"
    """Nobody acknowledges: no chip there, a loose wire."""
    TIMEOUT = "timeout"
    """The bus hangs until the adapter gives up."""
    GARBAGE = "garbage"
    """The transfer completes and the bits are wrong."""


ERRNO = {Fault.NACK: errno.EREMOTEIO, Fault.TIMEOUT: errno.ETIMEDOUT}


def bus_error(code: int) -> OSError:
    """Make the exception that smbus2 would raise."""
    return OSError(code, os.strerror(code))


@dataclass(slots=True)
class _Entry:
    fault: Fault
    address: int | None
    left: int


class FaultBook:
    """The faults that wait to happen on one bus, in the order in which they were written."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def add(self, fault: Fault, *, address: int | None = None, count: int = 1) -> None:
        """Let the next transfers fail.

        Args:
            fault: how.
            address: of the chip concerned; None for every one.
            count: how many transfers; -1 until `clear`.
        """
        self._entries.append(_Entry(fault, address, count))

    def clear(self) -> None:
        """Repair everything."""
        self._entries.clear()

    def take(self, address: int) -> Fault | None:
        """Say what happens to this transfer, and count it."""
        for entry in self._entries:
            if entry.address not in (None, address):
                continue
            entry.left -= entry.left > 0
            if entry.left == 0:
                self._entries.remove(entry)
            return entry.fault
        return None
