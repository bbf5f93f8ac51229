"""A bus that takes time, on a clock that only moves when somebody waits or transfers.

For tests and benches of schedules: a second of a busy bus is simulated in milliseconds, and exactly
alike each time. On the wire a word read is 48 bit times (start, address and pointer, repeated
start, address, two bytes, stop; with the acknowledge bits), a word write 38 (SMBus word protocol;
SBOS448G, 8.5.6). The chip gives the word that it has when it acknowledges its read address, after
30 of them; a written word counts from its last bit on.
"""

from __future__ import annotations

from typing import Final

from rackgrid_firmware.i2c import WordBus

READ_BITS: Final = 48
WRITE_BITS: Final = 38
_LATCH_BITS: Final = 30


class VirtualClock:
    """CLOCK_MONOTONIC, moved by whoever waits.

    Args:
        now_ns: where it begins, ns.
    """

    def __init__(self, now_ns: int = 1_000_000_000) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        """Tell the time, ns."""
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += round(seconds * 1e9)

    def until(self, t_ns: int) -> None:
        """Let time pass until a moment, unless it has passed."""
        self.now_ns = max(self.now_ns, t_ns)


class TimedBus:
    """What the driver takes for an `smbus2.SMBus`: another one, and the time that the wire takes.

    Args:
        bus: that answers.
        clock: that its transfers move.
        hertz: the bus clock.
        overhead_ns: of the kernel's driver around each transfer, half of it before the wire's time.
    """

    def __init__(
        self, bus: WordBus, clock: VirtualClock, hertz: int = 400_000, overhead_ns: int = 0
    ) -> None:
        self.transfers = 0
        """Transfers so far, reads and writes."""
        self._bus = bus
        self._clock = clock
        self._bit_ns = 1_000_000_000 // hertz
        self._half_ns = overhead_ns // 2

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        """Read a word."""
        self.transfers += 1
        self._clock.now_ns += self._half_ns + _LATCH_BITS * self._bit_ns
        word = self._bus.read_word_data(i2c_addr, register)
        self._clock.now_ns += self._half_ns + (READ_BITS - _LATCH_BITS) * self._bit_ns
        return word

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Write a word."""
        self.transfers += 1
        self._clock.now_ns += self._half_ns + WRITE_BITS * self._bit_ns
        self._bus.write_word_data(i2c_addr, register, value)
        self._clock.now_ns += self._half_ns

    def close(self) -> None:
        """Close the bus."""
        self._bus.close()
