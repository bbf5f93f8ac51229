"""Which readings are believed at once, and which only when a second one says the same.

A wire beside a relay carries a wrong word now and then; nothing in an I2C transfer tells it from a
right one. Most wrong words are far from the truth, and what is far from the last reading, at an end
stop or beyond a trip's limit is rare. So it is read again before it is believed: an averaging chip
holds its registers for 69 ms, and two reads take a quarter of one at 400 kHz. Two that agree are
the truth, so a true overcurrent still trips on its first sample, and one garbled sample trips
nothing. What a wrong word can do unseen is bounded: it is within two steps of the truth.

A chip that converts fast may have converted again between two reads. There two that are both beyond
the same limit suffice for a trip, steps are wider (a load that pulses shall not make every sample
cost two), and where all reads differ the least current is taken, for a thousandth of a second.

Voltages are doubted only by steps: no trip hangs on one of them.

Rejected: a majority of three for each sample (twice the wire's time for nothing, as long as all is
well), and a packet error code (no chip of these has one).

Pure, but for what it is given to read with. Numbers are in any unit, the same throughout.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rackgrid_firmware.errors import DeviceFault

HELD_NS: Final = 8_000_000
"""Reading twice takes 1 ms at most: at cycles as long as this the registers count as held, ns."""
READS_MAX: Final = 3
"""So often a reading is read again before it is given up."""
HELD_STEPS: Final = 64
"""A step of a chip that holds its registers for long is this part of its range."""
FAST_STEPS: Final = 4
"""And of one that converts fast."""

Pair = tuple[float, float]
"""Current (or the shunt's voltage), and bus voltage."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chip can say as it converts now, and what of it would alarm.

    Attributes:
        step, bus_step: a reading that is nearer than this to one that was believed is believed.
        low, high: a current at or beyond these is an end stop, or trips.
        bus_high: a voltage at or beyond this is an end stop.
        is_held: whether a second read gives the same conversion.
    """

    step: float
    bus_step: float
    low: float
    high: float
    bus_high: float
    is_held: bool


def frame(span: Pair, ends: Pair, limit: Pair, cycle_ns: int) -> Frame:
    """Make the frame of a way to convert.

    Args:
        span: of current and bus voltage, from nothing to the end.
        ends: the current's end stops, the lower one first.
        limit: the currents that trip, the lower one first.
        cycle_ns: from one conversion to the next, ns.
    """
    is_held = cycle_ns >= HELD_NS
    steps = HELD_STEPS if is_held else FAST_STEPS
    low, high = max(ends[0], limit[0]), min(ends[1], limit[1])
    return Frame(span[0] / steps, span[1] / steps, low, high, span[1], is_held)


def limits(limit_a: float, amps_per_lsb: float = 1.0, offset_a: float = 0.0) -> Pair:
    """Say at which raw currents a limit is reached, a step early, the lower one first.

    Args:
        limit_a: in either direction, A; 0 for none.
        amps_per_lsb: of the raw current.
        offset_a: added to it.
    """
    if not limit_a:
        return -math.inf, math.inf
    low, high = sorted((sign * limit_a - offset_a) / amps_per_lsb for sign in (-1, 1))
    return low + 1, high - 1


class Doubt:
    """What one meter's readings are held against.

    Args:
        frame: of how its chip converts.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.low = self.high = self.bus_low = self.bus_high = 0.0
        """Between these, and not at them, a reading is believed at once: none, to begin with.
        Public, because whoever reads 1600 times a second compares by itself."""

    def reframe(self, frame: Frame) -> None:
        """Begin anew: the chip converts in another way."""
        self._frame = frame
        self.low = self.high = self.bus_low = self.bus_high = 0.0

    def is_near(self, amps: float, volts: float) -> bool:
        """Whether a reading is believed at once."""
        return self.low < amps < self.high and self.bus_low < volts < self.bus_high

    def settle(self, first: Pair, read: Callable[[], Pair], where: str) -> Pair:
        """Read again until a reading is to be believed.

        Args:
            first: the reading that is not near.
            read: reads again.
            where: the chip, for a message.

        Raises:
            DeviceFault: it says something else each time, though it holds its registers.
            DeviceError: whatever `read` raises.
        """
        seen = [first]
        for _ in range(READS_MAX):
            again = read()
            if self.is_near(*again) or self._agrees(seen[-1], again):
                self._believe(*again)
                return again
            seen.append(again)
        if self._frame.is_held:
            words = ", ".join(f"{amps:g}/{volts:g}" for amps, volts in seen)
            raise DeviceFault(
                f"{where} says something else each time it is read ({words}): check wiring, "
                "pull-ups and noise from the relays"
            )
        return min(seen, key=lambda pair: abs(pair[0]))

    def _agrees(self, one: Pair, other: Pair) -> bool:
        """Whether two reads say the same."""
        frame = self._frame
        if one == other:
            return True
        if abs(one[0] - other[0]) < frame.step and abs(one[1] - other[1]) < frame.bus_step:
            return True
        if frame.is_held:
            return False
        return min(one[0], other[0]) >= frame.high or max(one[0], other[0]) <= frame.low

    def _believe(self, amps: float, volts: float) -> None:
        """Have what is near this believed; beyond a limit only if this is, too."""
        frame = self._frame
        self.low, self.high = amps - frame.step, amps + frame.step
        if amps < frame.high:
            self.high = min(self.high, frame.high)
        if amps > frame.low:
            self.low = max(self.low, frame.low)
        self.bus_low, self.bus_high = volts - frame.bus_step, volts + frame.bus_step
        if volts < frame.bus_high:
            self.bus_high = min(self.bus_high, frame.bus_high)
