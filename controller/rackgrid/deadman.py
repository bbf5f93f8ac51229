"""The dead-man of what is switched beyond the board: how long its own timer may run.

A plug or a unit is not the firmware's, so nothing of ours opens it when the controller is gone. Its
own timer does: every word that switches it on carries an end. The end must come **before** the
deadline of the hold under which the word was sent, however late the word arrives and however slow
the timer is, because the rack counts the hold's watts until then and no longer.

A timer that may have ended is not set anew: the word would start the load, with its inrush and
without its minimum off-time, under a hold for a running one. So a renewal must be certain to come
before the earliest end of what runs; with a plug that counts in whole seconds this asks for grants
longer than the default.

Pure: integers of ns in, integers out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
FOREVER_NS = 1 << 62
"""Later than any deadline."""
DRIFT_PPM = 10_000
"""Bound on the error of a plug's clock, parts per million: a quartz stays far below."""
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Timer:
    """What is known of a kind of timer.

    Attributes:
        step_ns: it is set in multiples of this.
        late_ns: it may end so much after its time.
        early_ns: it may end so much before its time.
        deliver_ns: from the writing of a word to the plug's acting on it, at most. The transport
            sees to it (`adapters/plug/http.py`), or it is an assumption and said to be one.
        span_ns_max: the longest that it is set to.
    """

    step_ns: int
    late_ns: int
    deliver_ns: int
    span_ns_max: int = 3600 * SECOND_NS
    early_ns: int = 0

    def __post_init__(self) -> None:
        assert self.step_ns > 0, f"step_ns {self.step_ns}"
        assert self.late_ns >= 0, f"late_ns {self.late_ns}"
        assert self.deliver_ns >= 0, f"deliver_ns {self.deliver_ns}"
        assert self.early_ns >= 0, f"early_ns {self.early_ns}"


TIMERS = {
    "unit": Timer(MS_NS, 250 * MS_NS, 500 * MS_NS),
    "shelly": Timer(SECOND_NS, 250 * MS_NS, 750 * MS_NS),
    "tasmota": Timer(100 * MS_NS, 250 * MS_NS, 750 * MS_NS, 11_100 * MS_NS),
    "generic": Timer(SECOND_NS, SECOND_NS, 750 * MS_NS, early_ns=SECOND_NS),
}
"""By make. Shelly: `toggle_after` is documented in seconds, without fractions. Tasmota: `PulseTime`
1 to 111 counts tenths of a second and is looked at as often; larger values count seconds from 12 s
on, and are not used: one scale is easier to get right. Generic: of a maker that nobody knows; a
timer that counts whole seconds down may end one of them late, or early."""
SERVER_NS = 250 * MS_NS
"""What an MQTT server on the way adds to `deliver_ns`."""


def timer_of(make: str, way: str) -> Timer:
    """Return what is known of a make's timer, over a way ("unit", "http", "mqtt", ...)."""
    timer = TIMERS[make]
    return replace(timer, deliver_ns=timer.deliver_ns + SERVER_NS) if way == "mqtt" else timer


def span_ns(timer: Timer, left_ns: int) -> int:
    """Return the longest setting that ends before the deadline for sure, ns; 0 if none does.

    Args:
        timer: of the plug.
        left_ns: from the writing of the word to the deadline, ns.
    """
    room_ns = (left_ns - timer.deliver_ns - timer.late_ns) * (_MILLION - DRIFT_PPM) // _MILLION
    if room_ns < timer.step_ns:
        return 0
    return min(room_ns // timer.step_ns * timer.step_ns, timer.span_ns_max)


def latest_end_ns(timer: Timer, set_ns: int, span_ns: int) -> int:
    """Return when a timer that was set at `set_ns` or before has ended for sure, ns."""
    return set_ns + span_ns * _MILLION // (_MILLION - DRIFT_PPM) + timer.late_ns + 1


def earliest_end_ns(set_ns: int, span_ns: int) -> int:
    """Return until when a timer that was set at `set_ns` or later runs for sure, ns."""
    return set_ns + span_ns * _MILLION // (_MILLION + DRIFT_PPM)


def grant_ns_min(timer: Timer, round_ns: int) -> int:
    """Return the shortest grant under which a plug can be kept on, ns.

    A hold comes a round after the bid that its grant answers; the next one comes a round later, and
    must reach the plug while the timer runs for sure.
    """
    needed_ns = round_ns + timer.deliver_ns + timer.early_ns
    step = timer.step_ns
    setting_ns = -(-needed_ns * (_MILLION + DRIFT_PPM) // (_MILLION * step)) * step
    room_ns = -(-setting_ns * _MILLION // (_MILLION - DRIFT_PPM))
    return round_ns + timer.deliver_ns + timer.late_ns + room_ns
