"""The daemon's log: one line per transition, for journald or a terminal.

Under systemd each line begins with its priority (`<4>`), which journald takes off and keeps; in a
terminal it begins with the time. Nothing is logged per sample, per heartbeat or per round.

Source: sd-daemon(3), "logging".
"""

from __future__ import annotations

import logging
import os
import sys

from rackgrid.adapters.event_json import verdict
from rackgrid.core.action import (
    Action,
    Left,
    LoadDecided,
    NodeJudged,
    Noted,
    PriceLost,
    RoleChanged,
)
from rackgrid.core.reason import sentence

log = logging.getLogger("rackgrid")

_PRIORITY = {
    logging.CRITICAL: 2,
    logging.ERROR: 3,
    logging.WARNING: 4,
    logging.INFO: 6,
    logging.DEBUG: 7,
}


class _Journald(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record).replace("\n", " | ")
        return f"<{_PRIORITY.get(record.levelno, 6)}>{text}"


def configure() -> None:
    """Send this process's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_Journald("%(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def publish(action: Action) -> None:
    """Log an action that people want to read."""
    match action:
        case RoleChanged():
            log.info("%s, authority %s: %s", action.role.name.lower(), action.pair, action.cause)
        case LoadDecided() if action.is_news:
            decision = action.decision
            why = sentence(decision.why, decision.price_uc, decision.worth_uc, decision.grant_mw)
            log.info("load %s %s: %s", decision.load, "on" if decision.on else "off", why)
        case PriceLost():
            log.warning("the price has expired and is unknown")
        case NodeJudged() if action.is_news:
            log.warning("%s", verdict(action))
        case Noted():
            log.warning("%s", action.text)
        case Left():
            log.info("left")
        case _:
            pass
