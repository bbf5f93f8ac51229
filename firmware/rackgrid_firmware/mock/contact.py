"""A relay's contact: it moves late, it bounces, it welds, it sticks, it wears out.

A coil that is energised closes the contact `operate_s` later, and one that is released opens it
after `release_s` (SRD-05VDC: at most 10 ms each). Closing, it bounces: it opens again `bounces`
times within `bounce_s`, and each time that it closes the load starts anew. Every closing may weld
it: with the chance `weld_chance`, and by wear.

Wear is Weibull's: of contacts that lasted n - 1 closings the share that fails at the next is

    1 - exp(((n - 1) / life)^k - (n / life)^k),   k = 3

so that of many such contacts 63 % have failed after `life` closings. Of two that fail one welds and
one burns open. All chance is that of the seed and the number of the closing.

Sources: Songle SRD datasheet (operate and release 10 ms, 1e5 operations electrically at rated
load); IEC 61810-2 (the life of relays as a Weibull distribution; wear-out has a shape above 1: the
3 here is chosen).
"""

from __future__ import annotations

import math

from rackgrid_firmware.mock.chance import bits, seeded, uniform
from rackgrid_firmware.profile_mock import ContactMock

BOUNCES_MAX = 20
_SHAPE = 3.0


class Contact:
    """One contact, and the coil that moves it.

    Args:
        wear: how it moves and fails.
        seed: of its chance.
    """

    def __init__(self, wear: ContactMock, seed: int) -> None:
        self._wear = wear
        self._weld_seed = seeded(seed, "weld")
        self._wear_seed = seeded(seed, "wear")
        self._bounce_seed = seeded(seed, "bounce")
        self._energised = False
        self._moves: list[tuple[int, bool]] = []
        """What it is going to do, in order of time."""
        self.is_closed = False
        self.is_welded = False
        self.is_stuck = False
        self.closings = 0
        """How often it has closed, bounces included."""
        self._bounces, self._bounce_s = wear.bounces, wear.bounce_s

    @property
    def next_ns(self) -> int | None:
        """When it moves next, or None."""
        return self._moves[0][0] if self._moves else None

    def energise(self, now_ns: int, energised: bool) -> None:
        """Switch the coil."""
        if energised == self._energised:
            return
        self._energised = energised
        self._moves.clear()
        if energised:
            closed_ns = now_ns + round(self._wear.operate_s * 1e9)
            self._moves.append((closed_ns, True))
            self._plan_bounces(closed_ns)
        else:
            self._moves.append((now_ns + round(self._wear.release_s * 1e9), False))
        self.move(now_ns)

    def move(self, now_ns: int) -> None:
        """Make the moves that are due."""
        while self._moves and self._moves[0][0] <= now_ns:
            _, closed = self._moves.pop(0)
            if closed:
                self._close()
            elif not self.is_welded:
                self.is_closed = False

    def weld(self, welded: bool) -> None:
        """Weld it: once closed it opens no more. Or repair it."""
        self.is_welded = welded
        self._follow()

    def stick(self, stuck: bool) -> None:
        """Let it stick open: it closes no more. Or repair it."""
        self.is_stuck = stuck
        if stuck:
            self.is_closed = self.is_welded = False
        self._follow()

    def bounce(self, bounces: int, bounce_s: float) -> None:
        """Let it bounce so at every closing from now on.

        Raises:
            ValueError: more than a contact does, or a time that is none.
        """
        if not 0 <= bounces <= BOUNCES_MAX or not 0 <= bounce_s <= 1:
            raise ValueError(
                f"{bounces} bounces within {bounce_s:g} s; allowed: 0 to {BOUNCES_MAX}, 0 to 1 s"
            )
        self._bounces, self._bounce_s = bounces, bounce_s

    def _follow(self) -> None:
        """Go where the coil wants it, unless it is on its way already."""
        if self._moves:
            return
        if self._energised:
            self._close()
        elif not self.is_welded:
            self.is_closed = False

    def _close(self) -> None:
        if self.is_closed or self.is_stuck:
            return
        self.is_closed = True
        self.closings += 1
        if _chance(self._wear_seed, 2 * self.closings) < self._share_that_fails():
            self.is_welded = bits(self._wear_seed, 2 * self.closings + 1) % 2 == 0
            self.is_closed, self.is_stuck = self.is_welded, not self.is_welded
        elif _chance(self._weld_seed, self.closings) < self._wear.weld_chance:
            self.is_welded = True

    def _share_that_fails(self) -> float:
        life = self._wear.life
        if not life:
            return 0.0
        before, after = (((self.closings - back) / life) ** _SHAPE for back in (1, 0))
        return 1.0 - math.exp(before - after)

    def _plan_bounces(self, closed_ns: int) -> None:
        seed, span_ns = seeded(self._bounce_seed, self.closings), self._bounce_s * 1e9
        for number in range(self._bounces):
            part = number + 0.5 + 0.25 * uniform(seed, number)
            self._moves.append((closed_ns + round(span_ns * part / self._bounces), False))
            self._moves.append((closed_ns + round(span_ns * (number + 1) / self._bounces), True))


def _chance(seed: int, index: int) -> float:
    """Give the index-th number of a seed, evenly spread over [0, 1)."""
    return bits(seed, index) / float(1 << 64)
