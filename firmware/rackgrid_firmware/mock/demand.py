"""What a load asks of the rail: so much power whatever the voltage, and so much conductance.

Two parts of the three of a ZIP load (impedance, current, power), as load-flow programs have them:

    P(V) = power_w + siemens * V²

A constant power would draw an endless current from a collapsing rail. No regulator does: below its
least voltage it gives up regulating. So below `volts_min` the power part turns into the resistance
that draws the same there, which is what simulators of such loads do (Simscape, "Constant Power
Load": below the minimum supply voltage it acts as a constant resistance).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand, constant until something changes.

    Attributes:
        power_w: drawn at any voltage that a regulator can work with, W; negative: given.
        siemens: conductance beside it, 1/ohm.
    """

    power_w: float = 0.0
    siemens: float = 0.0

    def watts(self, volts: float, volts_min: float) -> float:
        """Give what is drawn at a rail of so many volts, W."""
        power_w = self.power_w
        if volts < volts_min:
            power_w *= (volts / volts_min) ** 2
        return power_w + self.siemens * volts * volts if self.siemens else power_w


NOTHING = Demand()


@dataclass(frozen=True, slots=True)
class Ripple:
    """A demand that switches on and off by itself, faster than the truth is told.

    Attributes:
        begun_ns: a moment at which it switched on, ns.
        period_ns, on_ns: a whole period, and the part of it that is on, ns.
    """

    begun_ns: int
    period_ns: int
    on_ns: int

    @property
    def duty(self) -> float:
        """The share of the time that is on."""
        return self.on_ns / self.period_ns

    def is_on(self, now_ns: int) -> bool:
        """Whether it is on at this moment."""
        return (now_ns - self.begun_ns) % self.period_ns < self.on_ns

    def next_edge_ns(self, now_ns: int) -> int:
        """Say when it switches next, after `now_ns`."""
        into_ns = (now_ns - self.begun_ns) % self.period_ns
        return now_ns + (self.on_ns if into_ns < self.on_ns else self.period_ns) - into_ns


@dataclass(frozen=True, slots=True)
class Drawn:
    """A load's demand while it is on, and how it switches by itself (None: it does not)."""

    demand: Demand = NOTHING
    ripple: Ripple | None = None

    @property
    def share(self) -> float:
        """The share of the time that it draws."""
        return 1.0 if self.ripple is None else self.ripple.duty

    def is_on(self, now_ns: int) -> bool:
        """Whether it draws at this very moment."""
        return self.ripple is None or self.ripple.is_on(now_ns)
