"""A desk for a plug of any maker: the plug, a line in memory, and who speaks to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

from tests.unit.controller.adapters.plug.device import TopicDevice
from tests.unit.controller.adapters.plug.test_mqtt_talk import Wire

from rackgrid.adapters.plug.generic import Generic
from rackgrid.config import TopicConfig
from rackgrid.deadman import SECOND_NS, timer_of

TIMER = timer_of("generic", "mqtt")
STATE = "attic/plug-1"
TOPICS = TopicConfig(
    on='{"state": "ON", "on_time": {seconds}}',
    off='{"state": "OFF"}',
    state=STATE,
    state_path="state",
    state_on="ON",
    state_off="OFF",
    ask="attic/plug-1/get",
    ask_payload='{"state": ""}',
    power=STATE,
    power_path="meter.w",
)
ON, OFF = b'{"state": "ON"}', b'{"state": "OFF"}'


class Desk:
    """The plug, the wire to it, and who speaks."""

    def __init__(self, device: TopicDevice, topics: TopicConfig = TOPICS) -> None:
        self.device = device
        self.wire = Wire()
        self.wire.answer = self.answer
        self.clock: Callable[[], int] = time.monotonic_ns
        self.plug = Generic(self.wire, "attic/plug-1/set", topics, TIMER, lambda: self.clock())
        self.late_states: list[bytes] = []
        """What was on its way when the word was said; it arrives before the answer."""

    def answer(self, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        late = [(STATE, each) for each in self.late_states]
        said = self.device.hear(topic, payload.decode())
        return late + [(where, what.encode()) for where, what in said]

    def hear(self, payload: bytes, topic: str = STATE) -> bool:
        return self.wire.heard[topic](topic, payload)

    def words(self) -> list[str]:
        return [what.decode() for where, what in self.wire.said if where == "attic/plug-1/set"]


def play(scene: Coroutine[object, object, None]) -> None:
    async def whole() -> None:
        await scene

    asyncio.run(whole())


def after(seconds: float) -> int:
    return time.monotonic_ns() + round(seconds * SECOND_NS)
