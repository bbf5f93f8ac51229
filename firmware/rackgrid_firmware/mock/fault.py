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


class Faults:
    """The books of all buses."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, int], FaultBook] = {}

    def book(self, node: str, bus: int) -> FaultBook:
        """Give the book of a node's bus; the node may come later."""
        return self._books.setdefault((node, bus), FaultBook())

    def befall(self, node: str, bus: int, address: int) -> bool:
        """Let what is written happen to a transfer; say whether it is garbled.

        Raises:
            OSError: as the kernel would: nobody acknowledges (121), or the bus hangs (110).
        """
        book = self._books.get((node, bus))
        fault = None if book is None else book.take(address)
        if fault is None or fault is Fault.GARBAGE:
            return fault is Fault.GARBAGE
        raise bus_error(ERRNO[fault])
