"""A lamp with a dead-man, on a clock that the test winds: what an actuator does, without a wire."""

from __future__ import annotations

from rackgrid.adapters.plug.actuator import Held, Sight
from rackgrid.deadman import (
    FOREVER_NS,
    MS_NS,
    SECOND_NS,
    Timer,
    earliest_end_ns,
    latest_end_ns,
    span_ns,
)
from rackgrid.errors import TransportError

TIMER = Timer(100 * MS_NS, 100 * MS_NS, 200 * MS_NS)


class Clock:
    """Stands still until it is wound."""

    def __init__(self) -> None:
        self.now_ns = 1000 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns

    def wind(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


class Lamp:
    """An actuator; `said` lists the words that it heard."""

    timer = TIMER

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.missing = ""
        self.is_away = False
        self.loses_answers = False
        self.timer_works = True
        self.tells_timer = True
        self.watts: float | None = None
        self.leaks_w = 0.0
        self.off_ns: int | None = 0
        self.starts: list[int] = []
        self.connects_after_s = 0.0
        self.hears_after_s = 0.0
        self.answers_after_s = 0.0
        self.said: list[str] = []

    @property
    def is_on(self) -> bool:
        return self.off_ns is None or self._clock() < self.off_ns

    def by_hand(self, on: bool) -> None:
        self.off_ns = None if on else 0

    async def prove(self) -> str:
        self._hear("prove")
        return self.missing

    async def hold(self, deadline_ns: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
        self._clock.wind(self.connects_after_s)
        written_ns = self._clock()
        span = span_ns(TIMER, deadline_ns - written_ns)
        if not span or (not starts and written_ns + TIMER.deliver_ns > by_ns):
            return None
        self._hear("start" if starts else "renew")
        self._clock.wind(self.hears_after_s)
        if not self.is_on:
            self.starts.append(self._clock())
        self.off_ns = self._clock() + span if self.timer_works else None
        self._clock.wind(self.answers_after_s)
        if self.loses_answers:
            raise TransportError("no answer")
        latest_ns = latest_end_ns(TIMER, self._clock(), span)
        return Held(earliest_end_ns(written_ns, span), latest_ns, self._sight())

    async def release(self) -> Sight:
        self._hear("release")
        self.off_ns = min(self.off_ns, self._clock()) if self.off_ns is not None else 0
        return self._sight()

    async def look(self) -> Sight:
        self._hear("look")
        return self._sight()

    def _hear(self, word: str) -> None:
        if self.is_away:
            raise TransportError("no route to the lamp")
        self.said.append(word)

    def _sight(self) -> Sight:
        volts = None if self.watts is None else 230.0
        if not self.is_on:
            return Sight(False, None, 0, None if self.watts is None else self.leaks_w, volts)
        if self.off_ns is None or not self.tells_timer:
            return Sight(True, None, 0, self.watts, volts)
        left_ns = self.off_ns - self._clock()
        return Sight(True, left_ns, left_ns, self.watts, volts)
