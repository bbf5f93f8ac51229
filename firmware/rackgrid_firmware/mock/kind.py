"""The kinds of load: how each starts, and how its draw follows the voltage.

A start draws at most `inrush_w` for `inrush_s`, which is what the profile promises; once it is over
a load draws at most `nominal_w`, unless it is declared to lie. In between:

    power      constant power (a switching regulator); the whole inrush at `inrush_w`
    resistive  P = draw_w * (V / V0)²: a heater
    motor      P(t) = draw_w + (inrush_w - draw_w) * (V / V0)² * e^(-5 t / inrush_s): the locked
               rotor is a resistance, and its current falls as the speed rises. Started again
               within `stall_s` of a stop (a compressor against its pressure) it stays locked
               until that time is over
    supply     a capacitor that charges through a resistance R: the excess is (V / V0)² * X *
               e^(-5 t / inrush_s) with X = inrush_w - draw_w = V0² / R, then constant power. What
               the load has not yet drawn from the capacitor when it starts again, it need not
               charge: the excess shrinks by 1 - Vc / V0, with Vc² falling at the rate of draw_w
    lamp       a cold filament: an excess as a motor's, then P ~ V^1.6 near V0, as filaments have
               it: 0.8 of it as a resistance and 0.2 as a constant power have the same slope
    pwm        constant power in the on part of each period, `hz` and `duty` of its own; draw_w is
               what it draws while on
    cycle      on for `duty` of each `period_s`, from the moment that it gets power; each turn is a
               start
    thermal    a fridge or a heater behind a thermostat (`gate`); each turn is a start

V0 is the feed's voltage without load. After `inrush_s`, five time constants, the falling part is at
0.7 % and is cut off. It falls in steps, each with the energy of its piece of the curve.

Sources: DC motor with locked rotor, V = I * R + k * speed with a first-order run-up; RC charging;
P ~ V^1.6: rerating of incandescent lamps (IES Lighting Handbook).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

STEPS: Final = 16
"""Steps of a falling inrush."""
SPAN: Final = 5.0
"""Time constants in `inrush_s`."""

CURVE: Final = tuple(
    (math.exp(-SPAN * step / STEPS) - math.exp(-SPAN * (step + 1) / STEPS)) * STEPS / SPAN
    for step in range(STEPS)
)
"""Mean of e^(-5 x) over each step."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of load.

    Attributes:
        falls: whether its inrush falls exponentially, as a resistance; else it is constant.
        resistive: the share of the draw that is a resistance; the rest is constant power.
        recharges: whether a short stop leaves part of the inrush undone.
    """

    falls: bool = False
    resistive: float = 0.0
    recharges: bool = False


KINDS: Final[dict[str, Kind]] = {
    "power": Kind(),
    "resistive": Kind(resistive=1.0),
    "motor": Kind(falls=True),
    "supply": Kind(falls=True, recharges=True),
    "lamp": Kind(falls=True, resistive=0.8),
    "pwm": Kind(),
    "cycle": Kind(),
    "thermal": Kind(falls=True),
}


def undone(excess_w: float, draw_w: float, inrush_s: float, pause_s: float, charge: float) -> float:
    """Give the share of a capacitor's inrush that is to be done (again) after a pause.

    Args:
        excess_w: the first power into the empty capacitor, W.
        draw_w: what empties it, W.
        inrush_s: five time constants, s.
        pause_s: without power, s.
        charge: its voltage when the pause began, as a share of the rail's.
    """
    full_j = excess_w * inrush_s / SPAN / 2  # C V0² / 2 with X = V0² / R and RC = inrush_s / 5
    if full_j <= 0:
        return 1.0
    left_j = max(0.0, full_j * charge * charge - draw_w * pause_s)
    return 1.0 - math.sqrt(left_j / full_j)


def remains(since_ns: int, inrush_ns: int) -> float:
    """Give what a falling inrush has come down to: e^(-5 t / inrush_s), and 0 once it is over."""
    if since_ns >= inrush_ns:
        return 0.0
    return math.exp(-SPAN * max(0, since_ns) / inrush_ns)
