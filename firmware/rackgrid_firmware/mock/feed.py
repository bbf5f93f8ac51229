"""The feed: a voltage behind a resistance, with a limit to its current.

The rail settles where the feed's line meets the loads' (Kirchhoff; see `demand` for P and G):

    regulated   V = V0 - R * I          while I <= what the supply lets through
    limited     I = Is + (Im - Is) * V / V0

with I = P / V + G * V. At `amps_max` (Im) a supply stops holding its voltage; one with fold-back
then lets less through the lower its voltage is, `amps_short` (Is) into a short circuit; without
fold-back Is = Im. Each regime is a quadratic. Where several voltages are in balance the rail is at
the highest: that is where it comes down from.

Sources push power into the rail; what the loads do not take the feed takes back, as a battery or a
grid-tied supply does, and the rail rises above V0.

Sources: ZIP loads as in load flow; fold-back: Horowitz and Hill, The Art of Electronics, 9.13.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid_firmware.mock.demand import Demand

_CLOSE = 1e-9
"""Two regimes meet in one point, and rounding must not lose it between them."""


@dataclass(frozen=True, slots=True)
class Feed:
    """How the feed stands: volts at the rail, watts and amperes that it gives (less than 0: takes).

    Watts are what the loads draw less what sources give.
    """

    volts: float
    watts: float
    amps: float = 0.0


@dataclass(frozen=True, slots=True)
class Supply:
    """What feeds the rail.

    Attributes:
        open_v: without load, V.
        ohms: between it and the rail, ohm.
        amps_max: where its voltage begins to give way, A.
        amps_short: what it gives into a short circuit, A; `amps_max` without fold-back.
        volts_min: below this, regulators in loads give up, V.
        is_lost: whether it gives nothing.
    """

    open_v: float
    ohms: float
    amps_max: float = math.inf
    amps_short: float = math.inf
    volts_min: float = 0.0
    is_lost: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no supply.

        Raises:
            ValueError: a value is out of its bounds.
        """
        if not (self.open_v > 0 and math.isfinite(self.open_v)):
            raise ValueError(f"a feed of {self.open_v} V: give it a voltage above 0")
        if not (self.ohms >= 0 and math.isfinite(self.ohms)):
            raise ValueError(f"a feed behind {self.ohms} ohm: give it a resistance of 0 or more")
        if not self.amps_max > 0:
            raise ValueError(f"a feed of at most {self.amps_max} A: give it a limit above 0")
        if not 0 < self.amps_short <= self.amps_max:
            raise ValueError(
                f"a feed that folds back to {self.amps_short} A: above 0, and at most the "
                f"{self.amps_max} A where that begins"
            )

    def feed(self, demand: Demand) -> Feed:
        """Find where the rail settles under this demand of all loads less all sources."""
        if self.is_lost:
            return Feed(0.0, 0.0, 0.0)
        volts = max(self._balances(demand))
        watts = demand.watts(volts, self.volts_min)
        return Feed(volts, watts, watts / volts)

    def _balances(self, demand: Demand) -> Iterator[float]:
        """Give each voltage that is in balance."""
        high, low = self.volts_min * (1 - _CLOSE), self.volts_min * (1 + _CLOSE)
        for volts in self._regulated(demand.power_w, demand.siemens):
            if volts >= high and self._lets(volts, demand):
                yield volts
        below = demand.siemens
        if self.volts_min > 0:
            below += demand.power_w / self.volts_min**2
        for volts in self._regulated(0.0, below):
            if volts <= low and self._lets(volts, demand):
                yield volts
        if math.isfinite(self.amps_max):
            yield from self._limited(demand, below, high, low)

    def _regulated(self, power_w: float, siemens: float) -> Iterator[float]:
        """Solve V * V * (1 + R * G) - V0 * V + R * P = 0 for its upper root."""
        grown = 1.0 + self.ohms * siemens
        square = self.open_v * self.open_v - 4.0 * self.ohms * power_w * grown
        if grown > 0 and square >= 0:
            yield (self.open_v + math.sqrt(square)) / 2.0 / grown

    def _limited(self, demand: Demand, below: float, high: float, low: float) -> Iterator[float]:
        """Solve G * V * V - (Is + slope * V) * V + P = 0, and the same below `volts_min`."""
        slope = (self.amps_max - self.amps_short) / self.open_v
        for volts in _roots(demand.siemens - slope, -self.amps_short, demand.power_w):
            if volts >= high and self._would_give_more(volts):
                yield volts
        if below > slope:
            volts = self.amps_short / (below - slope)
            if volts <= low and self._would_give_more(volts):
                yield volts

    def _lets(self, volts: float, demand: Demand) -> bool:
        """Whether the limit lets through what the loads draw at this voltage."""
        amps = demand.watts(volts, self.volts_min) / volts
        return amps <= self._limit(volts) * (1 + _CLOSE)

    def _limit(self, volts: float) -> float:
        if math.isinf(self.amps_max):
            return math.inf
        return self.amps_short + (self.amps_max - self.amps_short) * volts / self.open_v

    def _would_give_more(self, volts: float) -> bool:
        """Whether it is the limit, and not the resistance, that holds the current down."""
        return self.open_v - volts >= self.ohms * self._limit(volts) * (1 - _CLOSE) - _CLOSE


def _roots(a: float, b: float, c: float) -> Iterator[float]:
    """Solve a x² + b x + c = 0 without losing digits; positive roots only."""
    if a == 0:
        if b != 0 and -c / b > 0:
            yield -c / b
        return
    square = b * b - 4 * a * c
    if square < 0:
        return
    half = -0.5 * (b + math.copysign(math.sqrt(square), b))
    yield from (root for root in (half / a, c / half if half else -1.0) if root > 0)
