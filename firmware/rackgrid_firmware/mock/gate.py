"""What switches a load from the inside: nothing, a timer, or a thermostat.

A gate has power or not (the relay's business) and lets the load draw or not (its own). It moves at
moments that follow from its past alone, so it does not matter how often one looks.
"""

from __future__ import annotations

import math
from typing import Protocol

from rackgrid_firmware.profile_mock import LoadMock

_S = 1_000_000_000


class Gate(Protocol):
    """A switch inside of a load."""

    @property
    def is_on(self) -> bool:
        """Whether the load draws, given that it has power."""
        ...

    @property
    def next_ns(self) -> int | None:
        """When it moves by itself, or None."""
        ...

    def turn(self, now_ns: int) -> None:
        """Move; only at `next_ns`."""
        ...

    def power(self, now_ns: int, has_power: bool) -> None:
        """Get power, or lose it."""
        ...


class Open:
    """A gate that is always on."""

    is_on = True
    next_ns: int | None = None

    def turn(self, now_ns: int) -> None:
        """Never happens."""

    def power(self, now_ns: int, has_power: bool) -> None:
        """Change nothing."""


class Timer:
    """On for a share of each period, from the moment that power comes.

    Args:
        period_s: s.
        duty: the share that is on.
    """

    def __init__(self, period_s: float, duty: float) -> None:
        on_ns = round(period_s * duty * _S)
        self._parts = (on_ns, max(1, round(period_s * _S)) - on_ns)
        self.is_on = on_ns > 0
        self.next_ns: int | None = None

    def turn(self, now_ns: int) -> None:
        """Move to the other part of the period."""
        self._enter(now_ns, not self.is_on)

    def power(self, now_ns: int, has_power: bool) -> None:
        """Begin a period, or stop the clock."""
        self._enter(now_ns, self._parts[0] > 0)
        if not has_power:
            self.next_ns = None

    def _enter(self, now_ns: int, is_on: bool) -> None:
        self.is_on = is_on
        self.next_ns = now_ns + self._parts[not is_on] if all(self._parts) else None


class Thermostat:
    """Keeps a body of one heat capacity behind one thermal resistance between two temperatures.

        settle_s * dT/dt = target - T,   target = reach_c while it runs, else ambient_c

    so T(t) = target + (T0 - target) * e^(-t / settle_s), and the moment at which it meets a bound
    is a logarithm. It heats if `reach_c` lies above `ambient_c`, and cools otherwise. The thermal
    power does not follow the rail's voltage: compressors and heaters behind regulators do not.

    Source: Newton's law of cooling; the model of a thermostatically controlled load (Ihara and
    Schweppe, IEEE PAS-100, 1981).

    Args:
        now_ns: when it is plugged in, at ambient temperature, ns.
        load: its temperatures and time constant.
    """

    def __init__(self, now_ns: int, load: LoadMock) -> None:
        assert load.low_c < load.high_c
        assert load.settle_s > 0
        heats = load.reach_c > load.ambient_c
        self._settle_s = load.settle_s
        self._lift_c = load.reach_c - load.ambient_c
        self._ambient_c = load.ambient_c
        self._start_c, self._stop_c = (
            (load.low_c, load.high_c) if heats else (load.high_c, load.low_c)
        )
        self._has_power = False
        self._then_ns = now_ns
        self._then_c = load.ambient_c
        self.is_on = self._then_c < load.high_c if heats else self._then_c > load.low_c
        """Whether the thermostat asks for the load."""

    @property
    def next_ns(self) -> int | None:
        """When the temperature meets the bound that turns it; None if it never does."""
        bound_c = self._stop_c if self.is_on else self._start_c
        far_c, away_c = self._then_c - self._target_c, bound_c - self._target_c
        if far_c == 0 or not 0 < away_c / far_c <= 1:
            return None
        return self._then_ns + math.ceil(-math.log(away_c / far_c) * self._settle_s * _S)

    def celsius(self, now_ns: int) -> float:
        """Give its temperature, degrees Celsius."""
        passed = (now_ns - self._then_ns) / _S / self._settle_s
        return self._target_c + (self._then_c - self._target_c) * math.exp(-passed)

    def turn(self, now_ns: int) -> None:
        """Meet the bound."""
        self._then_c = self._stop_c if self.is_on else self._start_c
        self._then_ns = now_ns
        self.is_on = not self.is_on

    def power(self, now_ns: int, has_power: bool) -> None:
        """Get power, or lose it: it turns towards ambient."""
        self._anchor(now_ns)
        self._has_power = has_power

    def surround(self, now_ns: int, ambient_c: float) -> None:
        """Let it stand in another temperature."""
        self._anchor(now_ns)
        self._ambient_c = ambient_c

    @property
    def _target_c(self) -> float:
        """Where it is heading; a machine moves a given difference, wherever it stands."""
        return self._ambient_c + (self._lift_c if self._has_power and self.is_on else 0.0)

    def _anchor(self, now_ns: int) -> None:
        self._then_c = self.celsius(now_ns)
        self._then_ns = now_ns


def gate(now_ns: int, load: LoadMock) -> Gate:
    """Make the gate of a kind of load."""
    if load.kind == "cycle":
        return Timer(load.period_s, load.duty)
    return Thermostat(now_ns, load) if load.kind == "thermal" else Open()
