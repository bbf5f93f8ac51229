"""Keeping a chip at work: who is there, does it still know what it was told, has it converted.

A chip that browns out wakes up with its power-on configuration and empty data registers; another
chip may have been plugged in meanwhile. So before a chip is configured its maker and die ids are
read, what was written is read back, and every ten seconds, after every error, when its flag
surprises, and whenever a reading could be that of an empty register, the configuration is looked at
again. A wrong one is written again and counted.

One `Upkeep` stands for one chip, however many channels it has: they share the configuration and the
conversion-ready flag, which reading clears. Each visit asks it (`beat`); if it is up, the registers
of all channels are read at once, and each channel takes its own words from there (`Seat`), once. So
a channel is never given the same conversion twice, and a converter that stands still with the right
configuration is found; it is started again by writing it, and if that does not help, it is a fault.

For a start the chip can be made to convert fast for a while (`hurry`), and it can sleep (`rest`).

Sources: SBOS547B 7.1.7, SBOS656C 8.6.5, SBOS576C 7.6.2.16 (conversion-ready flag, cleared by
reading it and by writing the configuration); 7.1.1, 8.6.1, 7.6.2.1 (mode 000b: power-down).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rackgrid_firmware.beat import Beat
from rackgrid_firmware.conversion import CONFIGURATION, DIE, MAKER, TEXAS_INSTRUMENTS, slowest
from rackgrid_firmware.errors import DeviceError, DeviceFault
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.part import PARTS, Part
from rackgrid_firmware.phase import ANY_PACE
from rackgrid_firmware.silence import Patience, Silence

VERIFY_NS: Final = 10_000_000_000
"""Between two looks at the configuration, ns."""
_MODE: Final = 0x0007
"""The bits of a configuration that are zero when the chip sleeps."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Where a chip says that it has converted: a register and the flag in it."""

    register: int
    flag: int


@dataclass(frozen=True, slots=True)
class Way:
    """A way to convert.

    Attributes:
        word: the configuration, as it reads back.
        cycle_ns: typical time from one reading to the next, ns.
        head_ns: of it, until the first data register is replaced, ns.
    """

    word: int
    cycle_ns: int
    head_ns: int


class Seat:
    """The place of one channel: its two registers, and their words that nobody has taken yet."""

    def __init__(self, shunt: int, bus: int) -> None:
        self.shunt, self.bus = shunt, bus
        self._words: tuple[int, int] | None = None

    def put(self, words: tuple[int, int] | None) -> None:
        """Leave the words of shunt and bus here, or take away what lies here."""
        self._words = words

    def take(self) -> tuple[int, int] | None:
        """Take the words of shunt and bus, if there are new ones."""
        words, self._words = self._words, None
        return words


class Upkeep:
    """Keeps one chip at work. Used by one thread, but for `hurry`.

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
        """How often the chip was found reset, or standing still."""
        self.begun_ns = 0
        """Since when it has been converting as it does now, ns."""
        self._bus = bus
        self._address = address
        self._part = part
        self._ready = ready
        self._clock = clock
        self._seats: list[Seat] = []
        self._usual = self._hasty = self._way = Way(0, 1, 1)
        self.beat = Beat(1, 1)
        """When it has converted."""
        self._chip_pace = ANY_PACE
        self._missed = 0
        self._hurry_until_ns = 0
        self._is_programmed = self._is_intact = False
        self._verify_at_ns = 0
        self._silence = Silence()

    @property
    def where(self) -> str:
        """The chip, for a message."""
        return f"the chip at {self._address:#04x} on I2C bus {self._bus.number}"

    @property
    def cycle_ns(self) -> int:
        """How long it takes from one reading to the next, ns."""
        return self._way.cycle_ns

    @property
    def missed(self) -> int:
        """Conversions that nobody read."""
        return self._missed + self.beat.missed

    def seat(self, shunt: int, bus: int) -> Seat:
        """Have these two registers read, too, from the next conversion on."""
        self._seats.append(Seat(shunt, bus))
        return self._seats[-1]

    def configure(self, usual: Way, hasty: Way) -> None:
        """Let the chip work so from its next use on.

        Args:
            usual: for most of the time.
            hasty: while somebody is in a hurry.
        """
        self._usual, self._hasty = usual, hasty
        self._take_way(usual)

    def hurry(self, until_ns: int) -> None:
        """Convert as fast as may be until then, ns; may be called by another thread."""
        self._hurry_until_ns = max(self._hurry_until_ns, until_ns)

    def rest(self) -> None:
        """Let the chip sleep; the next visit wakes it.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
        """
        self._is_programmed = False
        self.distrust()
        for seat in self._seats:
            seat.put(None)
        self._bus.write_word(self._address, CONFIGURATION, self._way.word & ~_MODE)

    def distrust(self) -> None:
        """Look at the configuration before the next reading: something went wrong."""
        self._verify_at_ns = 0

    def visit(self) -> None:
        """Ask whether the chip has converted, and if so, read all that it has.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
            DeviceFault: it is another one, or does not keep its configuration, or does not convert.
        """
        now_ns = self._clock()
        way = self._hasty if now_ns < self._hurry_until_ns else self._usual
        if way != self._way:
            self._take_way(way)
        try:
            if now_ns >= self._verify_at_ns:
                self._verify(now_ns)
            self._ask(self.beat)
        except DeviceError:
            self.distrust()
            raise
        if self.beat.is_surprised:
            self.beat.is_surprised = False
            self.distrust()

    def is_intact(self) -> bool:
        """Whether what was read last is the chip's word, and not that of an empty register.

        Looked at once for all channels.

        Raises:
            DeviceError: as `visit`.
        """
        if not self._is_intact:
            before = self.resets
            self._verify(self._clock())
            self._is_intact = self.resets == before
        return self._is_intact

    def read(self, register: int) -> int:
        """Read a register.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
        """
        return self._bus.read_word(self._address, register)

    def read_again(self, seat: Seat) -> tuple[int, int]:
        """Read the words of shunt and bus again: what was read last is in doubt.

        Raises:
            DeviceUnavailable: the chip does not answer.
            DeviceForbidden: it is not ours to use.
        """
        bus, shunt = self.read(seat.bus), self.read(seat.shunt)
        self.beat.took(self._clock())
        return shunt, bus

    # --- inside ---------------------------------------------------------------------------------

    def _ask(self, beat: Beat) -> None:
        before_ns = self._clock()
        if before_ns < beat.open_ns:
            return
        is_up = self.read(self._ready.register) & self._ready.flag
        after_ns = self._clock()
        if not is_up:
            beat.found_down(before_ns)
            self._wait(before_ns)
            return
        self._silence.broken()
        self._is_intact = False
        if beat.found_up(before_ns, after_ns):
            # The bus first: what is read last is the newest, and the current matters more.
            words = [(self.read(seat.bus), self.read(seat.shunt)) for seat in self._seats]
            beat.took(self._clock())
            for seat, (bus, shunt) in zip(self._seats, words, strict=True):
                seat.put((shunt, bus))
        beat.cleared(before_ns, after_ns)

    def _take_way(self, way: Way) -> None:
        """Convert in another way from the next use on; what is known of its pace stays true."""
        self._missed += self.beat.missed
        if self.beat.is_known:
            self._chip_pace = self.beat.pace
        self._way, self.beat = way, Beat(way.cycle_ns, way.head_ns, self._chip_pace)
        self._is_programmed = False
        self.distrust()

    def _verify(self, now_ns: int) -> None:
        """Make sure that the chip works as configured."""
        if not self._is_programmed or not self._keeps_configuration():
            self._identify()
            self.resets += self._is_programmed
            before_ns = self._clock()
            self._bus.write_word(self._address, CONFIGURATION, self._way.word)
            self.begun_ns = self._clock()
            self.beat.restarted(before_ns, self.begun_ns)
            if not self._keeps_configuration():
                raise DeviceFault(
                    f"{self.where} does not keep its configuration: check its supply and wiring"
                )
            self._is_programmed = True
            self._silence.begin()
        self._verify_at_ns = now_ns + VERIFY_NS

    def _keeps_configuration(self) -> bool:
        # Four looks at most: a sample's words that were garbled on the wire are no reset.
        return any(self.read(CONFIGURATION) == self._way.word for _ in range(4))

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
        """Bear with a chip that is converting; start it again when it stands still.

        Raises:
            DeviceFault: that has not helped.
        """
        patience = self._silence.judge(now_ns, slowest(self.cycle_ns))
        if patience is not Patience.BEAR:
            self.resets += self._is_programmed
            self._is_programmed = False
            self.distrust()
        if patience is Patience.GIVE_UP:
            register, flag = self._ready.register, self._ready.flag.bit_length() - 1
            where = f"bit {flag} of {register:02X}h"
            raise DeviceFault(self._silence.told(self.where, where, self._way.word))


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
