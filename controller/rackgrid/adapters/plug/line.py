"""One connection to the MQTT server for many: words out, answers in, nothing kept for later.

A word that switches a load must be heard at once or never. So nothing is retained, nothing is sent
with a QoS that keeps it, and each connection gets a fresh client, so that nothing waits for the
next one: without a connection a word is refused. The socket is bounded as a plug's over HTTP is.
What the server, or the plug's own connection to it, may hold back is beyond us (decision 9).

It lives in the control loop's thread and does not block it: paho's interface for foreign event
loops, with the loop's readers and writers; only the connecting, which resolves and waits, is done
by a thread.

Source: paho-mqtt 2, "External event loop support"; MQTT 3.1.1, 3.3.1.3 (retain), 4.3.1 (QoS 0).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from rackgrid.adapters.mqtt_login import read_password, tls_context
from rackgrid.adapters.plug.http import USER_TIMEOUT_MS
from rackgrid.config import MqttConfig
from rackgrid.errors import TransportError

log = logging.getLogger(__name__)

KEEPALIVE_S = 5
"""A server that says nothing for this long is asked; after as long again it counts as gone."""
CONNECT_S = 3.0
RETRY_S = (0.5, 10.0)
"""The first and the longest wait between two attempts; it doubles between."""
MISC_S = 0.5
"""Between two looks at the keep-alive."""

PAYLOAD_MAX = 1024 * 1024
"""Longest message that is looked at, bytes: a tariff of a week in quarters has a hundredth."""

Listener = Callable[[str, bytes], bool]
"""Takes a topic and what was published there; says whether it was understood."""


class Line:
    """A connection that is there or not.

    Args:
        config: where the server is and how to get in.
        use: what for, in the words of the log.

    Raises:
        ConfigError: a file that the configuration names cannot be read.
    """

    def __init__(self, config: MqttConfig, use: str = "plugs") -> None:
        self.address = f"{config.host}:{config.port}"
        self._config = config
        self._use = use
        self._password = read_password(config)
        self._tls = tls_context(config)
        self._listeners: dict[str, Listener] = {}
        self._remembering: set[str] = set()
        self._client: Client | None = None
        self._ended: asyncio.Future[str] | None = None
        self._is_open = False
        self._said = ""
        self.rejected: Counter[str] = Counter()
        """What was heard and not taken, by reason."""

    @property
    def connected(self) -> bool:
        """Whether the server accepted the connection and it still stands."""
        return self._is_open

    def listen(self, topic: str, listener: Listener, *, retained: bool = False) -> None:
        """Hear what is published under a topic, from the next connection on.

        Two may hear one topic, such as the relays of one plug; it is enough that one understands.

        Args:
            retained: whether what the server has kept counts, too: it tells of some other time.
        """
        earlier = self._listeners.get(topic)
        self._listeners[topic] = listener if earlier is None else _both(earlier, listener)
        if retained:
            self._remembering.add(topic)

    def say(self, topic: str, payload: bytes) -> None:
        """Publish now: not retained, not repeated.

        Raises:
            TransportError: there is no connection, or it takes nothing.
        """
        if self._client is None or not self._is_open:
            raise TransportError(f"there is no MQTT server at {self.address}")
        sent = self._client.publish(topic, payload, qos=0, retain=False)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise TransportError(f"the MQTT server at {self.address}: {error_string(sent.rc)}")

    async def run(self) -> None:
        """Keep a connection, until cancelled."""
        wait_s = RETRY_S[0]
        while True:
            try:
                reason = await self._session()
            except OSError as fault:
                reason = str(fault) or type(fault).__name__
            if self._is_open:
                wait_s = RETRY_S[0]
            self._is_open = False
            if reason != self._said:
                log.warning("no MQTT server for %s at %s: %s", self._use, self.address, reason)
                self._said = reason
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_S[1])

    async def _session(self) -> str:
        """Hold one connection until it ends; say why it did."""
        loop = asyncio.get_running_loop()
        client, self._ended = self._new_client(), loop.create_future()
        host, port = self._config.host, self._config.port
        try:
            await asyncio.to_thread(client.connect, host, port, KEEPALIVE_S)
            connection = client.socket()
            if connection is None:
                return "the connection broke at once"
            assert isinstance(connection, socket.socket), "paho makes real ones of a host and port"
            self._attend(client, connection, loop)
            while not self._ended.done():
                # (`asyncio.wait_for` of Python 3.11 loses a cancel that comes with the result.)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(MISC_S):
                        await asyncio.shield(self._ended)
                self._guarded(client.loop_misc)
            return self._ended.result()
        finally:
            self._client = None
            connection = client.socket()
            if connection is not None:
                loop.remove_reader(connection)
                loop.remove_writer(connection)
                connection.close()

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2, f"rackgrid-{self._use.split()[0]}-{secrets.token_hex(6)}"
        )
        client.connect_timeout = CONNECT_S
        if self._config.username:
            client.username_pw_set(self._config.username, self._password)
        if self._tls is not None:
            # paho leaves the type of its parameter open.
            client.tls_set_context(self._tls)  # pyright: ignore[reportUnknownMemberType]
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        return client

    def _attend(
        self, client: Client, connection: socket.socket, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Bound the socket, and let paho work when there is something to read or to write."""

        def write() -> None:
            self._guarded(client.loop_write)
            if not client.want_write() and client.socket() is not None:
                loop.remove_writer(connection)

        def wanted(_client: Client, _userdata: object, _socket: object) -> None:
            loop.add_writer(connection, write)

        def closing(_client: Client, _userdata: object, _socket: object) -> None:
            loop.remove_reader(connection)
            loop.remove_writer(connection)

        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        client.on_socket_register_write = wanted
        client.on_socket_close = closing
        self._client = client
        loop.add_reader(connection, self._guarded, lambda: self._read(client))
        if client.want_write():
            loop.add_writer(connection, write)

    def _read(self, client: Client) -> MQTTErrorCode:
        code = client.loop_read()
        connection = client.socket()
        # What TLS has already decrypted does not make the socket readable.
        while code == MQTTErrorCode.MQTT_ERR_SUCCESS and isinstance(connection, ssl.SSLSocket):
            if not connection.pending():
                break
            code = client.loop_read()
        return code

    def _guarded(self, work: Callable[[], MQTTErrorCode]) -> None:
        """Let paho work; whatever fails ends this connection, and the next one is a new start."""
        ended = self._ended
        try:
            code = work()
        except (OSError, ValueError) as fault:
            reason = str(fault) or type(fault).__name__
        else:
            reason = "" if code == MQTTErrorCode.MQTT_ERR_SUCCESS else error_string(code)
        if reason and ended is not None and not ended.done():
            ended.set_result(reason)

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(f"it refuses us: {reason}")
            return
        for topic in self._listeners:
            client.subscribe(topic, qos=0)
        self._is_open, self._said = True, ""
        log.info("%s are reached over the MQTT server at %s", self._use, self.address)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        listener = self._listeners.get(message.topic)
        if listener is None:
            self.rejected["mqtt_topic"] += 1
        elif message.retain and message.topic not in self._remembering:
            self.rejected["mqtt_retained"] += 1
        elif len(message.payload) > PAYLOAD_MAX:
            self.rejected["mqtt_too_long"] += 1
        elif not listener(message.topic, bytes(message.payload)):
            self.rejected["mqtt_payload"] += 1


def _both(one: Listener, other: Listener) -> Listener:
    def hear(topic: str, payload: bytes) -> bool:
        is_understood = one(topic, payload)
        return other(topic, payload) or is_understood

    return hear
