"""Waiting for what was asked for: a daemon accepts a wish, and the rack agrees on it later."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

from rackgrid.cli import say
from rackgrid.cli.api import Record, ask
from rackgrid.cli.exit import Exit

LOOK_S = 0.2
"""Between two looks at the state."""


def wait_until(
    url: str, wanted: Callable[[Record], bool], patience_s: float
) -> tuple[Record, bool]:
    """Look at a daemon's state until it is as wanted, or the patience is over.

    Args:
        url: of its API.
        wanted: tells of a state whether it is.
        patience_s: the longest wait; it looks at least once.

    Returns:
        The last state, and whether it is as wanted.

    Raises:
        UnreachableError: the daemon does not answer (any more).
        RefusedError: somebody else does.
    """
    end = time.monotonic() + patience_s
    while True:
        state = ask(f"{url}/api/state")
        if wanted(state):
            return state, True
        if time.monotonic() >= end:
            return state, False
        pass_time(LOOK_S)


def pass_time(seconds: float) -> None:
    """Let time pass, s; none if it is negative."""
    select.select([], [], [], max(0.0, seconds))


def has_broker(state: Record) -> bool:
    """Whether a broker is followed."""
    return bool(state.text("broker") or state.text("broker_id"))


def missed(state: Record, what: str, advice: str) -> int:
    """Say that it did not come about, and what to do; return the exit code.

    Args:
        what: did not happen, with the time.
        advice: where the rack has a broker; without one it is always the same.
    """
    if has_broker(state):
        say(f"rackgrid: {what}; {advice}")
        return Exit.FAILED
    say(
        f"rackgrid: {what}: the rack has no broker, and nothing is agreed on without one; wait for "
        "one (rackgrid status), or, if a majority of the votes is gone for good, rackgrid recover"
    )
    return Exit.NO_BROKER
