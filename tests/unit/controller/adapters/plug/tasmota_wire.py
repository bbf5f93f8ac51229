"""A Tasmota at the end of a wire that is as slow as a test says, on a clock that is wound."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.controller.adapters.plug.lamp import Clock

from rackgrid.adapters.plug.talk import Answer, Told
from rackgrid.deadman import SECOND_NS
from rackgrid.errors import TransportError

TICK_NS = SECOND_NS // 10


class TasmotaWire:
    """The way to it, and the plug: a relay, its timer, and a setting in flash.

    Attributes:
        connect_s, there_s, back_s: before a word is made, until it is heard, until it is answered.
        after: called with each command when its answer is there.
        loses: which commands get no answer; they are heard.
        holds_back: which commands are heard only when `deliver` is called; they get no answer.
        starts: when it went on, ns.
        writes: how often its flash was written.
    """

    def __init__(self, clock: Clock, pulse: int = 29) -> None:
        self._clock = clock
        self.connect_s = self.there_s = self.back_s = 0.0
        self.after: Callable[[str], None] = lambda _: None
        self.loses: Callable[[str], bool] = lambda _: False
        self.holds_back: Callable[[str], bool] = lambda _: False
        self.pulse = pulse
        self.writes = 0
        self.said: list[str] = []
        self.starts: list[int] = []
        self.off_ns: int | None = 0
        """Until when it is on; None: without an end."""
        self._held_back: list[str] = []

    @property
    def is_on(self) -> bool:
        return self.off_ns is None or self._clock() < self.off_ns

    def take(self, seconds: float) -> None:
        """Let each exchange take so long."""
        self.there_s = self.back_s = seconds / 2

    def deliver(self) -> None:
        """Let it hear what was held back."""
        for command in self._held_back:
            self._do(command)
        self._held_back.clear()

    async def ask(self, word: Callable[[int], str | None]) -> Told | None:
        self._clock.wind(self.connect_s)
        written_ns = self._clock()
        command = word(written_ns)
        if command is None:
            return None
        self.said.append(command)
        if self.holds_back(command):
            self._held_back.append(command)
            raise TransportError("reset")
        self._clock.wind(self.there_s)
        answer = self._do(command)
        self._clock.wind(self.back_s)
        if self.loses(command):
            raise TransportError("no answer")
        self.after(command)
        return Told(written_ns, self._clock(), answer)

    def switch_on(self) -> None:
        if not self.is_on:
            self.starts.append(self._clock())
        self._set_timer()

    def remaining(self) -> object:
        if self.off_ns is None or not self.is_on:
            return 0
        left_ns = self.off_ns - self._clock()
        return left_ns // TICK_NS if left_ns <= 111 * TICK_NS else left_ns // SECOND_NS + 100

    def _set_timer(self) -> None:
        ticks = self.pulse
        span_ns = ticks * TICK_NS if ticks <= 111 else (ticks - 100) * SECOND_NS
        self.off_ns = self._clock() + span_ns if ticks else None

    def _do(self, command: str) -> Answer:
        name, _, value = command.partition(" ")
        if name == "PowerOnState":
            return {"PowerOnState": 0}
        if name == "Power1":
            if value == "ON":
                self.switch_on()
            elif value == "OFF":
                self.off_ns = min(self.off_ns or self._clock(), self._clock())
            return {"POWER": "ON" if self.is_on else "OFF"}
        if name == "PulseTime1":
            if value:
                self.writes += int(value) != self.pulse
                self.pulse = int(value)
                if self.is_on:
                    self._set_timer()
            return {"PulseTime1": {"Set": self.pulse, "Remaining": self.remaining()}}
        return {}
