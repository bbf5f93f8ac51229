"""Which conversion each sample was: what only a register-true chip can tell of whoever reads it.

A real chip gives no number with its conversions, so nobody can prove on a Pi that none was read
twice. The mock chip counts them, and here that count is taken at the moment of each read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackgrid_firmware.i2c import WordBus
from rackgrid_firmware.mock.chip import BUS, SHUNT
from rackgrid_firmware.mock.shelf import MockChip


@dataclass(frozen=True, slots=True)
class Tally:
    """How well a chip was read, from its first sample to its last.

    Attributes:
        samples: taken.
        twice: of them, those of which shunt or bus voltage was that of the sample before.
        converted: conversions that the chip made in that time.
    """

    samples: int = 0
    twice: int = 0
    converted: int = 0

    @property
    def share(self) -> float:
        """The part of the conversions that was read; 0.0 if there was none."""
        return (self.samples - self.twice) / self.converted if self.converted else 0.0


class Audit:
    """What the driver takes for an `smbus2.SMBus`: another one, whose reads are noted.

    Put it below the bus that takes the wire's time, so that it notes the moment of the latch.

    Args:
        bus: that answers.
        chips: behind it, by address.
        shunt, bus_voltage: the registers that make a sample.
    """

    def __init__(
        self,
        bus: WordBus,
        chips: Mapping[int, MockChip],
        shunt: int = SHUNT,
        bus_voltage: int = BUS,
    ) -> None:
        self._pair = shunt, bus_voltage
        self._bus = bus
        self._chips = chips
        self._read = {address: dict.fromkeys(self._pair, 0) for address in chips}
        self._first = dict.fromkeys(chips, 0)
        self._before: dict[int, tuple[int, int]] = dict.fromkeys(chips, (0, 0))
        self._tallies = dict.fromkeys(chips, Tally())

    def took(self, address: int) -> None:
        """Note that the driver made a sample of what it read last."""
        shunt, bus = (self._read[address][each] for each in self._pair)
        before, tally = self._before[address], self._tallies[address]
        if not tally.samples:
            self._first[address] = bus
        again = tally.samples > 0 and (shunt <= before[0] or bus <= before[1])
        self._before[address] = shunt, bus
        self._tallies[address] = Tally(
            tally.samples + 1, tally.twice + again, bus - self._first[address] + 1
        )

    def tally(self, address: int) -> Tally:
        """Say how well a chip was read so far."""
        return self._tallies[address]

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        """Read a word."""
        word = self._bus.read_word_data(i2c_addr, register)
        if i2c_addr in self._read and register in self._pair:
            self._read[i2c_addr][register] = self._chips[i2c_addr].converted[register]
        return word

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Write a word."""
        self._bus.write_word_data(i2c_addr, register, value)

    def close(self) -> None:
        """Close the bus."""
        self._bus.close()
