"""What happens by itself, and when: one moment for each thing, the earliest first."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Agenda(Generic[T]):
    """A calendar of things. Whoever changes a thing plans it anew."""

    def __init__(self) -> None:
        self._due: dict[T, int] = {}
        self._heap: list[tuple[int, int, T]] = []
        self._order = count()

    @property
    def next_ns(self) -> int | None:
        """When the next thing happens; None if nothing does."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heappop(self._heap)  # it was planned anew since
        return self._heap[0][0] if self._heap else None

    def plan(self, thing: T, at_ns: int | None) -> None:
        """Let a thing happen then, and only then; None: it does not."""
        if at_ns is None:
            self._due.pop(thing, None)
        elif self._due.get(thing) != at_ns:
            self._due[thing] = at_ns
            heappush(self._heap, (at_ns, next(self._order), thing))

    def take(self, now_ns: int) -> list[T]:
        """Hand out what happens at this moment or before, in the order of time."""
        things: list[T] = []
        while (next_ns := self.next_ns) is not None and next_ns <= now_ns:
            thing = heappop(self._heap)[2]
            del self._due[thing]
            things.append(thing)
        return things
