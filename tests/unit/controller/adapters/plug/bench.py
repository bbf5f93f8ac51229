"""One lamp and its remote, on a clock that is wound."""

from __future__ import annotations

import asyncio

from tests.unit.controller.adapters.plug.lamp import TIMER, Clock, Lamp

from rackgrid.adapters.plug.remote import Remote
from rackgrid.deadman import SECOND_NS


class Bench:
    """A lamp, its remote, and how often the remote said that it knows more."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lamp = Lamp(self.clock)
        self.changes = 0
        self.clock.wind(-TIMER.deliver_ns / SECOND_NS)
        self.is_free = True
        self.remote = Remote("lamp", self.lamp, self.clock, self._changed, lambda _: self.is_free)
        self.clock.wind(TIMER.deliver_ns / SECOND_NS)
        self.remote.take_over(0)

    def turn(self, after_s: float = 0.0) -> None:
        self.clock.wind(after_s)
        asyncio.run(self.remote.turn())

    def want(self, seconds: float) -> int:
        deadline_ns = self.clock() + round(seconds * SECOND_NS)
        self.remote.want(deadline_ns)
        return deadline_ns

    def _changed(self, remote: Remote) -> None:
        self.changes += 1
