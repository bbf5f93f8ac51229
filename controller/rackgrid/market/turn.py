"""Turns: when a load has finished, for those that come after it.

What a load has to do says when it is done: a deadline when its energy is there, a task with a
complete run when it has run so long. What has no end (a lamp, a fridge, a task that is paid by the
second) is done whenever it has run and is off. Whatever begins anew is no longer done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Turns:
    """What is known of the loads that others wait for.

    Attributes:
        on_since: those that were on when they were last looked at, and since when, ns.
        finished: whose work is done, and that have not begun anew.
    """

    on_since: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    finished: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Turn:
    """How a load stands.

    Attributes:
        since_ns: since when it is on, or off, ns.
        run_ns: how long a complete run is; 0: any is.
        goal: of a load with a goal, whether that is reached; None: it has none.
    """

    is_on: bool
    since_ns: int
    run_ns: int = 0
    goal: bool | None = None


def seen(turns: Turns, name: str, turn: Turn) -> tuple[Turns, bool]:
    """Look at a load; say whether something about its being finished has changed."""
    began_ns = turns.on_since.get(name)
    on_since = {each: since for each, since in turns.on_since.items() if each != name}
    if turn.is_on:
        on_since[name] = turn.since_ns
    is_done = name in turns.finished
    if turn.goal is not None:
        is_done = turn.goal and not turn.is_on
    elif turn.is_on:
        is_done = False
    elif began_ns is not None:
        is_done = turn.since_ns - began_ns >= turn.run_ns
    finished = turns.finished | {name} if is_done else turns.finished - {name}
    return Turns(on_since, finished), finished != turns.finished
