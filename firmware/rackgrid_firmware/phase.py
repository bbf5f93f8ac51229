"""Where a free-running converter is in its cycle: when a conversion is new, and which were missed.

An INA219 converts for ever, at a rate of its own: the datasheet's typical time and up to 10 % more,
and nothing on the bus says when. Who reads at the typical rate reads some conversions twice and
misses others. The chip has a flag (CNVR: converted since it was cleared), but clearing it costs a
transfer, so asking it each time would make three transfers of two. So it is asked now and then, and
the cycle is followed in between. It is cleared in front of a read (what is due has ended, so
nothing is lost); while nearly nothing is known, just after one, and then asked until it is up.

The end of the next unread conversion is kept as a bracket [lo, hi] that holds the truth, not as an
estimate. A flag that was found down at `before` says "later than that", one that was found up at
`after` says "by then"; what such looks say together of the cycle, `cycle` knows. A read at `hi`
gives a conversion that is surely new. A register that may have held the next conversion already
counts as having done so, and that conversion is passed over: none is ever read twice, and what
jitter costs is a conversion now and then. The bracket grows with each conversion; when it is wider
than looks are long, and than an eighth of a cycle, the flag is asked again. After a pause too long
to count cycles the search begins anew.

A bus that is too slow for this (a visit takes most of a cycle) is not followed but spaced: reads a
longest cycle apart are new, too.

Pure: times are arguments, CLOCK_MONOTONIC ns. `before` and `after` enclose a transfer; the moment
at which the chip acted is somewhere between.

Source: TI SBOS448G, 7.5 (p. 5, conversion times), 8.4.3 (waking up), 8.6.3.2 (p. 23, CNVR: cleared
by reading 03h or writing a mode).
"""

from __future__ import annotations

from typing import Final

from rackgrid_firmware.cycle import DRIFT, Cycle

TOLERANCE: Final = 0.15
"""How far a cycle may be from the typical one: the datasheet's 10 % (upwards), and some."""
ANY_PACE: Final = (1.0 - TOLERANCE, 1.0 + TOLERANCE)
LATE_MAX: Final = 128
"""Late visits count four, good ones take one back: at so many, more than a fifth of all came late,
and it is better to space the reads."""
SPACED: Final = 1024
"""After so many spaced reads following is tried again."""
SETTINGS: Final = 3e-3
"""The conversion times of two settings of one chip have their typical ratio so nearly."""
_PAUSE_MIN: Final = 4
"""So many samples lie between two looks, else a busy bus would be busy with looking."""
_HORIZON: Final = 64
"""So many conversions are predicted at once, with even steps."""
WAKE_NS: Final = 40_000
"""From power-down to the first conversion, ns."""


class Phase:
    """The cycle of one chip, and the place in it.

    Args:
        cycle_ns: typical time of one conversion of everything, ns.
        head_ns: typical time from the begin of a cycle to the first register that it replaces, ns.
        pace: least and most of the true cycle by the typical one, if the chip is known.
    """

    def __init__(self, cycle_ns: int, head_ns: int, pace: tuple[float, float] = ANY_PACE) -> None:
        assert 0 < head_ns <= cycle_ns, f"a head of {head_ns} ns in a cycle of {cycle_ns} ns"
        self.due_ns = 0
        """A read or a look before this is too early."""
        self.is_armed = False
        """The flag was cleared, and its rise is awaited: ask it before anything is read."""
        self.wants_flag = False
        """The flag should be cleared in front of the next read (`cleared`), to find its rise."""
        self.is_surprised = False
        """The flag was not as it had to be: the chip may have begun anew. Read by its owner."""
        self.missed = 0
        """Conversions that nobody read, as far as one can tell."""
        self._typical_ns = cycle_ns
        self._tail = 1.0 - head_ns / cycle_ns
        self._pace = pace
        self._lo_ns = self._hi_ns = 0
        self._look_ns = cycle_ns // 16
        self._reading_ns = cycle_ns
        self._look_min_ns = cycle_ns // 64
        self._read_ns = -1
        self._cleared: tuple[int, int] | None = None
        self._spaced_ns = 0
        self._index = self._since_look = self._late = 0
        self._is_lost = self._is_spaced = False
        self._forget()

    @property
    def width_ns(self) -> int:
        """How uncertain the end of the next conversion is, ns."""
        return self._hi_ns - self._lo_ns

    @property
    def late_ns(self) -> int:
        """A short cycle leaves no time to put a visit off, ns."""
        return self.due_ns

    @property
    def ended_ns(self) -> int:
        """A read comes right after the end of a conversion: 0, no other moment is known better."""
        return 0

    @property
    def cycle_ns(self) -> int:
        """The middle of what the cycle may be, ns."""
        return (self._short_ns + self._long_ns) >> 1

    @property
    def is_known(self) -> bool:
        """Whether the cycle is known well enough to follow the chip's other settings, too."""
        return self._cycle.longest_ns - self._cycle.shortest_ns < self._typical_ns / 256

    @property
    def pace(self) -> tuple[float, float]:
        """What is known of the true cycle by the typical one, for another setting of the chip."""
        if not self.is_known:
            return ANY_PACE
        low = self._cycle.shortest_ns / self._typical_ns * (1.0 - SETTINGS)
        return low, self._cycle.longest_ns / self._typical_ns * (1.0 + SETTINGS)

    # --- what happened to the chip --------------------------------------------------------------

    def restarted(self, before_ns: int, after_ns: int) -> None:
        """A configuration was written: conversions begin anew, and the flag is down."""
        self._is_spaced = self.wants_flag = False
        self._late = 0
        self._search(before_ns + self._short_ns, after_ns + WAKE_NS + self._long_ns)

    def unready(self, before_ns: int) -> None:
        """The flag was up and nobody cleared it, and now it is down: the chip began anew."""
        self._pace = ANY_PACE
        self._forget()
        self._search(before_ns, before_ns + self._long_ns)

    def found_down(self, before_ns: int) -> None:
        """The armed flag was read and is down: no conversion has ended by `before_ns`."""
        if before_ns > self._hi_ns:  # it should have been up: the chip is slower, or began anew
            self.is_surprised = True
            self.unready(before_ns)
        self._lo_ns = max(self._lo_ns, before_ns)
        self._plan_look()

    def found_up(self, before_ns: int, after_ns: int) -> bool:
        """The armed flag was read and is up: a conversion has ended by `after_ns`.

        Returns:
            Whether to read it; if not, part of it may have been read before.
        """
        self.is_armed = False
        self._look_ns = max(after_ns - before_ns, self._look_min_ns)
        if after_ns < self._lo_ns:  # sooner than it could: the chip is faster, or began anew
            self.is_surprised = True
            self._pace = ANY_PACE
            self._forget()
            self._lo_ns = max(self._read_ns, after_ns - self._long_ns)
        self._hi_ns = min(self._hi_ns, after_ns)
        self._late = max(0, self._late - self._since_look)
        self._since_look = 0
        if not self._cycle.learn(self._index, self._lo_ns, self._hi_ns):
            self.is_surprised = True
            self._pace = ANY_PACE
            self._forget()
            self._cycle.learn(self._index, self._lo_ns, self._hi_ns)
        self._predict()
        if self._read_ns < self._lo_ns - int(self._long_ns * self._tail):
            return True
        self._advance(1)
        self.missed += 1
        return False

    def armed(self, before_ns: int, after_ns: int) -> None:
        """The flag was cleared (03h was read) after a read."""
        self.wants_flag = False
        if self._is_lost:
            self._search(before_ns, after_ns + self._long_ns)
        elif after_ns < self._lo_ns:
            self.is_armed = True
            self._plan_look()
        elif self._is_vague:
            # One may have ended before the flag was cleared, and cannot be counted: begin anew.
            self._be_late()
            self._search(before_ns, after_ns + self._long_ns)

    @property
    def is_impatient(self) -> bool:
        """Whether a wanted flag should be cleared at once, and not in front of the next read."""
        return self._is_lost or self._is_vague

    def cleared(self, before_ns: int, after_ns: int) -> None:
        """The flag was cleared (03h was read) in front of the read of what is due."""
        self._cleared = before_ns, after_ns

    def took(self, first_ns: int, last_ns: int, *, is_up: bool = True) -> None:
        """The newest conversion was read.

        Args:
            first_ns: after the register that a cycle replaces first was read.
            last_ns: after the other one was read.
            is_up: what the flag said that came with it.
        """
        self._lo_ns = lo_ns = self._lo_ns + self._short_ns
        self._hi_ns = self.due_ns = hi_ns = self._hi_ns + self._long_ns
        self._read_ns = first_ns
        self._index += 1
        self._since_look += 1
        if self._cleared is not None:
            before_ns, after_ns = self._cleared
            self._cleared = None
            if self._take_cleared(before_ns, after_ns, last_ns, is_up=is_up):
                return
        if first_ns >= lo_ns - self._tail_ns or last_ns >= lo_ns:
            self._pass_over(first_ns, last_ns)
        elif hi_ns - lo_ns > self._wide_ns:
            # Until the cycle is known nearly, each look narrows it; afterwards they are spread.
            self.wants_flag = self._since_look >= _PAUSE_MIN or self._is_vague
        elif self._since_look > _HORIZON and self._since_look % _HORIZON == 1:
            self._predict()

    # --- inside ---------------------------------------------------------------------------------

    def _take_cleared(self, before_ns: int, after_ns: int, last_ns: int, *, is_up: bool) -> bool:
        """Begin to wait for the flag that was cleared in front of a read.

        Returns:
            Whether all is done; if not, nobody knows whose rise was, or will be, seen.
        """
        if self._is_lost or after_ns >= self._lo_ns:
            return False  # and so it is cleared again
        self.wants_flag = False
        if not is_up:
            self.is_armed = True
            self.found_down(self._read_ns)
        elif self.found_up(before_ns, last_ns):
            self._advance(1)  # the next one is half read already
            self.missed += 1
        return True

    def _forget(self) -> None:
        """Forget how long a cycle is."""
        self._cycle = Cycle(*(self._typical_ns * pace for pace in self._pace))
        self._step(self._cycle.shortest_ns, self._cycle.longest_ns)

    def _step(self, short: float, long: float) -> None:
        """Let the bracket go on by so much from one end to the next, ns."""
        self._short_ns, self._long_ns = int(short * (1.0 - DRIFT)), int(long * (1.0 + DRIFT)) + 1
        self._tail_ns = int(self._short_ns * self._tail)
        self._wide_ns = max(self._typical_ns // 8 * self.is_known, self._look_ns * 3 // 2)
        self._is_vague = self._cycle.longest_ns - self._cycle.shortest_ns > self._typical_ns / 64

    def _predict(self) -> None:
        """Take the bracket of the next end from the cycle, and its steps over the horizon.

        The earliest end that is possible is a concave function of its number, the latest a convex
        one: so straight lines between here and the horizon bound them.
        """
        lo_ns, hi_ns = self._cycle.bounds(self._index)
        self._lo_ns, self._hi_ns = max(lo_ns, self._lo_ns), min(hi_ns, self._hi_ns)
        far_lo_ns, far_hi_ns = self._cycle.bounds(self._index + _HORIZON)
        self._step((far_lo_ns - self._lo_ns) / _HORIZON, (far_hi_ns - self._hi_ns) / _HORIZON)

    def _search(self, lo_ns: int, hi_ns: int) -> None:
        """Look for an end between these two moments, the flag being down."""
        self._lo_ns, self._hi_ns = lo_ns, hi_ns
        low, high = self._cycle.loosened()
        least, most = (self._typical_ns * pace for pace in ANY_PACE)
        self._cycle = Cycle(max(low, least), min(high, most))
        self._step(self._cycle.shortest_ns, self._cycle.longest_ns)
        self._is_lost = False
        self.is_armed = True
        self._plan_look()

    def _plan_look(self) -> None:
        """Halve the bracket with the next look, but no finer than looks are long.

        While the cycle is vague, it is learned from ends that follow each other: then the flag is
        asked over and over, to have time left for clearing it before the next end.
        """
        width_ns, look_ns = self._hi_ns - self._lo_ns, self._look_ns
        if self._is_vague and width_ns <= 6 * look_ns:
            self.due_ns = self._lo_ns + look_ns
        elif 4 * width_ns > 5 * look_ns:
            self.due_ns = self._lo_ns + (width_ns - look_ns >> 1)  # the look's middle in the middle
        else:
            self.due_ns = self._hi_ns

    def _advance(self, count: int) -> None:
        """Go on to a later conversion."""
        self._index += count
        self._lo_ns += count * self._short_ns
        self._hi_ns += count * self._long_ns
        self.due_ns = self._hi_ns

    def _pass_over(self, first_ns: int, last_ns: int) -> None:
        """Pass over what ended unread, and what may have been read in part."""
        if not self._is_spaced:
            ahead_ns = max(first_ns + self._tail_ns, last_ns) - self._lo_ns
            count = ahead_ns // self._short_ns + 1
            self._advance(count)
            self.missed += count
            self._be_late()
        if self._is_spaced:
            self._space(first_ns, last_ns)
        elif self.width_ns > self._short_ns >> 1:
            self._is_lost = self.wants_flag = True
            self._lo_ns, self._hi_ns = last_ns, last_ns + 2 * self._long_ns
            self.due_ns = self._hi_ns

    def _be_late(self) -> None:
        """Count a visit that came too late, and give up following a chip that is too fast."""
        self._late += 4
        if self._late > LATE_MAX and not self._is_spaced:
            self._is_spaced, self._spaced_ns, self._since_look = True, self._read_ns, 0
            self._forget()

    def _space(self, first_ns: int, last_ns: int) -> None:
        """Wait for as long as a conversion may take, whatever the phase.

        The second register may be read so much earlier as reading the first one takes.
        """
        self.missed += max(0, (last_ns - self._spaced_ns) // self.cycle_ns - 1)
        if last_ns > first_ns:
            self._reading_ns = min(self._reading_ns, last_ns - first_ns)
        self._spaced_ns = self._lo_ns = last_ns
        self._hi_ns = last_ns + self._long_ns
        self.due_ns = max(first_ns + self._long_ns, self._hi_ns - self._reading_ns)
        if self._since_look > SPACED:
            self._is_spaced, self._is_lost, self.wants_flag, self._late = False, True, True, 0
