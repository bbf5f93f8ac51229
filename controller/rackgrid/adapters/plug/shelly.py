"""Shelly plugs and relays of the second generation and later, by their RPC.

`Switch.Set` with `toggle_after` switches on and sets the timer in one word; a later word sets it
anew, and `on=false` ends it. After a power cut the plug must come up off: `initial_state`.

The timer's rest is known only while the plug's own clock is set; without it, or when that was set
since and shows it, the whole of the timer may be left, or nothing. The clock may also have been set
by so little that nothing shows: nobody is to believe in a nearer end than that of our own word.

Source: shelly-api-docs.shelly.cloud, Gen2: Switch (Set, GetConfig, GetStatus), Sys (unixtime).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from rackgrid.adapters.plug.actuator import Held, Sight
from rackgrid.adapters.plug.talk import Answer, Talk, Told, inside, number
from rackgrid.deadman import (
    FOREVER_NS,
    SECOND_NS,
    Timer,
    earliest_end_ns,
    latest_end_ns,
    span_ns,
)
from rackgrid.errors import TransportError


@dataclass(frozen=True, slots=True)
class Rpc:
    """A call."""

    method: str
    params: Mapping[str, bool | int]

    @property
    def path(self) -> str:
        """As an HTTP request has it."""
        query = urlencode({key: json.dumps(value) for key, value in self.params.items()})
        return f"/rpc/{self.method}" + (f"?{query}" if query else "")


class Shelly:
    """One switch of a Shelly.

    Args:
        talk: the way to it.
        channel: of its switches, from 0.
        timer: what its timer can, over this way.
    """

    def __init__(self, talk: Talk[Rpc], channel: int, timer: Timer) -> None:
        self._talk = talk
        self._channel = channel
        self._timer = timer

    @property
    def timer(self) -> Timer:
        """What its own timer can, over this way."""
        return self._timer

    async def prove(self) -> str:
        """Look whether it comes up off, and never goes on by itself."""
        config = (await self._call("Switch.GetConfig", id=self._channel)).answer
        state = config.get("initial_state")
        if not isinstance(state, str):
            raise TransportError("the Shelly does not tell its initial_state")
        if state != "off":
            return (
                f'after a power cut it goes "{state}": set its initial_state to "off" '
                f"(http://HOST/rpc/Switch.SetConfig?id={self._channel}"
                '&config={"initial_state":"off"})'
            )
        if config.get("auto_on") is True:
            return "it switches itself on (auto_on): switch that off"
        return ""

    async def hold(self, deadline_ns: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
        """Switch on with `toggle_after`, and see whether the timer runs."""
        span = 0

        def word(now_ns: int) -> Rpc | None:
            nonlocal span
            span = span_ns(self._timer, deadline_ns - now_ns)
            # A renewal cannot be told to start nothing; and it is written long after it was thought
            # of: the connection, and who we are, come before it.
            if not span or (not starts and now_ns + self._timer.deliver_ns > by_ns):
                return None
            params = {"id": self._channel, "on": True, "toggle_after": span // SECOND_NS}
            return Rpc("Switch.Set", params)

        told = await self._talk.ask(word)
        if told is None:
            return None
        ends_ns = earliest_end_ns(told.written_ns, span)
        latest_ns = latest_end_ns(self._timer, told.answered_ns, span)
        return Held(ends_ns, latest_ns, await self.look())

    async def release(self) -> Sight:
        """Switch off, which ends the timer, and look."""
        await self._call("Switch.Set", id=self._channel, on=False)
        return await self.look()

    async def look(self) -> Sight:
        """Ask for the whole status: the switch and the clock of one moment."""
        answer = (await self._call("Shelly.GetStatus")).answer
        switch = inside(answer, f"switch:{self._channel}")
        is_on = switch.get("output")
        if not isinstance(is_on, bool):
            raise TransportError(f"the Shelly has no switch {self._channel}")
        left_ns, sure_ns = _rest(switch, inside(answer, "sys")) if is_on else (None, 0)
        return Sight(is_on, left_ns, sure_ns, number(switch, "apower"), number(switch, "voltage"))

    async def _call(self, method: str, **params: bool | int) -> Told:
        make: Callable[[int], Rpc] = lambda _: Rpc(method, params)  # noqa: E731
        told = await self._talk.ask(make)
        assert told is not None, "there is always a word"
        return told


def _rest(switch: Answer, system: Answer) -> tuple[int | None, int]:
    """Say how long its timer lets it go on: at most, and for sure, ns."""
    duration, begun = number(switch, "timer_duration"), number(switch, "timer_started_at")
    if duration is None:
        return None, 0
    whole_ns = round(max(0.0, duration) * SECOND_NS)
    now = number(system, "unixtime")
    if not now or not begun:
        return whole_ns, 0
    # `unixtime` is in whole seconds: it is up to one second later than it says.
    left_ns = round((duration - (now - begun)) * SECOND_NS)
    if not 0 < left_ns <= whole_ns + SECOND_NS:
        return whole_ns, 0  # its clock was set in between: the timer runs by itself
    return min(left_ns, whole_ns), min(max(0, left_ns - SECOND_NS), whole_ns)
