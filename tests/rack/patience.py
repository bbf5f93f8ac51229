"""Waiting for what only time and other processes can bring about."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_S = 30.0
"""So long a test waits, on a machine with other things to do."""

Found = TypeVar("Found")


def until(what: str, condition: Callable[[], Found], deadline_s: float = DEADLINE_S) -> Found:
    """Ask until something comes of it; fails with `what` if nothing does."""
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        select.select([], [], [], 0.005)
    return found
