"""What every way to switch something beyond the board must be able to do.

An actuator speaks to one thing, in its words, and knows nothing of guards and grants. It waits for
answers, so it is asked by a task of its own and never by the control loop. Whatever the other side
answers, it either returns what was understood or raises `TransportError`: nothing of it can stop a
node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rackgrid.deadman import FOREVER_NS, Timer


@dataclass(frozen=True, slots=True)
class Sight:
    """What the other side said of itself.

    Attributes:
        on: whether it lets its load draw.
        left_ns: how long its own timer lets it go on at most, ns; None if none runs.
        sure_ns: how long its own timer lets it go on for sure, ns; 0 if that cannot be told.
        watts, volts: what it meters, W and V; None if it does not.
    """

    on: bool
    left_ns: int | None = None
    sure_ns: int = 0
    watts: float | None = None
    volts: float | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What came of a word that switches on.

    Attributes:
        ends_ns: until when the timer that was set runs for sure, CLOCK_MONOTONIC ns.
        latest_ns: when it has ended for sure; before the deadline, if the answer came in time.
        sight: what it said then.
    """

    ends_ns: int
    latest_ns: int
    sight: Sight


class Actuator(Protocol):
    """One thing that can be switched, and that goes off by itself."""

    @property
    def timer(self) -> Timer:
        """What its own timer can."""
        ...

    async def prove(self) -> str:
        """Look whether it has a dead-man, and stays off when its power comes back.

        Returns:
            "" if so; else what is missing and what to do, for a person.

        Raises:
            TransportError: it does not answer, or not understandably.
        """
        ...

    async def hold(self, deadline_ns: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
        """Have it on until its own timer ends, which is before the deadline.

        Args:
            deadline_ns: of the hold, CLOCK_MONOTONIC ns.
            starts: whether it may be off; a renewal starts nothing, where that can be told.
            by_ns: a renewal is not said if it might be heard after this, CLOCK_MONOTONIC ns: until
                then what runs runs for sure.

        Returns:
            None if it was too late when the word could have gone, or nothing was there to be
            renewed: nothing was said.

        Raises:
            TransportError: it does not answer; it may have heard all the same.
        """
        ...

    async def release(self) -> Sight:
        """Have it off now.

        Raises:
            TransportError: it does not answer; it may have heard all the same.
        """
        ...

    async def look(self) -> Sight:
        """Ask how it is.

        Raises:
            TransportError: it does not answer, or not understandably.
        """
        ...
