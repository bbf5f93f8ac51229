"""Plugs over a real Mosquitto: they speak their makers' topics, and keep their own timers.

Fails if a plug outlives the grant of a controller that was killed, if a word is retained, or if a
server that goes away leaves a plug on beyond its timer, or a node without its other loads. Each
make has a server and a rack of its own, and all play a scene at once: most of it is waiting.
"""

from __future__ import annotations

import functools
import json
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from tests.rack.mosquitto import Mosquitto
from tests.rack.patience import until
from tests.rack.plug_rack import CAPACITY_W, GRANT_S, Rack
from tests.rack.tight import abreast
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


@dataclass
class Site:
    """A plug of one make, the server that it is at, and a rack that switches it."""

    make: str
    server: Mosquitto
    plug: OnTheWire
    rack: Rack
    grant_s: float


@contextmanager
def site(folder: Path, make: str, word: str = WORD) -> Generator[Site]:
    """Make one, its rack not started; a plug of the make "generic" is switched on by that word."""
    way = TOPICS + word if make == "generic" else f'mqtt = "{make}://plug-1"\n'
    grant_s = LONGER_S if make == "generic" and word else GRANT_S
    with ExitStack() as stack:
        server = Mosquitto(folder)
        server.start()
        stack.callback(server.kill)
        device = stack.enter_context(closing(DEVICES[make]()))
        plug = stack.enter_context(closing(OnTheWire(server, device)))
        there = f'[mqtt]\nhost = "127.0.0.1"\nport = {server.port}\n'
        rack = stack.enter_context(closing(Rack(folder, way + there, {}, grant_s)))
        yield Site(make, server, plug, rack, grant_s)


@pytest.fixture
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Site]]:
    with ExitStack() as stack:
        folders = {make: tmp_path_factory.mktemp(make) for make in DEVICES}  # a socket's is short
        yield [stack.enter_context(site(folder, make)) for make, folder in folders.items()]


def played(scene: Callable[[Site], None], site: Site) -> None:
    site.rack.start()
    try:
        scene(site)
    except AssertionError as failure:
        raise AssertionError(f"{site.make}: {failure}") from failure


def words_on(device: Device) -> int:
    return len([x for x in device.asked if any(word in x for word in WORDS_ON)])


def controller_is_killed(site: Site) -> None:
    rack, plug, relay = site.rack, site.plug, site.plug.device.relay
    until("the plug is on", lambda: relay.is_on)
    until("it was renewed", lambda: words_on(plug.device) > 3)
    assert not relay.spans, "it did not blink before"
    rack.node.end(signal.SIGKILL)
    killed = time.monotonic()
    until("the plug is off", lambda: not relay.is_on)
    (span,) = relay.spans
    assert span[1] <= killed + site.grant_s
    assert rack.peak_w(relay.spans) <= CAPACITY_W
    assert plug.retained == []


def server_dies(site: Site) -> None:
    rack, relay = site.rack, site.plug.device.relay
    until("the plug is on", lambda: relay.is_on)
    until("it is said to be on", lambda: rack.node.load("plug").get("on"))
    site.server.kill()
    until("it is off by its own timer", lambda: not relay.is_on)
    until("it is said to be off, and why", lambda: is_lost(rack.node.load("plug")))
    until("another load has its watts", lambda: any(n.load("lamp").get("on") for n in rack.nodes))
    site.server.start()
    until("it is on again", lambda: relay.is_on)
    relay.switch(False)
    assert rack.peak_w(relay.spans) <= CAPACITY_W


def test_plug_of_a_killed_controller_goes_off_before_its_grant_ends(sites: list[Site]) -> None:
    abreast([functools.partial(played, controller_is_killed, each) for each in sites])


def test_server_that_dies_leaves_no_plug_on_and_no_node_waiting(sites: list[Site]) -> None:
    abreast([functools.partial(played, server_dies, each) for each in sites])


def test_plug_without_a_word_that_ends_is_floor_and_is_never_switched(tmp_path: Path) -> None:
    """A floor of 6.5 W and its 8 W beside the other node's: a lamp has no room any more."""
    with site(tmp_path, "generic", word="") as made:
        rack, device = made.rack, made.plug.device
        rack.start()
        until("it is looked at", lambda: rack.node.load("plug").get("fault"))
        until("it counts as floor", lambda: floor_w(rack) >= 14.5)
        assert "on_payload has no {seconds}" in rack.node.said()
        assert [word for word in device.asked if "/set" in word] == []
        assert not device.relay.is_on


def is_lost(plug: dict[str, Any]) -> bool:
    """Whether a plug is said to be off, with a fault."""
    return plug.get("on") is False and bool(plug["fault"])


def floor_w(rack: Rack) -> float:
    roster = rack.node.state().get("roster", [])
    return next((x["floor_w"] for x in roster if x["name"] == rack.node.name), 0.0)
