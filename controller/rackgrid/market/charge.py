"""What is in a battery, at least, by the meter at its terminals: what is not proven does not count.

All that it may have given is taken off, the meter's doubt with it; what it took is added only as
far as a meter saw it, less the doubt and the losses of charging. So the count falls behind the
truth, slowly, and never runs ahead of it. Two voltages put it right: where the cells take next to
nothing at `full_mv`, the battery is full; at `empty_mv` it is empty, whatever was counted.

Nothing is known of a battery that was never seen: it counts as empty until it is charged.

Rejected: the state of charge by the voltage between the two (a lithium cell shows the same volts
from a fifth to four fifths), and a most likely value (what is promised to others is a least one).
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.market.battery import NS_PER_S, WHOLE, Battery

GAP_NS = 2 * NS_PER_S
"""A longer time between two readings proves nothing of what it took."""
BLIND_NS = 60 * NS_PER_S
"""After so long the meter's counter is no witness either: it may have begun anew meanwhile."""
TAIL_NS = 20 * 3600 * NS_PER_S
"""Full: at the full voltage it takes so little that it would need as long to fill it."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A battery behind a meter.

    Attributes:
        full_mv, empty_mv: at its terminals, when it takes next to nothing, and when it must give no
            more, mV.
    """

    battery: Battery
    full_mv: int
    empty_mv: int

    def __post_init__(self) -> None:
        assert self.empty_mv < self.full_mv, "a battery's voltage rises as it fills"


@dataclass(frozen=True, slots=True)
class Charge:
    """What is known of it.

    Attributes:
        least_mj: there is as much in it, mJ.
        counter_mj: what it had given by its meter's counter, mJ.
        seen_ns: when the meter said so.
    """

    least_mj: int
    counter_mj: int
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What its meter shows.

    Attributes:
        at_ns: when; of the clock that all of one battery's readings share.
        counter_mj: what has flowed out of it, mJ; never falls, but may begin anew.
        power_mw: what it gives, mW; below nought: it takes.
        volts_mv: at its terminals, mV.
        doubt_mw: how far the power may be off, mW.
    """

    at_ns: int
    counter_mj: int
    power_mw: int
    volts_mv: int
    doubt_mw: int


def charged(pack: Pack, before: Charge | None, sight: Sight) -> Charge:
    """Say what is in it now.

    Args:
        before: what was known; None: nothing.
        sight: a fresh reading, not older than the one before.
    """
    battery = pack.battery
    least_mj = 0
    if before is not None:
        span_ns = max(0, sight.at_ns - before.seen_ns)
        least_mj = before.least_mj - _gave_mj(battery, before, sight, span_ns)
        least_mj += _took_mj(battery, sight, span_ns)
    least_mj = min(max(0, least_mj), battery.high_mj)
    tail_mw = battery.high_mj * NS_PER_S // TAIL_NS
    if sight.volts_mv <= pack.empty_mv:
        least_mj = 0
    elif sight.volts_mv >= pack.full_mv and -tail_mw <= sight.power_mw <= sight.doubt_mw:
        least_mj = battery.high_mj
    return Charge(least_mj, sight.counter_mj, sight.at_ns)


def unseen(battery: Battery, least_mj: int, span_ns: int) -> int:
    """What is left after a time in which nobody looked: it may have given all that it can, mJ."""
    return max(0, least_mj - _up(battery.sells_mw, span_ns))


def _gave_mj(battery: Battery, before: Charge, sight: Sight, span_ns: int) -> int:
    """The most that it may have given, mJ."""
    counted_mj = sight.counter_mj - before.counter_mj
    if counted_mj < 0 or span_ns > BLIND_NS:
        return _up(battery.sells_mw, span_ns) + max(0, counted_mj)
    return counted_mj + _up(sight.doubt_mw, span_ns)


def _took_mj(battery: Battery, sight: Sight, span_ns: int) -> int:
    """The least that has come into its cells, mJ."""
    if span_ns > GAP_NS:
        return 0
    took_mw = max(0, -sight.power_mw - sight.doubt_mw)
    return took_mw * span_ns // NS_PER_S * battery.efficiency_permille // WHOLE


def _up(power_mw: int, span_ns: int) -> int:
    return -(-power_mw * span_ns // NS_PER_S)
