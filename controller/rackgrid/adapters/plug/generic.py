"""A plug of any maker, by the topics that the configuration names.

The word that switches on carries its end (`{seconds}`): start and timer are one word, so there is
no moment in which the load runs without an end. Saying it again is to set the timer anew. What has
no such word has no dead-man, and is only looked at.

A plug of an unknown maker answers no word by number or key: it says how it is, and that is all. So
one word is under way at a time, and what confirms it is a state that is heard after it: "on" for a
word that switches on, "off" for one that switches off; the other is from before it was heard. A
state that the server has kept is none (`line.py`). After a word on that nothing confirmed it is
quiet for a while, so that what was on its way is not taken for an answer to the next.

What it says may have been true a while ago: as long as a word may take to it. So one that says that
it is on just after its timer must have ended is asked again before it is believed, and one that
says that it is off just after a word on.

It does not tell how long its timer has to go. That is known from our own words, until it is heard
to be off; what is on without a word of ours counts as on without an end. So a controller that is
started while such a plug is on cannot carry it over: it is switched off. And whether it stays off
after a power cut cannot be asked: who writes the configuration must have seen to it.

Its watts are believed only if they were said not long ago, and since it was switched.

Source: MQTT 3.1.1, 3.3.1.3 (a message to whom has subscribed already is not marked as retained) and
4.6 (order). What such words look like: zigbee2mqtt.io, any switch, "On with timed off" (`on_time`).
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Final, cast

from rackgrid.adapters.plug.actuator import Held, Sight
from rackgrid.adapters.plug.line import Line
from rackgrid.adapters.plug.mqtt_talk import ANSWER_S, QUIET_NS
from rackgrid.config import TopicConfig
from rackgrid.config_topic import SECONDS
from rackgrid.deadman import (
    DRIFT_PPM,
    FOREVER_NS,
    SECOND_NS,
    Timer,
    earliest_end_ns,
    latest_end_ns,
    span_ns,
)
from rackgrid.errors import TransportError

POWER_NS: Final = 5 * SECOND_NS
"""Older watts are not believed."""
POWER_W_MAX: Final = 1e6
_MILLION: Final = 1_000_000
MAINS_V: Final = 230.0
"""What is shown as its voltage, which it does not say: only the product with the current counts."""


class Generic:
    """One plug.

    Args:
        line: to the MQTT server.
        address: the topic of its commands.
        topics: what is said there, and where it says how it is.
        timer: what its timer can.
        clock: CLOCK_MONOTONIC in ns.
    """

    def __init__(
        self,
        line: Line,
        address: str,
        topics: TopicConfig,
        timer: Timer,
        clock: Callable[[], int],
    ) -> None:
        self._line = line
        self._address = address
        self._topics = topics
        self._timer = timer
        self._clock = clock
        self._is_on: bool | None = None
        self._turned_ns = 0
        self._sure_ns = 0
        self._latest_ns = 0
        self._watts = 0.0
        self._watts_ns: int | None = None
        self._quiet_ns = 0
        self._settled_ns = 0
        self._wanted: bool | None = None
        self._answer: asyncio.Future[None] | None = None
        line.listen(topics.state, self._hear_state)
        if topics.power:
            line.listen(topics.power, self._hear_power)

    @property
    def timer(self) -> Timer:
        """What its own timer can."""
        return self._timer

    async def prove(self) -> str:
        """Look whether it is there, and whether the configuration names a word with an end."""
        if SECONDS not in self._topics.on:
            return f"its on_payload has no {SECONDS}: name the word that has it on for so long"
        await self.look()
        return ""

    async def hold(self, deadline_ns: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
        """Say the word with an end, and wait until it says that it is on."""
        await self._be_quiet()
        written_ns = self._clock()
        span = span_ns(self._timer, deadline_ns - written_ns)
        # Having been quiet may have taken long: what ran when this was thought of may have ended.
        is_late = written_ns + self._timer.deliver_ns > by_ns
        if not span or (not starts and (is_late or self._is_on is False)):
            return None
        word = self._topics.on.replace(SECONDS, str(span // SECOND_NS))
        sure_ns = earliest_end_ns(written_ns, max(0, span - self._timer.early_ns))
        # What it says comes back as late as a word goes there.
        self._settled_ns = written_ns + 2 * self._timer.deliver_ns
        try:
            await self._say(word, wanted=True)
            self._check_off()
        except BaseException:
            self._quiet_ns = self._clock() + QUIET_NS
            self._sure_ns = min(self._sure_ns, sure_ns)  # it may have heard it
            raise
        finally:
            # What confirms it may be older, so it is heard as late as it may be. And a maker may
            # keep the later of two ends.
            heard_ns = max(self._clock(), written_ns + self._timer.deliver_ns)
            self._latest_ns = max(self._latest_ns, latest_end_ns(self._timer, heard_ns, span))
        self._sure_ns = sure_ns
        return Held(self._sure_ns, self._latest_ns, self._sight())

    async def release(self) -> Sight:
        """Switch off, and wait until it says that it is off."""
        await self._be_quiet()
        self._sure_ns = 0  # it may hear it, whatever we hear
        await self._say(self._topics.off, wanted=False)
        self._settled_ns = 0
        return self._sight()

    async def look(self) -> Sight:
        """Ask it if that can be done, and wait for what it says next."""
        await self._be_quiet()
        await self._say("", wanted=None)
        self._check_off()
        over_ns = self._clock() - self._latest_ns
        if self._is_on and self._latest_ns and 0 <= over_ns < self._timer.deliver_ns:
            raise TransportError(
                f"what it says under {self._topics.state} may be from before its timer ended"
            )
        return self._sight()

    def _check_off(self) -> None:
        if self._is_on is False and self._clock() < self._settled_ns:
            raise TransportError(
                f"what it says under {self._topics.state} may be from before it heard the word on"
            )

    # --- words ---------------------------------------------------------------------------------

    async def _be_quiet(self) -> None:
        if self._quiet_ns > self._clock():
            await asyncio.sleep((self._quiet_ns - self._clock()) / SECOND_NS)

    async def _say(self, word: str, *, wanted: bool | None) -> None:
        """Say a word if there is one, and wait for a state; more may have been heard since.

        Raises:
            TransportError: there is no server, or the state did not come.
        """
        topics, loop = self._topics, asyncio.get_running_loop()
        if not self._line.connected:
            raise TransportError(f"there is no MQTT server at {self._line.address}")
        self._answer, self._wanted = loop.create_future(), wanted
        try:
            if word:
                self._line.say(self._address, word.encode())
            if topics.ask:
                self._line.say(topics.ask, topics.ask_payload.encode())
            async with asyncio.timeout(ANSWER_S):
                await self._answer
        except TimeoutError:
            raise TransportError(self._silence(wanted)) from None
        finally:
            self._answer = None

    def _silence(self, wanted: bool | None) -> str:
        says = {True: self._topics.state_on, False: self._topics.state_off}
        what = "anything" if wanted is None else f'"{says[wanted]}"'
        hint = "" if self._topics.ask else "; name an ask_topic, or have it say so each second"
        return f"the plug does not say {what} under {self._topics.state}{hint}"

    # --- what it says --------------------------------------------------------------------------

    def _hear_state(self, _topic: str, payload: bytes) -> bool:
        said = found(payload, self._topics.state_path)
        if said not in (self._topics.state_on, self._topics.state_off):
            return False
        is_on = said == self._topics.state_on
        if is_on is not self._is_on:
            self._is_on, self._turned_ns = is_on, self._clock()
        if not is_on:
            self._sure_ns = 0
            if self._clock() >= self._settled_ns:
                self._latest_ns = 0
        waiting = self._answer
        if waiting is not None and not waiting.done() and self._wanted in (None, is_on):
            waiting.set_result(None)
        return True

    def _hear_power(self, _topic: str, payload: bytes) -> bool:
        try:
            watts = float(found(payload, self._topics.power_path) or "")
        except ValueError:
            return False
        if not math.isfinite(watts) or abs(watts) > POWER_W_MAX:
            return False
        self._watts, self._watts_ns = watts, self._clock()
        return True

    def _sight(self) -> Sight:
        is_on = self._is_on is True
        now_ns, at_ns = self._clock(), self._watts_ns
        watts = volts = None
        if at_ns is not None and at_ns >= max(self._turned_ns, now_ns - POWER_NS):
            watts, volts = self._watts, MAINS_V
        if not is_on or self._latest_ns <= now_ns:
            return Sight(is_on, None, 0, watts, volts)
        # As others tell it, before drift and lateness: who adds these finds the same end.
        rest_ns = (self._latest_ns - self._timer.late_ns - 1 - now_ns) * (_MILLION - DRIFT_PPM)
        sure_ns = max(0, self._sure_ns - now_ns)
        return Sight(True, max(0, rest_ns // _MILLION), sure_ns, watts, volts)


def found(payload: bytes, path: str) -> str | None:
    """Return what is said, as text: the whole, or what stands at a place in a JSON object.

    Returns:
        None if nothing is there, or what is there is no text, number, true or false.
    """
    if not path:
        return payload.decode(errors="replace").strip()
    try:
        value = cast("object", json.loads(payload))
    except (ValueError, RecursionError):
        return None
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, object]", value).get(key)
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None
