"""What is kept of the outputs beyond the board, as the firmware keeps it of its own.

Over restarts of the process: since when each is as it is (`rackgrid_firmware.dwell`). Over reboots:
faults, lockouts, budgets, wear (`rackgrid_firmware.logbook`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from rackgrid.adapters.plug.remote import BROKEN
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.guard import GuardState, Kept, Rules, kept_of
from rackgrid_firmware.link import OutputState
from rackgrid_firmware.logbook import Logbook

log = logging.getLogger(__name__)


class Memory:
    """The memory of one bank.

    Args:
        names: of its outputs.
        dwell: the memory across restarts; None for none.
        logbook: that across reboots; None for none.
    """

    def __init__(
        self, names: frozenset[str], dwell: DwellFile | None, logbook: Logbook | None
    ) -> None:
        self._names = names
        self._dwell = dwell
        self._logbook = logbook
        self.kept: Mapping[str, Kept] = {}
        """By output; also of one that is out of the configuration for a while."""
        if logbook is not None:
            self.kept = logbook.read(names)
            logbook.start()

    def broken(self) -> Iterator[str]:
        """Name the outputs whose timers have failed, and that nobody has cleared since."""
        return (n for n, kept in self.kept.items() if n in self._names and BROKEN in kept.fault)

    def take_dwelt(self) -> Mapping[str, tuple[bool, int]] | None:
        """Give (on, since in ns) of each output, once; None if nobody has left it."""
        return self._dwell.take() if self._dwell is not None else None

    def note(self, rules: Rules, state: GuardState) -> None:
        """Keep what outlives a reboot; returns at once."""
        if self._logbook is not None:
            self.kept = {**self.kept, **kept_of(rules, state)}
            self._logbook.note(self.kept)

    def close(self, states: tuple[OutputState, ...] | None) -> None:
        """Leave the dwell to the next process, if anything is known, and end the logbook."""
        if self._dwell is not None and states is not None:
            try:
                self._dwell.write(states)
            except OSError as fault:
                log.warning("how long plugs have been on or off is forgotten: %s", fault)
        if self._logbook is not None:
            self._logbook.close()
