"""The chronicle: what this node decided and why, kept in bounded memory for whoever asks.

It takes the node's actions as they are told, makes events of them, and leaves out what says nothing
new: a price that is repeated, a round that differs from the one before it by the meters' trembling
alone. It lives in the loop's thread; nothing here waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from rackgrid import __version__
from rackgrid.adapters.clock import monotonic_ns
from rackgrid.adapters.event_json import event, rfc3339, round_shape, trust
from rackgrid.adapters.view_json import Json, encode
from rackgrid.adapters.vigil import Vigil
from rackgrid.core.action import (
    Action,
    LoadDecided,
    NodeJudged,
    PriceApplied,
    PriceLost,
    RoundCleared,
)

EVENTS_MAX: Final = 1000
"""Events in memory: some hours of a quiet rack; most are half a kilobyte."""
BYTES_MAX: Final = 2_000_000
"""All of them together: the rounds of a large rack are long."""
CHANGES_MAX: Final = 50
"""Changes remembered of each load, however much else has happened since."""
LISTENERS_MAX: Final = 8

Keep = Callable[[bytes, str | None, int], None]


@dataclass(frozen=True, slots=True)
class Told:
    """An event: its number in this run of the node, its kind, and its line in JSON."""

    number: int
    kind: str
    data: bytes


class Listener:
    """Somebody who follows the events: a place in them, and a bell.

    It has no queue of its own. Whoever is slow falls behind what the chronicle remembers, and is
    told how much it has lost; nothing waits for it.
    """

    def __init__(self, chronicle: Chronicle, number: int) -> None:
        """Stand behind that event; `Chronicle.listen` makes one."""
        self._chronicle = chronicle
        self._number = number
        self._bell = asyncio.Event()
        self.ended = False

    def take(self, count: int) -> tuple[int, list[Told]]:
        """Take the next events, at most `count`; say how many before them are lost."""
        found = self._chronicle.since(self._number)
        lost = self.behind - len(found)
        found = found[:count]
        self._number += lost + len(found)
        return lost, found

    @property
    def behind(self) -> int:
        """How many events it has not taken yet."""
        return self._chronicle.newest - self._number

    def ring(self) -> None:
        """Say that there is something to take."""
        self._bell.set()

    def end(self) -> None:
        """Say that there will be nothing more."""
        self.ended = True
        self._bell.set()

    async def wait(self) -> None:
        """Wait until there is something to take, or it has ended."""
        await self._bell.wait()
        self._bell.clear()

    def leave(self) -> None:
        """Make room for another."""
        self._chronicle.forget(self)


class Chronicle:
    """The events of one node since its start.

    Args:
        node: its name.
        boot: of the node, in hex: numbers count anew in each.
        wall: Unix time, ns; None while the clock is not set.
        clock: CLOCK_MONOTONIC, ns.
        keep: takes each line, its date and its time, for the record; None keeps none.
    """

    def __init__(
        self,
        node: str,
        boot: str,
        wall: Callable[[], int | None],
        clock: Callable[[], int] = monotonic_ns,
        keep: Keep | None = None,
    ) -> None:
        self.boot = boot
        self._node = node
        self._wall = wall
        self._clock = clock
        self._keep = keep
        self._events: deque[Told] = deque()
        self._bytes = 0
        self._listeners: set[Listener] = set()
        self._changes: dict[str, deque[Json]] = {}
        self._price: Hashable = ()
        self._shape: Hashable = ()
        self._vigil = Vigil()
        self._number = 0
        self.cleared: RoundCleared | None = None
        """The last round that this node cleared as the broker."""
        self.rounds: Counter[bool] = Counter()
        """How many it cleared, by whether no lawful choice had more welfare."""
        self.tell("start", {"boot": boot, "version": __version__}, clock())

    def publish(self, action: Action, at_ns: int) -> None:
        """Take an action that happened at `at_ns`, CLOCK_MONOTONIC."""
        if isinstance(action, RoundCleared):
            self.cleared = action
            self.rounds[action.clearing.exact] += 1
        if isinstance(action, NodeJudged):
            self._tell_trust(self._vigil.judged(action), action.window.round, at_ns)
            return
        if not self._is_news(action):
            return
        if isinstance(action, RoundCleared):
            for windows in self._vigil.rest():
                self._tell_trust(windows, action.round, at_ns)
        made = event(action)
        if made is None:
            return
        line = self.tell(*made, at_ns)
        if isinstance(action, LoadDecided) and action.is_news:
            load = action.decision.load
            self._changes.setdefault(load, deque(maxlen=CHANGES_MAX)).append(line)

    def tell(self, kind: str, fields: Json, at_ns: int) -> Json:
        """Add an event, and give its line."""
        self._number += 1
        date = self.date(at_ns)
        line = {"t_ns": at_ns, "time": date, "node": self._node, "event": kind, **fields}
        told = Told(self._number, kind, encode(line))
        self._append(told)
        if self._keep is not None:
            self._keep(told.data, date, at_ns)
        for listener in self._listeners:
            listener.ring()
        return line

    def _tell_trust(self, windows: Sequence[NodeJudged], round_: int, at_ns: int) -> None:
        if windows:
            self.tell("trust", trust(windows, round_), at_ns)

    def listen(self, number: int) -> Listener | None:
        """Follow what comes after the event of that number; None if too many do."""
        if len(self._listeners) >= LISTENERS_MAX:
            return None
        listener = Listener(self, number)
        self._listeners.add(listener)
        return listener

    def forget(self, listener: Listener) -> None:
        """Let a listener go."""
        self._listeners.discard(listener)

    def close(self) -> None:
        """End every listener: the node ends."""
        for listener in self._listeners:
            listener.end()

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

    def _append(self, told: Told) -> None:
        self._events.append(told)
        self._bytes += len(told.data)
        while len(self._events) > EVENTS_MAX or self._bytes > BYTES_MAX:
            self._bytes -= len(self._events.popleft().data)

    def _is_news(self, action: Action) -> bool:
        match action:
            case PriceApplied():
                price = (action.pair, action.price_uc, action.scarce)
                is_news, self._price = price != self._price, price
            case PriceLost():
                is_news, self._price = True, ()
            case RoundCleared():
                shape = round_shape(action)
                is_owed = self._vigil.is_owed(action)
                is_news, self._shape = is_owed or shape != self._shape, shape
            case _:
                is_news = True
        return is_news
