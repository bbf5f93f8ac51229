"""Plugs over a real Mosquitto: they speak their makers' topics, and keep their own timers.

Fails if a plug outlives the grant of a controller that was killed, if a word is retained, or if a
server that goes away leaves a plug on beyond its timer, or a node without its other loads.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from tests.rack.mosquitto import Mosquitto
from tests.rack.patience import until
from tests.rack.plug_rack import CAPACITY_W, GRANT_S, Rack
from tests.unit.controller.adapters.plug.device import (
    Device,
    ShellyDevice,
    TasmotaDevice,
    TopicDevice,
)

pytestmark = pytest.mark.mosquitto

DEVICES = {"shelly": ShellyDevice, "tasmota": TasmotaDevice, "generic": TopicDevice}
WORD = 'on_payload = \'{"state": "ON", "on_time": {seconds}}\'\n'
TOPICS = """mqtt = "generic://attic/plug-1/set"
off_payload = '{"state": "OFF"}'
state_topic = "attic/plug-1"
state_path = "state"
ask_topic = "attic/plug-1/get"
power_topic = "attic/plug-1"
power_path = "meter.w"
"""
WORDS_ON = ('"on": true', "Power1 ON", "on_time")
LONGER_S = 6.0
"""Grants for a timer of which nobody knows how it counts its seconds."""


class OnTheWire:
    """A plug's own connection to the server: what it hears it does, and answers."""

    def __init__(self, server: Mosquitto, device: Device) -> None:
        self.device = device
        self.retained: list[str] = []
        self.subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._has_subscribed
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", server.port)
        self._client.loop_start()
        assert self.subscribed.wait(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, *_: object) -> None:
        topics = ("plug-1/rpc", "cmnd/plug-1/+", "attic/plug-1/set", "attic/plug-1/get")
        client.subscribe([(topic, 0) for topic in topics])

    def _has_subscribed(self, *_: object) -> None:
        self.subscribed.set()

    def _hear(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        text = bytes(message.payload).decode()
        self.device.asked.append(f"{message.topic} {text}")
        if message.retain:
            self.retained.append(message.topic)
        if isinstance(self.device, ShellyDevice):
            frame = json.loads(text)
            result = self.device.call(frame["method"], frame["params"])
            reply = {"id": frame["id"], "src": "plug-1", "dst": frame["src"], "result": result}
            self._client.publish(f"{frame['src']}/rpc", json.dumps(reply))
        elif isinstance(self.device, TasmotaDevice):
            name = message.topic.rsplit("/", 1)[1]
            result = self.device.command(f"{name} {text}".strip())
            topic = "STATUS10" if name == "Status" else "RESULT"
            self._client.publish(f"stat/plug-1/{topic}", json.dumps(result))
        elif isinstance(self.device, TopicDevice):
            for where, what in self.device.hear(message.topic, text):
                self._client.publish(where, what, retain=True)  # as many do


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture(params=DEVICES)
def plug(request: pytest.FixtureRequest, server: Mosquitto) -> Iterator[OnTheWire]:
    device: Device = DEVICES[request.param]()
    wire = OnTheWire(server, device)
    yield wire
    wire.close()
    device.close()


@pytest.fixture
def rack(tmp_path: Path, server: Mosquitto, plug: OnTheWire) -> Iterator[Rack]:
    make = next(name for name, kind in DEVICES.items() if isinstance(plug.device, kind))
    way = TOPICS + WORD if make == "generic" else f'mqtt = "{make}://plug-1"\n'
    made = Rack(tmp_path / "rack", way + there(server), {}, grant_s(plug))
    made.start()
    yield made
    made.close()


def there(server: Mosquitto) -> str:
    return f'[mqtt]\nhost = "127.0.0.1"\nport = {server.port}\n'


def grant_s(plug: OnTheWire) -> float:
    return LONGER_S if isinstance(plug.device, TopicDevice) else GRANT_S


def words_on(device: Device) -> int:
    return len([x for x in device.asked if any(word in x for word in WORDS_ON)])


def test_plug_of_a_killed_controller_goes_off_before_its_grant_ends(
    rack: Rack, plug: OnTheWire
) -> None:
    relay = plug.device.relay
    until("the plug is on", lambda: relay.is_on)
    until("it was renewed", lambda: words_on(plug.device) > 3)
    assert not relay.spans, "it did not blink before"
    rack.node.end(signal.SIGKILL)
    killed = time.monotonic()
    until("the plug is off", lambda: not relay.is_on)
    (span,) = relay.spans
    assert span[1] <= killed + grant_s(plug)
    assert rack.peak_w(relay.spans) <= CAPACITY_W
    assert plug.retained == []


def test_server_that_dies_leaves_no_plug_on_and_no_node_waiting(
    rack: Rack, plug: OnTheWire, server: Mosquitto
) -> None:
    relay = plug.device.relay
    until("the plug is on", lambda: relay.is_on)
    until("it is said to be on", lambda: rack.node.load("plug").get("on"))
    server.kill()
    until("it is off by its own timer", lambda: not relay.is_on)
    until("it is said to be off", lambda: not rack.node.load("plug")["on"])
    assert rack.node.load("plug")["fault"]
    until("another load has its watts", lambda: any(n.load("lamp").get("on") for n in rack.nodes))
    server.start()
    until("it is on again", lambda: relay.is_on)
    relay.switch(False)
    assert rack.peak_w(relay.spans) <= CAPACITY_W


@pytest.mark.parametrize("plug", ["generic"], indirect=True)
def test_plug_without_a_word_that_ends_is_floor_and_is_never_switched(
    tmp_path: Path, server: Mosquitto, plug: OnTheWire
) -> None:
    """A floor of 6.5 W and its 8 W beside the other node's: a lamp has no room any more."""
    made = Rack(tmp_path / "rack", TOPICS + there(server), {})
    try:
        made.start()
        until("it is looked at", lambda: made.node.load("plug").get("fault"))
        until("it counts as floor", lambda: floor_w(made) >= 14.5)
        assert "on_payload has no {seconds}" in made.node.said()
        assert [word for word in plug.device.asked if "/set" in word] == []
        assert not plug.device.relay.is_on
    finally:
        made.close()


def floor_w(rack: Rack) -> float:
    roster = rack.node.state().get("roster", [])
    return next((x["floor_w"] for x in roster if x["name"] == rack.node.name), 0.0)
