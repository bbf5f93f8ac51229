"""Keeping a chip configured: who is there, does it still know what it was told, has it converted.

A chip that browns out wakes up with its power-on configuration and empty data registers; another
chip may have been plugged in meanwhile. So before a chip is configured its maker and die ids are
read, what was written is read back, and every ten seconds, after every error, and whenever a
reading could be that of an empty register, the configuration is looked at again. A wrong one is
written again and counted.

One `Upkeep` stands for one chip, however many channels it has: they share the configuration and the
conversion-ready flag, which reading clears. The flag is asked for only until the first conversion
after the configuration was written; from then on the data registers always hold a conversion.

Sources: SBOS547B 7.1.7, SBOS656C 8.6.5, SBOS576C 7.6.2.16 (conversion-ready flag).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rackgrid_firmware.conversion import CONFIGURATION, DIE, MAKER, TEXAS_INSTRUMENTS, slowest
from rackgrid_firmware.errors import DeviceFault
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.part import PARTS, Part

VERIFY_NS: Final = 10_000_000_000
"""Between two looks at the configuration, ns."""
_CYCLES_MAX: Final = 3
"""A chip that has not converted after so many of its longest cycles never will."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Where a chip says that it has converted: a register and the flag in it."""

    register: int
    flag: int


class Upkeep:
    """Keeps one chip configured. Used by one thread.

    Args:
        bus: that it is on.
        address: 7 bit.
        part: what it has to be.
        ready: where it says that it has converted.
        clock: CLOCK_MONOTONIC in ns.
    """

    def __init__(
        self, bus: Bus, address: int, part: Part, ready: Ready, clock: Callable[[], int]
    ) -> None:
        self.resets = 0
        """How often the chip was found reset."""
        self.cycle_ns = 0
        """How long it takes from one reading to the next, ns."""
        self._bus = bus
        self._address = address
        self._part = part
        self._ready = ready
        self._clock = clock
        self._word = 0
        self._is_programmed = False
        self._has_converted = False
        self._verify_at_ns = 0
        self._silent_since_ns = 0

    @property
    def where(self) -> str:
        """The chip, for a message."""
        return f"the chip at {self._address:#04x} on I2C bus {self._bus.number}"

    def configure(self, word: int, cycle_ns: int) -> None:
        """Let the chip work so from its next use on.

        Args:
            word: its configuration, as it reads back.
            cycle_ns: the time from one reading to the next then, ns.
        """
        self._word = word
        self.cycle_ns = cycle_ns
        self._is_programmed = self._has_converted = False
        self.distrust()

    def distrust(self) -> None:
        """Look at the configuration before the next reading: something went wrong."""
        self._verify_at_ns = 0

    def is_ready(self) -> bool:
        """Whether the data registers hold a conversion made as configured.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
            DeviceFault: it is another one, or does not keep its configuration, or does not convert.
        """
        now_ns = self._clock()
        if now_ns >= self._verify_at_ns:
            self._verify(now_ns)
        if not self._has_converted:
            self._has_converted = bool(self.read(self._ready.register) & self._ready.flag)
            if not self._has_converted:
                self._wait(now_ns)
        return self._has_converted

    def read(self, register: int) -> int:
        """Read a register.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
        """
        return self._bus.read_word(self._address, register)

    def _verify(self, now_ns: int) -> None:
        """Make sure that the chip works as configured."""
        if not self._is_programmed or not self._keeps_configuration():
            self._identify()
            self.resets += self._is_programmed
            self._has_converted = False
            self._bus.write_word(self._address, CONFIGURATION, self._word)
            if not self._keeps_configuration():
                raise DeviceFault(
                    f"{self.where} does not keep its configuration: check its supply and wiring"
                )
            self._is_programmed = True
            self._silent_since_ns = now_ns
        self._verify_at_ns = now_ns + VERIFY_NS

    def _keeps_configuration(self) -> bool:
        # A second look, because a bit that flipped on the wire is no reset of the chip.
        return self.read(CONFIGURATION) == self._word or self.read(CONFIGURATION) == self._word

    def _identify(self) -> None:
        """Make sure that it is the chip that the profile names."""
        wanted = (TEXAS_INSTRUMENTS, self._part.die)
        # A second look, as above.
        if self._ids() != wanted and (ids := self._ids()) != wanted:
            raise DeviceFault(f"{self.where} is no {self._part.name}: {_who(*ids)}")

    def _ids(self) -> tuple[int, int]:
        """Read the maker, and the die without its revision."""
        return self.read(MAKER), self.read(DIE) >> 4

    def _wait(self, now_ns: int) -> None:
        """Bear with a chip that is converting for the first time, but not for ever."""
        if now_ns - self._silent_since_ns > _CYCLES_MAX * slowest(self.cycle_ns):
            self._silent_since_ns = now_ns
            raise DeviceFault(f"{self.where} does not convert: check its supply")


def _who(maker: int, die: int) -> str:
    """Say what the ids tell, and what to do."""
    for driver, part in PARTS.items():
        if (maker, die) == (TEXAS_INSTRUMENTS, part.die):
            return f'it is an {part.name}; write driver = "{driver}", or fit the right chip'
    if maker == TEXAS_INSTRUMENTS:
        return f"its die id is {die:03x}h, which no driver here knows; fit the right chip"
    return (
        f"its maker id reads {maker:#06x}; if it is an INA219, which has no ids, write "
        'driver = "ina219", else check address and wiring'
    )
