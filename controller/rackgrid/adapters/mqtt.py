"""The bridge to an MQTT server: the price, this node's state and its loads, retained.

What is said goes out and nothing comes in: commands over MQTT do not exist here.

A dead, slow or lying server must never delay a control round, so the caller only ever puts a value
into a dictionary. A thread of its own does the rest, and drives paho by its interface for foreign
event loops (`loop_read`, `loop_write`, `loop_misc`) instead of `loop_start`, for three reasons. A
callback that raises ends paho's own thread, and nobody notices: a client without a thread still
says that it is connected. Paho's queue of unsent QoS 1 messages is unbounded (112 MB after 65,535).
And it sends that queue at the next connection, so that a broker which lost its office in between
would put its old price over its successor's. Here each connection gets a fresh client, paho never
holds more than one message per topic, and what is sent after a reconnection is what is true then.

Only the latest value of a topic is kept. A price that has ended is not sent, and `withdraw_price`
forgets it; the retained one stays on the server until the next broker replaces it, and says itself
when it ended.

Sources: MQTT 3.1.1 section 3.1.2.5 (last will), 3.3.1.3 (retain); paho-mqtt 2, "External event loop
support".
"""

from __future__ import annotations

import logging
import random
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from paho.mqtt.client import Client, ConnectFlags, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from rackgrid.adapters.mqtt_login import read_password, tls_context
from rackgrid.adapters.view_json import Json, encode
from rackgrid.config import MqttConfig

TOPICS_MAX = 64
"""Most topics of one node: its price, its state, its availability and its loads."""
INFLIGHT_MAX = 16
"""Most messages sent and not yet acknowledged."""
KEEPALIVE_S = 10
"""A server that says nothing for this long is asked; after as long again it counts as gone."""
CONNECT_S = 5.0
RETRY_S = (0.5, 15.0)
"""The first and the longest wait between two attempts to connect; it doubles between."""
TICK_S = 1.0
"""At least so often the thread looks up, for keep-alive and for `alive`."""
STUCK_S = 30.0
"""A thread that has not looked up for this long while connected is stuck."""
GOODBYE_S = 1.0
"""How long `stop` waits for the server to acknowledge `offline`."""

_log = logging.getLogger("rackgrid.mqtt")


@dataclass(frozen=True, slots=True)
class _Value:
    """The latest payload of a topic; nothing after `ends` if that is given."""

    payload: bytes
    ends: datetime | None = None


class MqttBridge:
    """Keeps the MQTT server informed, as far as there is one.

    Every `publish_*` returns at once, whatever the server does. Thread-safe.
    """

    def __init__(
        self,
        config: MqttConfig,
        rack: str,
        node: str,
        *,
        retry_s: tuple[float, float] = RETRY_S,
        keepalive_s: int = KEEPALIVE_S,
    ) -> None:
        """Prepare a bridge; `start` starts it.

        Args:
            config: where the server is and how to get in.
            rack, node: names; they become parts of the topics.
            retry_s: the first and the longest wait between two attempts, s.
            keepalive_s: silence after which the server is asked for a sign of life, s.

        Raises:
            ConfigError: a file that the configuration names cannot be read.
        """
        for name in (rack, node):
            _assert_topic_part(name)
        self.address = f"{config.host}:{config.port}"
        self._config = config
        self._password = read_password(config)
        self._tls = tls_context(config)
        self._price_topic = f"{config.topic}/{rack}/price"
        self._node_topic = f"{config.topic}/{rack}/{node}"
        self._client_id = f"rackgrid-{rack}-{node}"
        self._retry_s = retry_s
        self._keepalive_s = keepalive_s
        self._lock = threading.Lock()
        self._latest: dict[str, _Value] = {}
        self._dirty: dict[str, None] = {}
        self._in_flight: dict[int, str] = {}
        self._stopping = threading.Event()
        self._connected = False
        self._refused = ""
        self._seen_s = time.monotonic()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the server accepted the connection and it still stands."""
        return self._connected

    @property
    def waiting(self) -> int:
        """How many topics have a value that the server has not acknowledged."""
        with self._lock:
            return len({*self._dirty, *self._in_flight.values()})

    def start(self) -> None:
        """Start the thread; it connects when it can."""
        self._thread.start()

    def alive(self) -> bool:
        """Say whether the bridge does its work.

        A server that is away is no fault of the bridge. A thread that has ended, or that has not
        looked up for `STUCK_S` while connected, is.
        """
        if not self._thread.is_alive():
            return False
        return not self._connected or time.monotonic() - self._seen_s < STUCK_S

    def publish_price(
        self, value: float, currency: str, term: int, round_: int, start: datetime, end: datetime
    ) -> None:
        """Publish the rack's price; only the broker does.

        Args:
            value: currency per kWh.
            currency: its three letters.
            term, round_: of the clearing.
            start, end: when the price is in force, wall time with a zone.
        """
        price: Json = {
            "value": value,
            "currency": currency,
            "term": term,
            "round": round_,
            "start": rfc3339(start),
            "end": rfc3339(end),
        }
        self._put(self._price_topic, _Value(encode(price), end))

    def withdraw_price(self) -> None:
        """Stop publishing the price: this node is not the broker any more."""
        with self._lock:
            self._latest.pop(self._price_topic, None)
            self._dirty.pop(self._price_topic, None)

    def publish_state(self, state: Json) -> None:
        """Publish this node's state."""
        self._put(f"{self._node_topic}/state", _Value(encode(state)))

    def publish_load(self, load: str, state: Json) -> None:
        """Publish one load's state.

        Args:
            load: its name; a part of the topic.
            state: of the load.
        """
        _assert_topic_part(load)
        self._put(f"{self._node_topic}/{load}/state", _Value(encode(state)))

    def stop(self, timeout_s: float = 2 * GOODBYE_S) -> None:
        """Publish `offline`, disconnect and end the thread; gives up after `timeout_s`."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._wake_in.close()
            self._wake_out.close()

    def _put(self, topic: str, value: _Value) -> None:
        with self._lock:
            known = self._latest.get(topic)
            if known is not None and known.payload == value.payload:
                return
            assert known is not None or len(self._latest) < TOPICS_MAX, "a node has limited topics"
            self._latest[topic] = value
            self._dirty[topic] = None
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_in.send(b"\0")
        except OSError:
            return  # full: it will wake anyway; closed: it has ended

    # --- from here on: the bridge's own thread ----------------------------------------------------

    def _run(self) -> None:
        wait_s = self._retry_s[0]
        lost = ""
        while not self._stopping.is_set():
            was = time.monotonic()
            try:
                reason = self._session()
            except Exception as error:  # noqa: BLE001 - the thread's outermost loop
                # Whatever paho or we did wrong: the next session is a new start.
                _log.exception("the MQTT bridge failed and starts anew")
                reason = repr(error)
            held, self._connected = self._connected, False
            if self._stopping.is_set():
                return
            if held and time.monotonic() - was > self._retry_s[1]:
                wait_s, lost = self._retry_s[0], ""
            if reason != lost:
                _log.warning("no MQTT server at %s: %s; trying again", self.address, reason)
                lost = reason
            self._stopping.wait(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads nodes
            wait_s = min(wait_s * 2, self._retry_s[1])

    def _session(self) -> str:
        """Hold one connection until it ends; say why it did."""
        client = self._client()
        self._refused = ""
        try:
            client.connect(self._config.host, self._config.port, self._keepalive_s)
            while not self._stopping.is_set():
                code = self._turn(client, TICK_S)
                if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    return self._refused or error_string(code)
                self._publish_dirty(client)
            self._say_goodbye(client)
        except OSError as error:
            return str(error) or type(error).__name__
        finally:
            # Only closed, not disconnected: whatever was not said on purpose is for the last will.
            connection = client.socket()
            if connection is not None:
                connection.close()
        return ""

    def _client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, self._client_id)
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(INFLIGHT_MAX)
        client.max_queued_messages_set(INFLIGHT_MAX)
        client.will_set(f"{self._node_topic}/availability", b"offline", qos=1, retain=True)
        if self._config.username:
            client.username_pw_set(self._config.username, self._password)
        if self._tls is not None:
            # paho leaves the type of its parameter open.
            client.tls_set_context(self._tls)  # pyright: ignore[reportUnknownMemberType]
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        return client

    def _turn(self, client: Client, timeout_s: float) -> MQTTErrorCode:
        """Wait for the server or for a value, and let paho work."""
        connection = client.socket()
        if connection is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        writing = [connection] if client.want_write() else []
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            timeout_s = 0  # what TLS has already decrypted does not make the socket readable
        readable, writable, _ = select.select([connection, self._wake_out], writing, [], timeout_s)
        if timeout_s == 0 and connection not in readable:
            readable.append(connection)
        self._seen_s = time.monotonic()
        code = MQTTErrorCode.MQTT_ERR_SUCCESS
        if self._wake_out in readable:
            self._wake_out.recv(4096)
        if connection in readable:
            code = client.loop_read()
        if connection in writable and code == MQTTErrorCode.MQTT_ERR_SUCCESS:
            code = client.loop_write()
        return client.loop_misc() if code == MQTTErrorCode.MQTT_ERR_SUCCESS else code

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refused = f"it refuses us: {reason}"
            return
        _log.info("connected to the MQTT server at %s", self.address)
        availability = f"{self._node_topic}/availability"
        with self._lock:
            self._in_flight.clear()
            self._latest[availability] = _Value(b"online")
            self._dirty = dict.fromkeys([availability, *self._latest])
        self._connected = True

    def _on_publish(
        self,
        _client: Client,
        _userdata: object,
        message_id: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        with self._lock:
            self._in_flight.pop(message_id, None)

    def _publish_dirty(self, client: Client) -> None:
        """Send what has changed, one message per topic at a time, no more than the limit."""
        while self._connected and (following := self._next_value()) is not None:
            topic, value = following
            sent = client.publish(topic, value.payload, qos=1, retain=True)
            with self._lock:
                if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self._dirty[topic] = None
                    return
                self._in_flight[sent.mid] = topic

    def _next_value(self) -> tuple[str, _Value] | None:
        now = datetime.now(UTC)
        with self._lock:
            if len(self._in_flight) >= INFLIGHT_MAX:
                return None
            under_way = set(self._in_flight.values())
            for topic in [topic for topic in self._dirty if topic not in under_way]:
                del self._dirty[topic]
                value = self._latest[topic]
                if value.ends is None or now < value.ends:
                    return topic, value
        return None

    def _say_goodbye(self, client: Client) -> None:
        """Publish what is left and `offline`, and disconnect once the server has acknowledged it.

        Without that acknowledgement the connection is left to break: a DISCONNECT would make the
        server discard the last will, and the node would stay `online` for ever.
        """
        if not self._connected:
            return
        self._publish_dirty(client)
        deadline = time.monotonic() + GOODBYE_S
        offline = client.publish(f"{self._node_topic}/availability", b"offline", 1, retain=True)
        if offline.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return
        while not offline.is_published():
            left_s = deadline - time.monotonic()
            if left_s <= 0 or self._turn(client, left_s) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
        client.disconnect()


def rfc3339(moment: datetime) -> str:
    """Write a wall time in UTC, to the millisecond."""
    assert moment.tzinfo is not None, "a wall time without a zone means nothing to a reader"
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _assert_topic_part(name: str) -> None:
    assert name, "a part of a topic has a name"
    # The configuration allows less (a-z 0-9 _ -): a name cannot reach another topic, nor a $ one.
    plain = set(name) - set("/+#$")
    assert all(" " < each <= "~" for each in name), "a name that is a part of a topic is plain"
    assert plain == set(name), "a name that is a part of a topic has no / + # $"
