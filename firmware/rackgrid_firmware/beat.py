"""When a slow converter has something new: its flag is asked at each visit and steers the next one.

A chip converts for ever at a pace of its own, the datasheet's typical time and up to 10 % more (and
less: it gives no least). Who reads it at the typical time reads some conversions twice and misses
others; who never clears its ready flag cannot tell a converter that has stopped from a load that
holds still. So each visit asks the flag, and clears it when a conversion was taken: three transfers
where two would do, some fifteen times a second. (`phase` is for short cycles, of which a third
transfer would fill the bus: it asks now and then, and has to know the cycle to a few microseconds.)

Kept is a bracket [lo, hi] that holds the end of the next conversion, and one for the length of the
cycle. A flag that is found down says "later than that", one that is up "by then". A visit at `hi`
finds a conversion that is surely there; the bracket grows from one to the next by what is not known
of the cycle, and when it is wider than a sixteenth of it, the next visit comes in its middle. That
is one visit in some forty that finds nothing.

Between `hi` and the time at which the next conversion begins to replace the registers a read gives
the same, whenever it comes: up to `late_ns` visits may be put off to share a wake-up with others.
What was read stands for the time until `ended_ns`, not until it was read, so energy does not mind.

A visit that comes so late that the registers may have been replaced between two of its transfers,
or the flag been cleared that spoke for the next conversion, passes the next one over: none is ever
read twice.

Pure: times are arguments, CLOCK_MONOTONIC ns. `before` and `after` enclose a transfer; the moment
at which the chip acted is somewhere between.

Sources: SBOS448G 8.6.3.2 (CNVR), SBOS547B 7.1.7, SBOS656C 8.6.5, SBOS576C 7.6.2.16 (CVRF); the
longest conversion times there are 1.1 times the typical ones. The bracket is the set-membership
estimate of `cycle` with one look to go by instead of many, for it need not be narrow here.
"""

from __future__ import annotations

from typing import Final

from rackgrid_firmware.cycle import DRIFT, LATER
from rackgrid_firmware.phase import ANY_PACE, SETTINGS, WAKE_NS

_WIDE: Final = 16
"""A bracket may be this part of a cycle wide before it is halved by a visit in its middle."""
_LOOKS: Final = 3
"""And so many looks long: a slow bus cannot halve what it takes to look."""
_ANCHOR_MAX: Final = 256
"""The cycle is measured from a conversion that is at most so many back: it drifts."""
_KNOWN: Final = 256
"""The cycle counts as known when it is known to this part of it."""


class Beat:
    """The cycle of one chip, and the place in it.

    Args:
        cycle_ns: typical time of one conversion of everything, ns.
        head_ns: typical time from the begin of a cycle to the first register that it replaces, ns.
        pace: least and most of the true cycle by the typical one, if the chip is known.
    """

    def __init__(self, cycle_ns: int, head_ns: int, pace: tuple[float, float] = ANY_PACE) -> None:
        assert 0 < head_ns <= cycle_ns, f"a head of {head_ns} ns in a cycle of {cycle_ns} ns"
        self.due_ns = 0
        """When to visit next, ns."""
        self.late_ns = 0
        """Until when that visit may be put off at no cost, ns."""
        self.ended_ns = 0
        """When the conversion ended that the registers held when the flag was found up last, ns:
        within half a bracket, or after a pause within half a cycle."""
        self.open_ns = 0
        """The flag cannot be up before this, ns: asking is in vain."""
        self.missed = 0
        """Conversions that nobody read, as far as one can tell."""
        self.is_surprised = False
        """The flag was not as it had to be: the chip may have begun anew. Read by its owner."""
        self._typical_ns = cycle_ns
        self._tail_ns = round((cycle_ns - head_ns) * ANY_PACE[1])
        self._wide_ns = cycle_ns // _WIDE
        self._hi_ns = 0
        self._read_ns = -1
        self._index = 0
        self._anchor: tuple[int, int, int] | None = None
        self._is_eaten = False
        self._is_cut = False
        self._short_ns, self._long_ns = self._from_pace(pace)

    @property
    def is_known(self) -> bool:
        """Whether the cycle is known well enough to tell the chip's other settings, too."""
        return self._long_ns - self._short_ns < self._typical_ns / _KNOWN

    @property
    def pace(self) -> tuple[float, float]:
        """What is known of the true cycle by the typical one, for another setting of the chip."""
        if not self.is_known:
            return ANY_PACE
        low = self._short_ns / self._typical_ns * (1.0 - SETTINGS)
        return low, self._long_ns / self._typical_ns * (1.0 + SETTINGS)

    # --- what happened to the chip --------------------------------------------------------------

    def restarted(self, before_ns: int, after_ns: int) -> None:
        """A configuration was written: conversions begin anew, and the flag is down."""
        self._search(before_ns + self._short_ns, after_ns + WAKE_NS + self._long_ns)

    def found_down(self, before_ns: int) -> None:
        """The flag was asked and is down: no conversion has ended by `before_ns`."""
        if before_ns >= self._hi_ns and self._is_eaten:
            self.missed += 1  # it ended just before the flag was cleared
            self._advance(1)
            self._is_eaten = False
        if before_ns >= self._hi_ns:  # it should have been up: it is slower, or began anew
            self._forget()
            self._search(before_ns, before_ns + self._long_ns)
        elif not self._is_eaten:
            self.open_ns = max(self.open_ns, before_ns)
            self._is_cut = True
        self._plan()

    def found_up(self, before_ns: int, after_ns: int) -> bool:
        """The flag was asked and is up: a conversion has ended by `after_ns`.

        Returns:
            Whether to read it; if not, part of it may have been read before.
        """
        count = (before_ns - self._hi_ns) // self._long_ns
        if count > 0:  # so many more have surely ended since
            self.missed += count
            self._advance(count)
        if after_ns < self._hi_ns:
            self._hi_ns = after_ns
            self._is_cut = True
        self._wide_ns = max(self._typical_ns // _WIDE, _LOOKS * (after_ns - before_ns))
        if self._is_cut or self._anchor is None:
            self._learn()
        # What the registers hold ended within the last cycle, whatever its number.
        since_ns = max(self.open_ns, before_ns - self._long_ns)
        is_last = self.open_ns + self._short_ns > after_ns
        self.ended_ns = (since_ns + (self._hi_ns if is_last else after_ns)) >> 1
        if since_ns - self._tail_ns > self._read_ns:
            return True
        self.missed += 1
        return False

    def took(self, last_ns: int) -> None:
        """Its registers were read, the last one before `last_ns`."""
        self._read_ns = last_ns

    def cleared(self, before_ns: int, after_ns: int) -> None:
        """The flag was cleared, and what it spoke for has been dealt with: await the next one."""
        self._advance(1)
        if self._hi_ns < before_ns:  # held up: what ended since was cleared with it
            count = (before_ns - self._hi_ns) // self._long_ns + 1
            self.missed += count
            self._advance(count)
        self._is_eaten = self.open_ns <= after_ns
        if self._is_eaten and self._hi_ns - self.open_ns > self._short_ns >> 1:
            self._search(before_ns, after_ns + self._long_ns)  # nobody knows any more which is next
        else:
            self._plan()

    # --- inside ---------------------------------------------------------------------------------

    def _advance(self, count: int) -> None:
        """Go on to a later conversion."""
        self._index += count
        self.open_ns += count * self._short_ns
        self._hi_ns += count * self._long_ns

    def _search(self, lo_ns: int, hi_ns: int) -> None:
        """Wait for the next rise of the flag between these two moments, knowing no more."""
        self.open_ns, self._hi_ns = lo_ns, hi_ns
        self._anchor = None
        self._is_eaten = self._is_cut = False
        self._plan()

    def _plan(self) -> None:
        """Visit when it is surely up, and with time to spare; or halve what is not known."""
        width_ns = self._hi_ns - self.open_ns
        if width_ns > self._wide_ns and not self._is_eaten:
            self.due_ns = self.late_ns = self.open_ns + (width_ns >> 1)
            return
        self.due_ns = self._hi_ns
        spare_ns = self.open_ns + self._short_ns - self._tail_ns - self._hi_ns
        self.late_ns = self._hi_ns + max(0, min(self._short_ns, spare_ns) >> 1)

    def _learn(self) -> None:
        """Measure the cycle from an earlier conversion to this one."""
        self._is_cut = False
        here = self._index, self.open_ns, self._hi_ns
        if self._anchor is None:
            self._anchor = here
            return
        index, lo_ns, hi_ns = self._anchor
        count = self._index - index
        if count == 0:
            return
        short = max(self._short_ns, int((self.open_ns - hi_ns) / count * (1.0 - DRIFT)))
        long = min(self._long_ns, int((self._hi_ns - lo_ns) / count * (1.0 + DRIFT)) + 1)
        if self.open_ns > self._hi_ns or short > long:
            self._forget()
            self.open_ns = min(self.open_ns, self._hi_ns)
            self._anchor = self._index, self.open_ns, self._hi_ns
            return
        self._short_ns, self._long_ns = short, long
        if count >= _ANCHOR_MAX:
            self._anchor = here
            self._short_ns = int(short * (1.0 - LATER))
            self._long_ns = int(long * (1.0 + LATER)) + 1

    def _forget(self) -> None:
        """Know of the cycle what any chip's may be."""
        self.is_surprised = True
        self._anchor = None
        self._short_ns, self._long_ns = self._from_pace(ANY_PACE)

    def _from_pace(self, pace: tuple[float, float]) -> tuple[int, int]:
        return int(self._typical_ns * pace[0]), int(self._typical_ns * pace[1]) + 1
