"""What a soft feed hides from a meter that averages the current and glances at the voltage.

A load that pulses pulls the voltage of a soft feed down with each pulse: while much flows, less
than the mean voltage is there. A chip that gives the mean of I over 68 ms and V at a moment knows
nothing of it, and V·I is too high by the covariance of the two, for a load alone -R·var(I): 1.9 %
for pulses of 0.75 A, 40 % of the time, behind half an ohm. The mean of V as well would not help:
the mean of a product is not the product of the means.

So now and then the chip is made to convert both by turns, each in half a millisecond (a *look*).
What of it lies within one of the chip's usual cycles (what changes more slowly the usual readings
see themselves) gives by how much the voltage is lower *while the current flows* than in the mean,
and so much is taken off the voltage when energy is counted, until the next look.

Neither the time from look to look nor a look's length is the same twice. A load that pulses in step
with the looks would show them always the same part of its pulses (at 10 s sharp, 50 Hz: 7 % of a
look's energy); and with the usual cycle begun anew at the same place of the sampling grid after
each look, the mean lag of a reading would be no longer half a cycle, but nearly a whole one.

V and I of a look are still half a cycle apart, and what a pulse's edge changes between the two is
lost: of square pulses at 50 Hz a tenth. But the covariance of such pulses falls in a straight line
with the distance, and each voltage has currents on both sides, at half a cycle and at one and a
half: the line through them goes on to the distance 0. Where a conversion was missed the nearest
current has to do.

To everybody else a look is one usual reading, the mean of its first usual cycle: a single
conversion of half a millisecond shows a pulse or a pause, and three of them in a row would be taken
for a load that is stuck, or welded (`protection`).

What a look cannot see: pulses of which a cycle of 1.1 ms sees less than five steps (above some 200
Hz), and those that are slower than it is long. A covariance of the wrong sign, as too fast pulses
make it by aliasing, is not believed: a current that is drawn never lifts its feed. (A source's
does; so sources are not corrected.) Pure: times are arguments, ns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from rackgrid_firmware.device import Quality
from rackgrid_firmware.registers import Sample
from rackgrid_firmware.uneven import uneven

EVERY_NS: Final = 10_000_000_000
"""From one look to the next in the mean, ns."""
SPREAD: Final = 0.4
"""Over such a part of that the times from look to look are spread."""
ALIKE: Final = 2.0
"""A look speaks for currents up to so many times its own mean, and down to that part of it."""
PAIRS_MIN: Final = 16
"""Fewer conversions than this say nothing."""
LEAST_V: Final = 0.004
"""A current that moves the feed by less than one step of the voltage is not looked at, V."""


@runtime_checkable
class Looking(Protocol):
    """A chip that can convert voltage and current by turns for a while."""

    @property
    def soft_ohms(self) -> float:
        """Of its feed, ohm; 0 if it is stiff, or if the chip sees what it does without looks."""
        ...

    @property
    def is_looking(self) -> bool:
        """Whether its last sample was one of a look."""
        ...

    @property
    def usual_ns(self) -> int:
        """How long one of its usual conversions takes, ns."""
        ...

    @property
    def period_ns(self) -> int:
        """How long a conversion takes now, ns."""
        ...

    @property
    def missed(self) -> int:
        """Conversions so far that nobody read."""
        ...

    def look(self, until_ns: int) -> None:
        """Convert both by turns until then."""
        ...


@dataclass(slots=True)
class Pairs:
    """The conversions of one look, in their order.

    Attributes:
        volts, amps: of each.
        breaks: the numbers of those in front of which one was missed.
    """

    volts: list[float] = field(default_factory=list[float])
    amps: list[float] = field(default_factory=list[float])
    breaks: set[int] = field(default_factory=set[int])

    def add(self, volts: float, amps: float, *, follows: bool) -> None:
        """Take a conversion.

        Args:
            volts: V.
            amps: A, converted just before the voltage.
            follows: whether it came right after the last one that was taken.
        """
        if not follows:  # in front of this one, or already in front of the next
            self.breaks |= {len(self.volts), len(self.volts) + 1}
        self.volts.append(volts)
        self.amps.append(amps)

    @property
    def mean_v(self) -> float:
        """Mean voltage, V."""
        return sum(self.volts) / len(self.volts) if self.volts else 0.0

    @property
    def mean_a(self) -> float:
        """Mean current, A."""
        return sum(self.amps) / len(self.amps) if self.amps else 0.0

    def dip_v(self) -> float:
        """Say by how much the voltage is higher while the current flows than in the mean, V.

        Of what is drawn it is never more than 0, and never beyond what was seen.
        """
        total_a = sum(self.amps)
        if len(self.volts) < PAIRS_MIN or total_a == 0.0:
            return 0.0
        mean_v = self.mean_v
        seen = sum((v - mean_v) * self._beside_a(at) for at, v in enumerate(self.volts))
        dip_v = min(0.0, seen) / total_a
        return max(min(self.volts) - mean_v, min(max(self.volts) - mean_v, dip_v))

    def _beside_a(self, at: int) -> float:
        """Give the current at the moment of a voltage, A, by the line through those beside it."""
        if not 1 <= at < len(self.amps) - 2 or self.breaks & {at, at + 1, at + 2}:
            return self.amps[at]
        before, near, after, far = self.amps[at - 1 : at + 3]
        return 0.75 * (near + after) - 0.25 * (before + far)


class Covariance:
    """What one meter's looks say of its feed.

    Args:
        chip: that looks.
    """

    def __init__(self, chip: Looking) -> None:
        self._chip = chip
        self._pairs = self._shown = Pairs()
        self._is_shown = False
        self._missed = 0
        self._dip_v = 0.0
        self._look_a = 0.0
        self._amps = 0.0
        self._is_hasty = False
        self._count = 0
        self._heard_ns = 0
        self._until_ns = 0
        self._due_ns = 0

    def watts(self, t_ns: int, volts: float, amps: float) -> float:
        """Take a sample; give the power that it stands for.

        Args:
            t_ns: of the sample, ns.
            volts: V.
            amps: A.
        """
        chip = self._chip
        if chip.is_looking:
            if t_ns <= self._heard_ns:
                self._pairs.add(volts, amps, follows=chip.missed == self._missed)
            self._missed = chip.missed
            return volts * amps
        self._is_hasty = chip.period_ns < chip.usual_ns
        if self._is_hasty:  # somebody is in a hurry: a start, and all is new
            self._pairs, self._dip_v, self._look_a = Pairs(), 0.0, 0.0
            self._until_ns = self._due_ns = t_ns
            return volts * amps
        if self._pairs.volts:
            self._dip_v, self._look_a = self._pairs.dip_v(), self._pairs.mean_a
            self._pairs = Pairs()
        self._amps = amps
        return (volts + self._dip_v * self._speaks_for(amps)) * amps

    def shown(self, t_ns: int, sample: Sample) -> Sample | None:
        """Say what a sample is to others: a look's together are one. None: nothing yet.

        An end stop is shown as it is seen: it may have to trip something.
        """
        if not self._chip.is_looking or sample.quality is Quality.SATURATED:
            self._shown = Pairs()
            return sample
        self._shown.add(sample.volts, sample.amps, follows=True)
        if t_ns < self._heard_ns or self._is_shown:
            return None
        self._is_shown = True
        return Sample(self._shown.mean_v, self._shown.mean_a, sample.quality)

    def is_looking(self, now_ns: int) -> bool:
        """Whether a look is under way."""
        return now_ns < self._until_ns

    def wants(self, now_ns: int) -> bool:
        """Whether it is time for a look.

        If nothing flows then, it is put off by a whole turn and not until something does: a look
        loses the conversion that it interrupts, and what is lost must not always be an edge.
        """
        if self._is_hasty or now_ns < self._due_ns or self.is_looking(now_ns):
            return False
        if abs(self._amps) * self._chip.soft_ohms >= LEAST_V:
            return True
        self._put_off(now_ns)
        return False

    def look(self, now_ns: int) -> None:
        """Begin one, of one to two usual cycles; the first of them is what it speaks of."""
        usual_ns = self._chip.usual_ns
        longer = self._put_off(now_ns)
        self._pairs, self._missed = Pairs(), -1
        self._shown, self._is_shown = Pairs(), False
        self._heard_ns = now_ns + usual_ns
        self._until_ns = self._heard_ns + round(longer * usual_ns)
        self._chip.look(self._until_ns)

    def _put_off(self, now_ns: int) -> float:
        """Let it be time again after the next turn; give the length of a look's second cycle."""
        self._count += 1
        later, longer = uneven(self._count)
        self._due_ns = now_ns + round(EVERY_NS * (1 + SPREAD * (later - 0.5)))
        return longer

    def _speaks_for(self, amps: float) -> bool:
        low, high = sorted((self._look_a / ALIKE, self._look_a * ALIKE))
        return low <= amps <= high
