"""Prices and temperatures over a real Mosquitto: what is published shows in offers and in worths.

Fails if a retained tariff is not taken, if a retained temperature is, or if a server that was away
leaves the node deaf.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from tests.rack.mosquitto import Mosquitto
from tests.rack.patience import DEADLINE_S

from rackgrid.adapters.ears import Ears
from rackgrid.adapters.sources import POLL_NS, Sources
from rackgrid.adapters.thermometer import Thermometer
from rackgrid.config import MqttConfig, SourceConfig

pytestmark = pytest.mark.mosquitto

GRID = SourceConfig("grid", 0.3, 60.0, "", None, tariff_topic="prices/grid")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.kill()


def publish(server: Mosquitto, topic: str, payload: str, *, retain: bool) -> None:
    """Publish as a script does: connect, say it, go."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", server.port)
    client.loop_start()
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(DEADLINE_S)
    client.disconnect()
    client.loop_stop()


class Node:
    """As much of a node as hears."""

    def __init__(self, server: Mosquitto) -> None:
        self.ears = Ears(MqttConfig("127.0.0.1", server.port, "", None, None, "rackgrid"))
        self.sources = Sources((GRID,), 60.0)
        self.sources.listen(self.ears)
        self.fridge = Thermometer("fridge")
        self.ears.listen("kitchen/fridge", self.fridge.hear, retained=False)
        self._polled_ns = 0
        self._price_uc = 0

    def price_uc(self) -> int:
        """The price that the source offers at now."""
        self._polled_ns += POLL_NS
        offers = self.sources.poll(self._polled_ns)
        if offers is not None:
            self._price_uc = offers[0].price_uc
        return self._price_uc


async def turns(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_retained_tariff_is_taken_and_a_retained_temperature_is_not(server: Mosquitto) -> None:
    async def run() -> None:
        node = Node(server)
        assert node.price_uc() == 300_000
        publish(server, "prices/grid", '{"price": 0.12}', retain=True)
        publish(server, "kitchen/fridge", "9.5", retain=True)
        node.ears.start()
        await turns(lambda: node.price_uc() == 120_000)
        await turns(lambda: node.ears.rejected.get("mqtt_retained", 0) == 1)
        assert node.fridge.mc is None
        publish(server, "kitchen/fridge", '{"temperature": 4.5}', retain=False)
        await turns(lambda: node.fridge.mc == 4500)
        node.ears.close()

    asyncio.run(run())


def test_server_that_was_away_is_heard_again(server: Mosquitto) -> None:
    async def run() -> None:
        node = Node(server)
        node.ears.start()
        server.kill()
        server.start()
        publish(server, "prices/grid", "0.2", retain=True)
        await turns(lambda: node.price_uc() == 200_000)
        publish(server, "prices/grid", "no price", retain=True)
        publish(server, "prices/grid", "0.4", retain=True)
        await turns(lambda: node.price_uc() == 400_000)
        node.ears.close()

    asyncio.run(run())
