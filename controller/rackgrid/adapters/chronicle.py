"""The chronicle: what this node decided and why, kept in bounded memory for whoever asks.

It takes the node's actions as they are told, makes events of them, and leaves out what says nothing
new: a price that is repeated, a round that differs from the one before it by the meters' trembling
alone. It lives in the loop's thread; nothing here waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from rackgrid import __version__
from rackgrid.adapters.clock import monotonic_ns
from rackgrid.adapters.event_json import event, rfc3339, round_shape
from rackgrid.adapters.view_json import Json
from rackgrid.core.action import Action, LoadDecided, PriceApplied, PriceLost, RoundCleared

EVENTS_MAX: Final = 1000
"""Events in memory: some hours of a quiet rack; most are half a kilobyte."""
CHANGES_MAX: Final = 50
"""Changes remembered of each load, however much else has happened since."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event: its number in this run of the node, its kind, and its line."""

    number: int
    kind: str
    line: Json


class Chronicle:
    """The events of one node since its start.

    Args:
        node: its name.
        boot: of the node, in hex: numbers count anew in each.
        wall: Unix time, ns; None while the clock is not set.
        clock: CLOCK_MONOTONIC, ns.
    """

    def __init__(
        self,
        node: str,
        boot: str,
        wall: Callable[[], int | None],
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        self.boot = boot
        self._node = node
        self._wall = wall
        self._clock = clock
        self._events: deque[Told] = deque(maxlen=EVENTS_MAX)
        self._changes: dict[str, deque[Json]] = {}
        self._price: Hashable = ()
        self._shape: Hashable = ()
        self._number = 0
        self.tell("start", {"boot": boot, "version": __version__}, clock())

    def publish(self, action: Action, at_ns: int) -> None:
        """Take an action that happened at `at_ns`, CLOCK_MONOTONIC."""
        if not self._is_news(action):
            return
        made = event(action)
        if made is None:
            return
        told = self.tell(*made, at_ns)
        if isinstance(action, LoadDecided):
            load = action.decision.load
            self._changes.setdefault(load, deque(maxlen=CHANGES_MAX)).append(told.line)

    def tell(self, kind: str, fields: Json, at_ns: int) -> Told:
        """Add an event."""
        self._number += 1
        line = {
            "t_ns": at_ns,
            "time": self.date(at_ns),
            "node": self._node,
            "event": kind,
            **fields,
        }
        told = Told(self._number, kind, line)
        self._events.append(told)
        return told

    def date(self, at_ns: int) -> str | None:
        """Say when a moment of CLOCK_MONOTONIC was; None while the time of day is not known."""
        wall_ns = self._wall()
        return None if wall_ns is None else rfc3339(at_ns + wall_ns - self._clock())

    @property
    def newest(self) -> int:
        """Number of the newest event."""
        return self._number

    def since(self, number: int) -> list[Told]:
        """List the events after that number, as far as they are remembered."""
        missed = self._number - number
        return list(self._events)[max(0, len(self._events) - missed) :] if missed > 0 else []

    def changes(self, load: str, last: int) -> list[Json]:
        """List the last changes of a load, the newest last."""
        known = self._changes.get(load, ())
        return list(known)[max(0, len(known) - last) :]

    def _is_news(self, action: Action) -> bool:
        match action:
            case PriceApplied():
                price = (action.pair, action.price_uc, action.scarce)
                is_news, self._price = price != self._price, price
            case PriceLost():
                is_news, self._price = True, ()
            case RoundCleared():
                shape = round_shape(action)
                is_news, self._shape = shape != self._shape, shape
            case _:
                is_news = True
        return is_news
