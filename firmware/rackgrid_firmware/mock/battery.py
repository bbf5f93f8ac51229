"""A battery behind a converter: what it stores, what its terminals show, where it ends.

Cells are LiFePO4: the open-circuit voltage of each follows a table of the state of charge q, steep
at both ends and flat between. Under a power P at its terminals the current solves

    P = (U(q) - I * R) * I        (I > 0: it is discharged)

and charge is counted: dq/dt = -I / capacity. Beyond the terminals stands a converter that loses
1 - efficiency each way: `efficiency` * P reaches the rail, and P / `efficiency` is taken from it.
The meter sits at the terminals, as a battery's shunt does: it shows U - I * R, and the current,
positive when the battery gives.

The current is held for a step (a minute, or until the battery is full or empty), with U of the
step's beginning; over a step of a minute U moves by less than 1 mV except near the ends.

Source: open-circuit voltages: the usual table for LiFePO4 cells at rest (20 °C), as battery
monitors use it.
"""

from __future__ import annotations

import math
from bisect import bisect_right

from rackgrid_firmware.profile_mock import SourceMock

STEP_NS = 60_000_000_000
_TABLE = (
    (0.0, 2.50),
    (0.05, 3.00),
    (0.10, 3.20),
    (0.20, 3.25),
    (0.40, 3.29),
    (0.60, 3.31),
    (0.80, 3.34),
    (0.95, 3.36),
    (1.0, 3.45),
)


def cell_volts(charge: float) -> float:
    """Give the open-circuit voltage of a cell, V, at a state of charge of 0 to 1."""
    upper = min(len(_TABLE) - 1, max(1, bisect_right(_TABLE, (charge, math.inf))))
    (q0, u0), (q1, u1) = _TABLE[upper - 1], _TABLE[upper]
    return u0 + (u1 - u0) * (charge - q0) / (q1 - q0)


class Battery:
    """A battery and its converter.

    Args:
        now_ns: when it is plugged in, ns.
        source: what it is.
        watts: what it shall give to the rail at first, W; less than 0: take.
    """

    def __init__(self, now_ns: int, source: SourceMock, watts: float) -> None:
        assert source.capacity_ah > 0
        self._source = source
        self._then_ns = now_ns
        self._charge = source.charge
        self._rail_lives = True
        self._wanted_w = 0.0
        self._volts, self._amps = 0.0, 0.0
        self.watts = 0.0
        """What it gives to the rail now, W; less than 0: it takes."""
        self.set(now_ns, watts)

    @property
    def next_ns(self) -> int | None:
        """When its step ends, or it is full or empty; None while it rests."""
        if self._amps == 0.0:
            return None
        left = self._charge if self._amps > 0 else self._charge - 1.0
        left_ns = left * self._source.capacity_ah * 3600 / self._amps * 1e9
        return self._then_ns + max(1, math.ceil(min(STEP_NS, left_ns)))

    @property
    def terminals(self) -> tuple[float, float] | None:
        """Volts and amperes at its terminals."""
        return self._volts, self._amps

    def charge(self, now_ns: int) -> float:
        """Give the state of charge, 0 to 1."""
        passed_s = (now_ns - self._then_ns) / 1e9
        charge = self._charge - self._amps * passed_s / 3600 / self._source.capacity_ah
        return min(1.0, max(0.0, charge))

    def advance(self, now_ns: int) -> None:
        """Let its charge change until now."""
        while (due_ns := self.next_ns) is not None and due_ns <= now_ns:
            self._step(due_ns)

    def set(self, now_ns: int, watts: float) -> None:
        """Let it give so much to the rail from now on, or take it; its limits bound it."""
        self._wanted_w = max(-self._source.take_w_max, min(self._source.give_w_max, watts))
        self._step(now_ns)

    def follow(self, now_ns: int, rail_lives: bool) -> None:
        """Rest while the rail is dead."""
        self._rail_lives = rail_lives
        self._step(now_ns)

    def _step(self, now_ns: int) -> None:
        """Begin a step with what it can do."""
        self._charge = self.charge(now_ns)
        self._then_ns = now_ns
        source, wanted_w = self._source, self._wanted_w if self._can() else 0.0
        inside_v = source.cells * cell_volts(self._charge)
        terminal_w = wanted_w / source.efficiency if wanted_w > 0 else wanted_w * source.efficiency
        square = inside_v * inside_v - 4 * source.ohms * terminal_w
        if square < 0:  # beyond what its resistance lets through: give the most
            square, terminal_w = 0.0, inside_v * inside_v / 4 / source.ohms
        self._volts = (inside_v + math.sqrt(square)) / 2
        self._amps = terminal_w / self._volts
        share = source.efficiency if terminal_w > 0 else 1 / source.efficiency
        self.watts = terminal_w * share

    def _can(self) -> bool:
        ends = self._charge > 0 if self._wanted_w > 0 else self._charge < 1
        return ends and self._rail_lives
