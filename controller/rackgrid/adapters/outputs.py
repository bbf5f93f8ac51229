"""The firmware's outputs and those beyond the board, as one board.

The core knows outputs by the words of the firmware's link alone. Here the two ends of a node, the
firmware and the things that only a network reaches, are made one in these words: what is attached
is both, commands go to whom they name, and reports come from either.

The board is attached when the firmware is and enough is known of every plug: before, nothing is
known of the node's floor. A plug whose dead-man is lost, or found, changes the floor, and a floor
is said only when attaching: the link is given up and made anew for it, as if the firmware had
started afresh.

Without anything beyond the board every word passes through as it is.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from rackgrid.adapters.firmware import FirmwareLink
from rackgrid.adapters.plug.bank import Bank
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.link import (
    Attach,
    Attached,
    Clear,
    Command,
    Hold,
    Lock,
    MakeSafe,
    Release,
    Report,
    Switched,
    Telemetry,
)

log = logging.getLogger(__name__)

ANEW_NS = 10 * SECOND_NS
"""Between two attachings for a floor that came down: a plug that comes and goes ends no office."""


class Outputs:
    """The link to all outputs of the node.

    Args:
        link: to the firmware.
        bank: what is beyond the board, or None.
        clock: CLOCK_MONOTONIC in ns.
    """

    def __init__(self, link: FirmwareLink, bank: Bank | None, clock: Callable[[], int]) -> None:
        self._link = link
        self._bank = bank
        self._clock = clock
        self._held: Attached | None = None
        self._waiting: list[Report] = []
        self._is_attached = False
        self._attached_ns = 0
        self._undecided: deque[int] = deque()
        self._last = 0

    # --- the link, as the daemon sees it ---------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the firmware's socket is open."""
        return self._link.connected

    @property
    def lost(self) -> bool:
        """Set when the link ended; the daemon takes it back after telling the core."""
        return self._link.lost

    @lost.setter
    def lost(self, lost: bool) -> None:
        self._link.lost = lost

    def fileno(self) -> int:
        """The firmware socket's descriptor; −1 without one."""
        return self._link.fileno()

    def connect(self) -> bool:
        """Open the firmware's socket; False, with one line of log, if that fails."""
        return self._link.connect()

    def start(self, news: Callable[[], object], failed: Callable[[Exception], None]) -> None:
        """Begin to tend what is beyond the board; in the loop.

        Args:
            news: called when there is something to `receive`; it must not come back at once.
            failed: takes what ends a task of ours: a bug.
        """
        if self._bank is not None:
            self._bank.start(news, failed)

    async def settle(self, within_s: float) -> None:
        """Wait until the last commands were heard to be followed, or `within_s` is over."""
        if self._bank is not None:
            await self._bank.settle(within_s)

    def close(self) -> None:
        """Detach: the outputs run on to their deadlines."""
        self._link.close()
        if self._bank is not None:
            self._bank.close()

    # --- the words -------------------------------------------------------------------------------

    def send(self, command: Command) -> None:
        """Send a command to whom it is for."""
        bank = self._bank
        if bank is None:
            self._link.send(command)
            return
        match command:
            case Hold() | Release() | Clear() | Lock() if command.output in bank.names:
                self._last = max(self._last, command.seq)
                bank.handle(command)
            case Hold() | Release():
                self._last = max(self._last, command.seq)
                self._undecided.append(command.seq)
                self._link.send(command)
            case MakeSafe():
                bank.handle(command)
                self._link.send(command)
            case Attach() | Clear() | Lock():
                self._link.send(command)

    def receive(self) -> list[Report]:
        """Take what has arrived."""
        reports = self._link.receive()
        return reports if self._bank is None else self._merge(self._bank, reports)

    def _merge(self, bank: Bank, reports: list[Report]) -> list[Report]:
        merged: list[Report] = []
        if not self._link.connected:
            self._held, self._is_attached = None, False
        for report in reports:
            self._stagger(bank, report)
            if isinstance(report, Attached):
                self._held, self._is_attached = report, False
                self._waiting.clear()
            elif self._held is not None or self._is_attached:
                self._wait(report)
            else:
                merged.append(report)  # why it does not let us attach
        if self._held is not None and bank.ready:
            merged.append(self._attach(bank, self._held))
            self._held = None
        if self._is_attached:
            merged.extend(self._told(bank, report) for report in self._waiting)
            self._waiting.clear()
            merged.extend(self._told(bank, report) for report in bank.take())
            self._follow_the_floor(bank)
        return merged

    @staticmethod
    def _stagger(bank: Bank, report: Report) -> None:
        """Let the bank keep its distance to a start of the board."""
        if isinstance(report, Switched) and report.state.on:
            bank.heed_start(report.state.since_ns)

    def _wait(self, report: Report) -> None:
        """Keep a report for after the attaching; of telemetries the newest says it all."""
        if isinstance(report, Telemetry):
            self._waiting = [each for each in self._waiting if not isinstance(each, Telemetry)]
        self._waiting.append(report)

    def _attach(self, bank: Bank, board: Attached) -> Attached:
        self._undecided.clear()
        self._last = 0
        self._is_attached, self._attached_ns = True, self._clock()
        specs = bank.attach(board.hold_max_ns)
        return replace(
            board,
            specs=(*board.specs, *specs),
            outputs=(*board.outputs, *bank.states),
        )

    def _told(self, bank: Bank, report: Report) -> Report:
        match report:
            case Telemetry():
                return replace(
                    report,
                    readings=(*report.readings, *bank.readings),
                    outputs=(*report.outputs, *bank.states),
                    handled=self._handled(report.handled),
                )
            case Switched():
                return replace(report, handled=self._handled(report.handled))
            case _:
                return report

    def _handled(self, by_firmware: int) -> int:
        """Say up to which command all are decided: the bank's at once, the firmware's when told."""
        while self._undecided and self._undecided[0] <= by_firmware:
            self._undecided.popleft()
        return self._undecided[0] - 1 if self._undecided else self._last

    def _follow_the_floor(self, bank: Bank) -> None:
        is_due = self._clock() - self._attached_ns >= ANEW_NS
        if bank.floor_has_changed and (bank.floor_has_grown or is_due):
            log.warning("a plug's dead-man was lost or found: the node says its floor anew")
            self._is_attached = False
            self._link.close()
            self._link.lost = True
