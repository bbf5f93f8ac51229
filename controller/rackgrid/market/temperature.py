"""Temperatures that a model says: what a fridge or a heater does while its sensor is silent.

The model has one thermal mass: it creeps towards the surroundings and, while the load runs, towards
a temperature of its own. The step is implicit (backward Euler): however long, it never overshoots.

An estimate drifts away from the truth, so it is believed for a while only. Then nobody knows the
temperature, and a thermal load does what is safe (`thermal`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """How a temperature moves.

    Attributes:
        off_mc, on_mc: where it ends while the load is off, and on, thousandths of a degree Celsius.
        slow_ns: in this time about two thirds of the way are made.
        blind_ns: how long an estimate is believed after the last reading.
    """

    off_mc: int
    on_mc: int
    slow_ns: int
    blind_ns: int

    def __post_init__(self) -> None:
        assert self.slow_ns > 0, "nothing with a mass changes at once"


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of a temperature.

    Attributes:
        mc: thousandths of a degree Celsius.
        read_ns: when a sensor said so last; at_ns: the moment for which it is believed.
    """

    mc: int
    read_ns: int
    at_ns: int


def believed(
    model: Model, belief: Belief | None, reading_mc: int | None, now_ns: int, *, on: bool
) -> Belief | None:
    """Say what the temperature is: a fresh reading, or what the model makes of the last one.

    Args:
        belief: as it was; None: nobody knew.
        reading_mc: of a sensor now; None if it is silent.
        on: whether the load ran since then.

    Returns:
        None if nobody knows, or it has not been read for too long.
    """
    if reading_mc is not None:
        return Belief(reading_mc, now_ns, now_ns)
    if belief is None or now_ns - belief.read_ns > model.blind_ns:
        return None
    moved = moved_mc(model, belief.mc, now_ns - belief.at_ns, on=on)
    return Belief(moved, belief.read_ns, now_ns)


def moved_mc(model: Model, mc: int, span_ns: int, *, on: bool) -> int:
    """Where a temperature is after a while."""
    target = model.on_mc if on else model.off_mc
    way = target - mc
    done = abs(way) * span_ns // (model.slow_ns + span_ns)
    return mc + (done if way > 0 else -done)
