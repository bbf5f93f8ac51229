"""What happened in a simulated rack, line by line, and a digest to compare two runs by."""

from __future__ import annotations

import hashlib

from rackgrid.core.action import (
    Action,
    Left,
    LoadDecided,
    Noted,
    PriceApplied,
    PriceLost,
    RoleChanged,
)

LINES_MAX = 200_000
"""Lines kept for reading; the digest goes on beyond it."""


class Transcript:
    """An append-only record: the same seed must give the same digest."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._hash = hashlib.blake2b(digest_size=16)

    def say(self, now_ns: int, who: str, what: str) -> None:
        """Add a line: virtual time in ms, who, what."""
        line = f"{now_ns / 1e6:12.3f} {who:<8} {what}"
        self._hash.update(line.encode() + b"\n")
        if len(self.lines) < LINES_MAX:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """A digest of all lines so far."""
        return self._hash.hexdigest()


def words(action: Action) -> str:
    """Say what a node publishes, in a line; nothing of what only its broker's peers need."""
    match action:
        case RoleChanged():
            return f"is {action.role.name.lower()} {action.pair}: {action.cause}"
        case PriceApplied():
            return f"applies {action.price_uc} uc of round {action.round}"
        case PriceLost():
            return "knows no price"
        case LoadDecided() if action.is_news:
            decision = action.decision
            return f"{decision.load} {'on' if decision.on else 'off'}: {decision.why.name}"
        case Noted():
            return action.text
        case Left():
            return "has left"
        case _:
            return ""
