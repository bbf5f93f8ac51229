"""What this node decided, as JSON lines for programs: roles, prices and switches.

The plant of a mock rack writes what the loads truly drew; this is the controller's side of it, in a
file of its own beside it. Times are CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from rackgrid.core.action import (
    Action,
    LoadDecided,
    PriceApplied,
    PriceLost,
    PriceSent,
    RoleChanged,
)
from rackgrid.core.reason import UC
from rackgrid.errors import ConfigError

log = logging.getLogger(__name__)


class Trace:
    """Appends lines to `<trace>.<node>`, each flushed at once."""

    def __init__(self, path: Path, node: str) -> None:
        """Open the file for appending; a node that restarts goes on in its file.

        Raises:
            ConfigError: if it cannot be written.
        """
        own = path.with_name(f"{path.name}.{node}")
        try:
            self._file = own.open("a", buffering=1, encoding="utf-8")
        except OSError as fault:
            raise ConfigError(
                f"[mock] trace: cannot write {own}: {fault.strerror}; name a file in a folder that"
                " is there and that this user may write"
            ) from fault
        self._is_lossy = False
        self._node = node

    def publish(self, action: Action, at_ns: int) -> None:
        """Write the line that an action makes, if it makes one; `at_ns` is when it happened.

        A price's line has the time just before its datagram was handed to the socket.
        """
        match action:
            case RoleChanged():
                self._write(
                    "role",
                    at_ns,
                    role=action.role.name.lower(),
                    term=action.pair.term,
                    broker=f"{action.pair.node:016x}",
                    cause=action.cause,
                )
            case PriceApplied():
                value = action.price_uc / UC
                self._write("price", at_ns, term=action.pair.term, round=action.round, value=value)
            case PriceSent():
                value = action.price_uc / UC
                term, round_ = action.pair.term, action.round
                self._write("price_sent", at_ns, term=term, round=round_, value=value)
            case PriceLost():
                self._write("price", at_ns, term=0, round=0, value=None)
            case LoadDecided() if action.decision.on != action.decision.was_on:
                decision = action.decision
                self._write(
                    "switch", at_ns, load=decision.load, on=decision.on, why=decision.why.name
                )
            case _:
                pass

    def close(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        except OSError as fault:  # what could not be written before is tried once more
            self._lose(fault)

    def _write(self, event: str, at_ns: int, **fields: object) -> None:
        line = {"t_ns": at_ns, "node": self._node, "event": event, **fields}
        try:
            self._file.write(json.dumps(line) + "\n")
        except OSError as fault:
            self._lose(fault)

    def _lose(self, fault: OSError) -> None:
        """A full disk takes the record of what the node does, and not the node."""
        if not self._is_lossy:
            log.error("trace %s: %s; lines are missing from here on", self._file.name, fault)
        self._is_lossy = True
