"""Shelly and Tasmota over MQTT: a word, and the answer that belongs to it.

A Shelly's calls have numbers, and its answers too. A Tasmota's answers have none: one word is under
way at a time, its answer is known by its key, and after a word without an answer it is quiet for a
while, so that a late answer is not taken for that of the next word. Its timer and its button have
it say its state unasked, in the same words: only the state that was asked for answers a word that
switches. That may still be from before the word was heard (`tasmota.py` counts with it).

Sources: shelly-api-docs.shelly.cloud, Gen2, "MQTT" (topic PREFIX/rpc, answers under SRC/rpc);
Tasmota, "MQTT" (cmnd/TOPIC/COMMAND, stat/TOPIC/RESULT and STATUS10).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable

from rackgrid.adapters.plug.line import Line
from rackgrid.adapters.plug.shelly import Rpc
from rackgrid.adapters.plug.talk import Answer, Told, inside, read_object
from rackgrid.deadman import SECOND_NS
from rackgrid.errors import TransportError

ANSWER_S = 1.0
"""From the word to its answer, s."""
QUIET_NS = 2 * SECOND_NS
"""So long after a word without an answer no other is said."""


class ShellyMqtt:
    """The way to one Shelly.

    Args:
        line: to the server.
        prefix: of the Shelly's topics.
        clock: CLOCK_MONOTONIC in ns.
    """

    def __init__(self, line: Line, prefix: str, clock: Callable[[], int]) -> None:
        self._line = line
        self._prefix = prefix
        self._clock = clock
        self._own = f"rackgrid/plug/{secrets.token_hex(8)}"
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        line.listen(f"{self._own}/rpc", self._hear)

    async def ask(self, word: Callable[[int], Rpc | None]) -> Told | None:
        """Call, and wait for the answer of the same number."""
        if not self._line.connected:
            raise TransportError(f"there is no MQTT server at {self._line.address}")
        written_ns = self._clock()
        call = word(written_ns)
        if call is None:
            return None
        self._number += 1
        number = self._number
        frame = {"id": number, "src": self._own, "method": call.method, "params": {**call.params}}
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._line.say(f"{self._prefix}/rpc", json.dumps(frame).encode())
            async with asyncio.timeout(ANSWER_S):
                found = await answer
        except TimeoutError:
            raise TransportError(f"the Shelly {self._prefix} does not answer") from None
        finally:
            del self._waiting[number]
        if "error" in found:
            what = inside(found, "error").get("message")
            raise TransportError(f"the Shelly {self._prefix} refuses {call.method}: {what}"[:200])
        return Told(written_ns, self._clock(), inside(found, "result"))

    def _hear(self, _topic: str, payload: bytes) -> bool:
        try:
            answer = read_object(payload, self._prefix)
        except TransportError:
            return False  # the word that it may have answered is not answered
        number = answer.get("id")
        waiting = self._waiting.get(number) if isinstance(number, int) else None
        if waiting is not None and not waiting.done() and answer.get("src") == self._prefix:
            waiting.set_result(answer)
        return True


class TasmotaMqtt:
    """The way to one Tasmota.

    Args:
        line: to the server.
        topic: of the Tasmota.
        clock: CLOCK_MONOTONIC in ns.
    """

    def __init__(self, line: Line, topic: str, clock: Callable[[], int]) -> None:
        self._line = line
        self._topic = topic
        self._clock = clock
        self._keys: tuple[str, ...] = ()
        self._state = ""
        self._answer: asyncio.Future[Answer] | None = None
        self._quiet_ns = 0
        for name in ("RESULT", "STATUS10"):
            line.listen(f"stat/{topic}/{name}", self._hear)

    async def ask(self, word: Callable[[int], str | None]) -> Told | None:
        """Give a command, and wait for the answer that has its key."""
        if self._quiet_ns > self._clock():
            await asyncio.sleep((self._quiet_ns - self._clock()) / SECOND_NS)
        if not self._line.connected:
            raise TransportError(f"there is no MQTT server at {self._line.address}")
        written_ns = self._clock()
        command = word(written_ns)
        if command is None:
            return None
        name, _, value = command.partition(" ")
        self._keys = _keys(name)
        self._state = value if value in ("ON", "OFF") else ""
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._line.say(f"cmnd/{self._topic}/{name}", value.encode())
            async with asyncio.timeout(ANSWER_S):
                found = await self._answer
        except TimeoutError:
            self._quiet_ns = self._clock() + QUIET_NS
            raise TransportError(f"the Tasmota {self._topic} does not answer") from None
        except asyncio.CancelledError:
            self._quiet_ns = self._clock() + QUIET_NS
            raise
        finally:
            self._answer = None
        return Told(written_ns, self._clock(), found)

    def _hear(self, _topic: str, payload: bytes) -> bool:
        try:
            answer = read_object(payload, self._topic)
        except TransportError:
            return False  # as above
        waiting = self._answer
        said = [answer[key] for key in self._keys if key in answer]
        is_answer = self._state in said if self._state else bool(said)
        if waiting is not None and not waiting.done() and is_answer:
            waiting.set_result(answer)
        return True


def _keys(command: str) -> tuple[str, ...]:
    """Say by which key a command's answer is known."""
    if command.startswith("Power") and command != "PowerOnState":
        return (command.upper(), "POWER")
    return ("StatusSNS",) if command == "Status" else (command,)
