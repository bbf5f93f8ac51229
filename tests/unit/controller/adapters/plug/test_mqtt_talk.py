"""Words and answers over MQTT: which answer belongs to which word, over a line in memory."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator

import pytest
from tests.unit.controller.adapters.plug.device import ShellyDevice, TasmotaDevice

from rackgrid.adapters.plug import mqtt_talk
from rackgrid.adapters.plug.line import Line, Listener
from rackgrid.adapters.plug.mqtt_talk import ShellyMqtt, TasmotaMqtt
from rackgrid.adapters.plug.shelly import Rpc, Shelly
from rackgrid.adapters.plug.tasmota import Tasmota
from rackgrid.config import MqttConfig
from rackgrid.deadman import SECOND_NS, TIMERS, timer_of
from rackgrid.errors import TransportError

CALL = Rpc("Shelly.GetStatus", {})


class Wire(Line):
    """A line whose other end is a device in this process; `lose` drops its answers."""

    def __init__(self) -> None:
        super().__init__(MqttConfig("server", 1883, "", None, None, "rackgrid"))
        self._is_open = True
        self.said: list[tuple[str, bytes]] = []
        self.lose = False
        self.answers: list[tuple[str, bytes]] = []
        self.answer: Callable[[str, bytes], list[tuple[str, bytes]]] = self._fixed

    @property
    def heard(self) -> dict[str, Listener]:
        return self._listeners

    def _fixed(self, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        return self.answers

    def say(self, topic: str, payload: bytes) -> None:
        self.said.append((topic, payload))
        for where, what in self.answer(topic, payload):
            if not self.lose:
                asyncio.get_running_loop().call_soon(self._listeners[where], where, what)


@pytest.fixture
def shelly() -> Iterator[ShellyDevice]:
    made = ShellyDevice()
    yield made
    made.close()


@pytest.fixture
def tasmota() -> Iterator[TasmotaDevice]:
    made = TasmotaDevice()
    yield made
    made.close()


def shelly_wire(device: ShellyDevice) -> Wire:
    wire = Wire()

    def answer(topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        frame = json.loads(payload)
        reply = {"id": frame["id"], "src": "shelly-1", "dst": frame["src"]}
        result = device.call(frame["method"], frame["params"])
        key = "error" if "code" in result else "result"
        return [(f"{frame['src']}/rpc", json.dumps({**reply, key: result}).encode())]

    wire.answer = answer
    return wire


def tasmota_wire(device: TasmotaDevice) -> Wire:
    wire = Wire()

    def answer(topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        _, plug, name = topic.split("/")
        result = json.dumps(device.command(f"{name} {payload.decode()}".strip())).encode()
        where = "STATUS10" if name == "Status" else "RESULT"
        return [(f"stat/{plug}/{where}", result)]

    wire.answer = answer
    return wire


def test_shelly_is_switched_and_looked_at(shelly: ShellyDevice) -> None:
    wire = shelly_wire(shelly)
    made = Shelly(ShellyMqtt(wire, "shelly-1", time.monotonic_ns), 0, TIMERS["shelly"])

    async def play() -> None:
        assert await made.prove() == ""
        held = await made.hold(time.monotonic_ns() + 5 * SECOND_NS, starts=True)
        assert held is not None
        assert held.sight.on
        assert shelly.relay.left_s is not None
        assert not (await made.release()).on

    asyncio.run(play())
    assert {topic for topic, _ in wire.said} == {"shelly-1/rpc"}


def test_shelly_refusal_is_said(shelly: ShellyDevice) -> None:
    talk = ShellyMqtt(shelly_wire(shelly), "shelly-1", time.monotonic_ns)
    with pytest.raises(TransportError, match=r"refuses Nothing\.Here: No handler"):
        asyncio.run(talk.ask(lambda _: Rpc("Nothing.Here", {})))


def test_answers_to_other_words_are_not_taken(
    shelly: ShellyDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late, strange or someone else's: the word waits for its own."""
    monkeypatch.setattr(mqtt_talk, "ANSWER_S", 0.2)
    wire = Wire()
    talk = ShellyMqtt(wire, "shelly-1", time.monotonic_ns)
    (topic,) = wire.heard
    strays = [
        b"nonsense",
        b'{"id": 99, "src": "shelly-1", "result": {}}',
        b'{"id": 1, "src": "another", "result": {}}',
        b'{"id": "1", "src": "shelly-1", "result": {}}',
    ]
    wire.answers = [(topic, stray) for stray in strays]
    with pytest.raises(TransportError, match="does not answer"):
        asyncio.run(talk.ask(lambda _: CALL))


def test_tasmota_is_switched_and_looked_at(tasmota: TasmotaDevice) -> None:
    wire = tasmota_wire(tasmota)
    talk = TasmotaMqtt(wire, "heater", time.monotonic_ns)
    made = Tasmota(talk, 1, TIMERS["tasmota"], 4 * SECOND_NS)

    async def play() -> None:
        assert await made.prove() == ""
        held = await made.hold(time.monotonic_ns() + 5 * SECOND_NS, starts=True)
        assert held is not None
        assert (held.sight.on, held.sight.watts) == (True, 40.0)
        assert tasmota.relay.left_s is not None
        assert not (await made.release()).on

    asyncio.run(play())
    assert ("cmnd/heater/Power1", b"ON") in wire.said


def test_late_answer_is_not_taken_for_that_of_the_next_word(
    tasmota: TasmotaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_talk, "ANSWER_S", 0.1)
    monkeypatch.setattr(mqtt_talk, "QUIET_NS", SECOND_NS // 5)
    wire = tasmota_wire(tasmota)
    talk = TasmotaMqtt(wire, "heater", time.monotonic_ns)

    async def play() -> None:
        wire.lose = True
        with pytest.raises(TransportError, match="does not answer"):
            await talk.ask(lambda _: "Power1")
        wire.lose = False
        task = asyncio.create_task(talk.ask(lambda _: "Power1"))
        await asyncio.sleep(0)
        tasmota.relay.switch(True)
        wire.heard["stat/heater/RESULT"]("stat/heater/RESULT", b'{"POWER":"OFF"}')  # late
        told = await task
        assert told is not None
        assert told.answer == {"POWER": "ON"}

    asyncio.run(play())


def test_answer_is_known_by_its_key(
    tasmota: TasmotaDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_talk, "ANSWER_S", 0.1)
    wire = Wire()
    talk = TasmotaMqtt(wire, "heater", time.monotonic_ns)
    wire.answers = [
        ("stat/heater/RESULT", b'{"POWER":"OFF"}'),
        ("stat/heater/RESULT", b"x"),
    ]
    with pytest.raises(TransportError, match="does not answer"):
        asyncio.run(talk.ask(lambda _: "PulseTime1"))


def late_tasmota_wire(device: TasmotaDevice, late_s: float, unasked: bytes) -> Wire:
    """It hears each word late; what it said unasked arrives when a word on is said."""
    wire, result = Wire(), "stat/heater/RESULT"

    def hear(name: str, payload: bytes) -> None:
        said = json.dumps(device.command(f"{name} {payload.decode()}".strip())).encode()
        where = "stat/heater/STATUS10" if name == "Status" else result
        wire.heard[where](where, said)

    def answer(topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        name = topic.rpartition("/")[2]
        asyncio.get_running_loop().call_later(late_s, hear, name, payload)
        return [(result, unasked)] if payload in (b"ON", b"OFF") else []

    wire.answer = answer
    return wire


def test_state_said_unasked_is_no_sign_of_when_a_word_was_heard(tasmota: TasmotaDevice) -> None:
    """A button pressed just before: fails if the timer then counts as ended while it runs."""
    wire = late_tasmota_wire(tasmota, 0.3, b'{"POWER1":"ON"}')
    talk = TasmotaMqtt(wire, "heater", time.monotonic_ns)
    tasmota.pulse = 29
    timer = timer_of("tasmota", "mqtt")

    async def play() -> None:
        made = Tasmota(talk, 1, timer, 4 * SECOND_NS)
        held = await made.hold(time.monotonic_ns() + 8 * SECOND_NS, starts=True)
        assert held is not None
        left_s = tasmota.relay.left_s
        assert left_s is not None
        ends_ns = time.monotonic_ns() + round(left_s * SECOND_NS)
        assert held.latest_ns >= ends_ns + timer.late_ns

    asyncio.run(play())


@pytest.mark.parametrize(("word", "unasked"), [("ON", "OFF"), ("OFF", "ON")])
def test_state_said_unasked_does_not_answer_a_word_for_the_other(
    tasmota: TasmotaDevice, word: str, unasked: str
) -> None:
    """Its timer ended, or a button was pressed, just before it heard the word."""
    wire = late_tasmota_wire(tasmota, 0.05, f'{{"POWER1":"{unasked}"}}'.encode())
    talk = TasmotaMqtt(wire, "heater", time.monotonic_ns)

    async def play() -> None:
        told = await talk.ask(lambda _: f"Power1 {word}")
        assert told is not None
        assert told.answer == {"POWER": word}
        assert told.answered_ns - told.written_ns >= 0.05 * SECOND_NS

    asyncio.run(play())


def test_two_relays_of_one_tasmota_share_its_topics(tasmota: TasmotaDevice) -> None:
    """Fails if the second takes the first one's answers away."""
    wire = tasmota_wire(tasmota)
    first, second = (TasmotaMqtt(wire, "heater", time.monotonic_ns) for _ in range(2))
    for talk in (first, second, first):
        told = asyncio.run(talk.ask(lambda _: "Power1"))
        assert told is not None
        assert told.answer == {"POWER": "OFF"}


@pytest.mark.parametrize("make", ["shelly", "tasmota"])
def test_without_a_server_nothing_is_said(make: str) -> None:
    wire = Wire()
    wire._is_open = False
    ask = {
        "shelly": lambda: ShellyMqtt(wire, "s", time.monotonic_ns).ask(lambda _: CALL),
        "tasmota": lambda: TasmotaMqtt(wire, "t", time.monotonic_ns).ask(lambda _: "Power1"),
    }[make]
    with pytest.raises(TransportError, match="no MQTT server at server:1883"):
        asyncio.run(ask())
    assert wire.said == []


@pytest.mark.parametrize("make", ["shelly", "tasmota"])
def test_no_word_is_not_said(make: str) -> None:
    wire = Wire()
    ask = {
        "shelly": lambda: ShellyMqtt(wire, "s", time.monotonic_ns).ask(lambda _: None),
        "tasmota": lambda: TasmotaMqtt(wire, "t", time.monotonic_ns).ask(lambda _: None),
    }[make]
    assert asyncio.run(ask()) is None
    assert wire.said == []
