"""An I2C bus below smbus2's calls: the driver above it is the one that runs on a Pi.

Only the three calls that the driver makes are there, with smbus2's own signatures and its byte
order: SMBus words travel low byte first, the INA219 sends the high byte first, so the two bytes of
every word arrive swapped (and the driver has to swap them back, here as there).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from rackgrid_firmware.mock.chance import bits
from rackgrid_firmware.mock.fault import ERRNO, Fault, FaultBook, bus_error
from rackgrid_firmware.mock.shelf import MockChip


class WordPort(Protocol):
    """Where the registers are: in this process, or in the plant's.

    A TimeoutError (OSError 110) means that the transfer hangs; how long, the bus says.
    """

    def read_word(self, address: int, register: int) -> int:
        """Read a register, high byte first.

        Raises:
            OSError: with the errno that the kernel would give.
        """
        ...

    def write_word(self, address: int, register: int, value: int) -> None:
        """Write a register, high byte first.

        Raises:
            OSError: with the errno that the kernel would give.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class ChipPort:
    """Chips in this process.

    Args:
        chips: by address.
        clock: gives the moment in ns.
    """

    def __init__(
        self, chips: Mapping[int, MockChip], clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._chips = chips
        self._clock = clock

    def read_word(self, address: int, register: int) -> int:
        """Read a register; a register that the chip does not have reads all ones."""
        chip = self._chip(address)
        return chip.read(self._clock(), register) if register in chip.registers else 0xFFFF

    def write_word(self, address: int, register: int, value: int) -> None:
        """Write a register; one that the chip does not have swallows it."""
        chip = self._chip(address)
        if register in chip.registers:
            chip.write(self._clock(), register, value)

    def close(self) -> None:
        """Nothing to let go of."""

    def _chip(self, address: int) -> MockChip:
        chip = self._chips.get(address)
        if chip is None:
            raise bus_error(ERRNO[Fault.NACK])
        return chip


def swapped(word: int) -> int:
    """Swap the two bytes of a word."""
    return (word & 0xFF) << 8 | word >> 8


class MockSMBus:
    """What the driver takes for an `smbus2.SMBus`.

    Args:
        port: where the registers are.
        faults: what shall go wrong; None for nothing yet.
        hang_s: how long a transfer hangs before it times out; 1 s on a Pi.
    """

    def __init__(
        self, port: WordPort, faults: FaultBook | None = None, *, hang_s: float = 1.0
    ) -> None:
        self.faults = FaultBook() if faults is None else faults
        self._port = port
        self._hang_s = hang_s
        self._transfers = 0

    def read_word_data(
        self,
        i2c_addr: int,
        register: int,
        force: bool | None = None,  # noqa: ARG002  # smbus2's signature
    ) -> int:
        """Read a word as smbus2 does: low byte first."""
        garbled = self._begin(i2c_addr)
        try:
            word = self._port.read_word(i2c_addr, register)
        except TimeoutError:
            time.sleep(self._hang_s)
            raise
        return bits(0, self._transfers) & 0xFFFF if garbled else swapped(word)

    def write_word_data(
        self,
        i2c_addr: int,
        register: int,
        value: int,
        force: bool | None = None,  # noqa: ARG002  # smbus2's signature
    ) -> None:
        """Write a word as smbus2 does: low byte first."""
        if self._begin(i2c_addr):
            value = bits(0, self._transfers) & 0xFFFF
        try:
            self._port.write_word(i2c_addr, register, swapped(value))
        except TimeoutError:
            time.sleep(self._hang_s)
            raise

    def close(self) -> None:
        """Close the bus."""
        self._port.close()

    def _begin(self, address: int) -> bool:
        """Let a scripted fault happen; say whether this transfer is garbled."""
        self._transfers += 1
        fault = self.faults.take(address)
        if fault is None or fault is Fault.GARBAGE:
            return fault is Fault.GARBAGE
        if fault is Fault.TIMEOUT:
            time.sleep(self._hang_s)
        raise bus_error(ERRNO[fault])
