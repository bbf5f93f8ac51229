"""A bank of two lamps on a clock that is wound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.unit.controller.adapters.plug.lamp import TIMER, Clock, Lamp

from rackgrid.adapters.plug.bank import Bank
from rackgrid.adapters.plug.socket import Socket
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.link import (
    Clear,
    Hold,
    Lock,
    OutputSpec,
    OutputState,
    Refused,
    Release,
    Switched,
)
from rackgrid_firmware.logbook import Logbook

DELIVER_S = TIMER.deliver_ns / SECOND_NS
HOLD_MAX_NS = 20 * SECOND_NS


class Stage:
    """A bank of two lamps, attached; `turn` lets every remote do its next thing."""

    def __init__(
        self,
        min_on_s: int = 0,
        min_off_s: int = 0,
        dwell: DwellFile | None = None,
        logbook: Logbook | None = None,
        names: tuple[str, ...] = ("one", "two"),
        change: Callable[[Socket], Socket] = lambda socket: socket,
    ) -> None:
        self.clock = Clock()
        self.lamps = {name: Lamp(self.clock) for name in names}
        self.seq = 0
        sockets = [
            Socket(
                name, lamp, 40_000, 60_000, SECOND_NS, min_on_s * SECOND_NS, min_off_s * SECOND_NS
            )
            for name, lamp in self.lamps.items()
        ]
        self._sockets = [change(socket) for socket in sockets]
        self.clock.wind(-DELIVER_S)  # no word of a controller before is on its way any more
        self.bank = Bank(self._sockets, self.clock, dwell, logbook=logbook)
        self.clock.wind(DELIVER_S)

    async def attach(self) -> dict[str, OutputSpec]:
        await self.turn()
        specs = self.bank.attach(HOLD_MAX_NS)
        return {spec.name: spec for spec in specs}

    async def restart(
        self, change: Callable[[Socket], Socket] = lambda socket: socket, *, after_s: float
    ) -> None:
        """Let another controller, with another configuration, take the lamps over as they are.

        Args:
            change: of the configuration.
            after_s: it looks at them so long after its start, s.
        """
        self.bank.close()
        self._sockets = [change(socket) for socket in self._sockets]
        self.bank = Bank(self._sockets, self.clock)
        self.clock.wind(after_s)
        await self.attach()

    async def turn(self, after_s: float = 0.0) -> None:
        self.clock.wind(after_s)
        for remote in self.bank._remotes.values():
            await remote.turn()

    def pass_time(self, seconds: float) -> None:
        self.clock.wind(seconds)
        self.bank._time_passed()

    def hold(self, name: str, seconds: float, *, starts: bool = True) -> int:
        self.seq += 1
        deadline_ns = self.clock() + round(seconds * SECOND_NS)
        self.bank.handle(Hold(self.seq, name, deadline_ns, starts))
        return deadline_ns

    def release(self, name: str, *, urgent: bool = False) -> None:
        self.seq += 1
        self.bank.handle(Release(self.seq, name, urgent))

    def lock(self, name: str, locked: bool = True) -> None:
        self.seq += 1
        self.bank.handle(Lock(self.seq, name, locked))

    def clear(self, name: str) -> None:
        self.seq += 1
        self.bank.handle(Clear(self.seq, name))

    def state(self, name: str) -> OutputState:
        return next(state for state in self.bank.states if state.name == name)

    def refused(self) -> list[str]:
        return [report.reason for report in self.bank.take() if isinstance(report, Refused)]

    def told(self) -> list[tuple[str, bool]]:
        return [(r.state.name, r.state.on) for r in self.bank.take() if isinstance(r, Switched)]


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scene()

    asyncio.run(whole())
