"""The bridge and a real Mosquitto: killed, stopped, restarted.

Needs `mosquitto` on the PATH; everything happens on one loopback port.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from tests.rack.mosquitto import Mosquitto
from tests.rack.patience import DEADLINE_S, until

from rackgrid.adapters.mqtt import MqttBridge
from rackgrid.adapters.mqtt_visit import visit
from rackgrid.config import MqttConfig

pytestmark = pytest.mark.mosquitto

PRICE = "rackgrid/shed/price"
AVAILABILITY = "rackgrid/shed/alfa/availability"

CHILD = """
import sys, time
from rackgrid.adapters.mqtt import MqttBridge
from rackgrid.adapters.mqtt_visit import visit
from rackgrid.config import MqttConfig
config = MqttConfig("127.0.0.1", int(sys.argv[1]), "", None, None, "rackgrid")
bridge = MqttBridge(config, "shed", "alfa")
bridge.start()
sys.stdin.read()
bridge.stop()
"""


class Reader:
    """A subscriber that keeps the last payload of each topic."""

    def __init__(self, port: int) -> None:
        self.latest: dict[str, tuple[bytes, bool]] = {}
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("rackgrid/#", qos=1)
        self._client.loop_start()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self.latest[message.topic] = (bytes(message.payload), message.retain)

    def payload(self, topic: str) -> bytes | None:
        return self.latest.get(topic, (None, False))[0]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def bridge(mosquitto: Mosquitto) -> Iterator[MqttBridge]:
    made = bridge_of(mosquitto.port)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def readers(mosquitto: Mosquitto) -> Iterator[Callable[[], Reader]]:
    made: list[Reader] = []

    def make() -> Reader:
        made.append(Reader(mosquitto.port))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def bridge_of(port: int, node: str = "alfa") -> MqttBridge:
    config = MqttConfig("127.0.0.1", port, "", None, None, "rackgrid")
    return MqttBridge(config, "shed", node, retry_s=(0.05, 0.2), keepalive_s=1)


def price(bridge: MqttBridge, value: float, round_: int, term: int = 4) -> datetime:
    start = datetime.now(UTC)
    bridge.publish_price(value, "EUR", term, round_, start, start + timedelta(minutes=1))
    return start


def delivered(bridge: MqttBridge) -> None:
    until("the server acknowledges everything", lambda: bridge.connected and bridge.waiting == 0)


def test_price_published_is_retained_for_a_late_reader(
    bridge: MqttBridge, readers: Callable[[], Reader]
) -> None:
    start = price(bridge, 0.25, 19)
    delivered(bridge)
    late = readers()
    until("the retained price", lambda: PRICE in late.latest)
    payload, retained = late.latest[PRICE]
    assert retained
    told = json.loads(payload)
    assert set(told) == {"value", "currency", "term", "round", "start", "end"}
    assert (told["value"], told["currency"], told["term"], told["round"]) == (0.25, "EUR", 4, 19)
    written = datetime.fromisoformat(told["start"])
    assert abs(written - start) < timedelta(milliseconds=1)
    assert datetime.fromisoformat(told["end"]) - written == timedelta(minutes=1)
    assert told["start"].endswith("Z")


def test_state_of_node_and_load_is_retained_on_topics_of_their_own(
    bridge: MqttBridge, readers: Callable[[], Reader]
) -> None:
    bridge.publish_state({"role": "broker"})
    bridge.publish_load("lamp", {"on": True, "reason": "required: always on"})
    delivered(bridge)
    late = readers()
    until("three retained topics", lambda: len(late.latest) == 3)
    assert json.loads(late.latest["rackgrid/shed/alfa/state"][0]) == {"role": "broker"}
    assert json.loads(late.latest["rackgrid/shed/alfa/lamp/state"][0])["on"] is True
    assert late.latest[AVAILABILITY] == (b"online", True)


def test_process_killed_is_told_by_its_last_will(
    mosquitto: Mosquitto, readers: Callable[[], Reader]
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(mosquitto.port)], stdin=subprocess.PIPE
    )
    with child:
        watcher = readers()
        until("online", lambda: watcher.payload(AVAILABILITY) == b"online")
        child.send_signal(signal.SIGKILL)
        until("the last will", lambda: watcher.payload(AVAILABILITY) == b"offline")
    late = readers()
    until("the retained last will", lambda: late.latest.get(AVAILABILITY) == (b"offline", True))


def test_process_stopped_cleanly_says_offline(
    mosquitto: Mosquitto, readers: Callable[[], Reader]
) -> None:
    stopped = bridge_of(mosquitto.port)
    stopped.start()
    delivered(stopped)
    stopped.stop(DEADLINE_S)
    late = readers()
    until("offline", lambda: late.latest.get(AVAILABILITY) == (b"offline", True))


def test_server_killed_and_restarted_gets_every_latest_value_again(
    mosquitto: Mosquitto, bridge: MqttBridge, readers: Callable[[], Reader]
) -> None:
    price(bridge, 0.25, 1)
    bridge.publish_state({"round": 1})
    bridge.publish_load("lamp", {"on": True})
    delivered(bridge)
    mosquitto.kill()
    until("the bridge notices", lambda: not bridge.connected)
    assert bridge.alive()
    price(bridge, 0.5, 2)
    price(bridge, 0.75, 3)
    bridge.publish_load("lamp", {"on": False})
    mosquitto.start()
    delivered(bridge)
    late = readers()
    until("four retained topics", lambda: len(late.latest) == 4)
    assert json.loads(late.latest[PRICE][0])["round"] == 3
    # The state did not change meanwhile; the new server must know it all the same.
    assert json.loads(late.latest["rackgrid/shed/alfa/state"][0]) == {"round": 1}
    assert json.loads(late.latest["rackgrid/shed/alfa/lamp/state"][0]) == {"on": False}
    assert late.latest[AVAILABILITY] == (b"online", True)


def test_broker_deposed_while_away_does_not_put_its_price_over_its_successors(
    mosquitto: Mosquitto, bridge: MqttBridge, readers: Callable[[], Reader]
) -> None:
    price(bridge, 0.25, 7, term=4)
    delivered(bridge)
    # Stopped, so that a price is sent and not acknowledged: the one that paho would send again.
    mosquitto.send(signal.SIGSTOP)
    price(bridge, 0.30, 8, term=4)
    bridge.withdraw_price()
    mosquitto.kill()
    until("the bridge notices", lambda: not bridge.connected)
    mosquitto.start()
    successor = bridge_of(mosquitto.port, "bravo")
    successor.start()
    price(successor, 0.40, 1, term=5)
    delivered(successor)
    delivered(bridge)
    late = readers()
    until("the successor's price", lambda: PRICE in late.latest)
    assert json.loads(late.latest[PRICE][0])["term"] == 5
    successor.stop()


def test_server_stopped_no_publish_ever_waits_for_it(
    mosquitto: Mosquitto, bridge: MqttBridge
) -> None:
    price(bridge, 0.25, 1)
    delivered(bridge)
    mosquitto.send(signal.SIGSTOP)
    returned = threading.Event()

    def control_rounds() -> None:
        for number in range(2, 5_000):
            price(bridge, 0.25, number)
            bridge.publish_state({"round": number})
            bridge.publish_load("lamp", {"round": number})
        returned.set()

    rounds = threading.Thread(target=control_rounds)
    rounds.start()
    # The server stays stopped throughout: a call that waits for it would never return.
    assert returned.wait(DEADLINE_S)
    rounds.join()
    assert bridge.waiting <= 4
    assert bridge.alive()
    mosquitto.send(signal.SIGCONT)
    delivered(bridge)


def test_server_stopped_for_good_is_noticed_and_survived(
    mosquitto: Mosquitto, bridge: MqttBridge
) -> None:
    # The kernel keeps the connection open; only the keep-alive can tell.
    delivered(bridge)
    mosquitto.send(signal.SIGSTOP)
    until("the keep-alive runs out", lambda: not bridge.connected)
    assert bridge.alive()
    mosquitto.send(signal.SIGCONT)
    delivered(bridge)


def test_memory_while_the_server_is_away_stays_bounded(
    mosquitto: Mosquitto, bridge: MqttBridge
) -> None:
    delivered(bridge)
    mosquitto.kill()
    until("the bridge notices", lambda: not bridge.connected)

    def day() -> int:
        for number in range(5_000):
            price(bridge, number / 1000, number)
            bridge.publish_state({"round": number, "text": "x" * 100})
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first, second = day(), day()
    finally:
        tracemalloc.stop()
    assert bridge.waiting <= 3
    # Paho's own queue would have grown by some 2 MB in the second day.
    assert second - first < 100_000


def test_import_of_the_bridge_starts_nothing() -> None:
    script = "import threading, rackgrid.adapters.mqtt; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ,
    )
    assert done.stdout == "1\n"


def test_doctors_visit_leaves_nothing_behind_and_disturbs_nobody(
    mosquitto: Mosquitto, bridge: MqttBridge, readers: Callable[[], Reader]
) -> None:
    price(bridge, 0.25, 19)
    delivered(bridge)
    config = MqttConfig("127.0.0.1", mosquitto.port, "", None, None, "rackgrid")
    assert visit(config, "shed", "alfa") == ("", "")
    assert bridge.connected
    late = readers()
    until("the retained price", lambda: PRICE in late.latest)
    assert not [topic for topic in late.latest if topic.endswith("/doctor")]
