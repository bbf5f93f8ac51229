"""A load behind a relay's contact: what it draws, as a function of time.

Steady draw wanders: a new value every second, taken from the seed and the second since the contact
closed, so that the same switching gives the same watts in every run. It never passes the nameplate.

An undriven pin closes no contact: the SoC's pulls (about 50 kOhm, tens of microamperes) feed
neither an opto-coupler's input nor a coil driver, and the recommended wiring pulls to the open side
anyway.
"""

from __future__ import annotations

from rackgrid_firmware.mock.chance import seeded, uniform
from rackgrid_firmware.mock.wiring import LoadWiring

WANDER_NS = 1_000_000_000


class Load:
    """One load, its relay's contact and the pin that drives it."""

    def __init__(self, wiring: LoadWiring, seed: int) -> None:
        self.wiring = wiring
        self.level: bool | None = None
        """The driven level of the pin; None when it is an input."""
        self.is_closed = False
        self.is_welded = False
        self.draw_w = wiring.draw_w
        self._seed = seed
        self._starts = 0
        self._closed_ns = 0
        self._inrush_ns = round(wiring.inrush_s * 1e9)

    def drive(self, now_ns: int, level: bool | None) -> None:
        """Let the pin go to this level; None makes it an input."""
        self.level = level
        wanted = level is not None and level == self.wiring.active_high
        if wanted and not self.is_closed:
            self.is_closed = True
            self._closed_ns = now_ns
            self._starts += 1
        elif not wanted and not self.is_welded:
            self.is_closed = False

    def weld(self, now_ns: int, welded: bool) -> None:
        """Weld the contact: once closed it opens no more. Or repair it."""
        self.is_welded = welded
        self.drive(now_ns, self.level)

    def watts(self, now_ns: int) -> float:
        """Give the true draw at this moment, W."""
        if not self.is_closed:
            return 0.0
        if now_ns < self._closed_ns + self._inrush_ns:
            return self.wiring.inrush_w
        second = (now_ns - self._closed_ns) // WANDER_NS
        wander = self.wiring.noise * uniform(seeded(self._seed, self._starts), second)
        return max(0.0, min(self.wiring.nominal_w, self.draw_w * (1.0 + wander)))

    def next_change_ns(self, now_ns: int) -> int | None:
        """Say when the draw changes by itself, after `now_ns`; None if it does not."""
        if not self.is_closed:
            return None
        inrush_end_ns = self._closed_ns + self._inrush_ns
        if now_ns < inrush_end_ns:
            return inrush_end_ns
        if self.wiring.noise == 0.0:
            return None
        return now_ns + WANDER_NS - (now_ns - self._closed_ns) % WANDER_NS
