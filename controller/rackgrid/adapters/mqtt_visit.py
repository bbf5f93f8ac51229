"""One visit to an MQTT server: does it let us in, and does it keep a retained message?

For `rackgrid doctor`. The visitor has a client id of its own, else the server would end the running
daemon's connection; it leaves one retained message below this node's topic, reads it back, and
takes it away again.

Source: MQTT 3.1.1, 3.1.4 (a second client of one id), 3.3.1.3 (retain; an empty one removes).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from rackgrid.adapters.mqtt_login import read_password, tls_context
from rackgrid.config import MqttConfig
from rackgrid.errors import ConfigError

STEP_S = 2.0
"""Each step, to connect, to publish and to read back, must be done within this, s."""
_LOOK_S = 0.05


class _Visitor:
    """What was heard so far; paho's callbacks only note."""

    def __init__(self, config: MqttConfig, rack: str, node: str) -> None:
        self.topic = f"{config.topic}/{rack}/{node}/doctor"
        self.word = secrets.token_hex(8).encode()
        self.refused = ""
        self.is_in = False
        self.is_kept = False
        self.client = Client(CallbackAPIVersion.VERSION2, f"rackgrid-doctor-{os.getpid()}")
        self.client.connect_timeout = STEP_S
        password = read_password(config)
        if config.username:
            self.client.username_pw_set(config.username, password)
        tls = tls_context(config)
        if tls is not None:
            # paho leaves the type of its parameter open.
            self.client.tls_set_context(tls)  # pyright: ignore[reportUnknownMemberType]
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message

    def until(self, is_done: Callable[[], bool]) -> str:
        """Let paho work until something is so; say what kept it from being so, or ""."""
        until_s = time.monotonic() + STEP_S
        while not is_done():
            code = self.client.loop(_LOOK_S)
            if self.refused:
                return self.refused
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return error_string(code)
            if time.monotonic() > until_s:
                return f"no answer in {STEP_S:g} s"
        return ""

    def close(self) -> None:
        """Hang up. Without the way back from paho to us, it closes its sockets as it goes."""
        self.client.disconnect()
        self.client.on_connect = None
        self.client.on_message = None

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.is_in = not reason.is_failure
        self.refused = f"it refuses us: {reason}" if reason.is_failure else ""

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if message.topic == self.topic and message.payload == self.word and message.retain:
            self.is_kept = True


def visit(config: MqttConfig, rack: str, node: str) -> tuple[str, str]:
    """Visit the server.

    Args:
        config: where it is and how to get in.
        rack, node: names; the visitor stays below this node's topic.

    Returns:
        What is wrong with the connection, or ""; what is wrong with a retained message, or "".
    """
    where = f"{config.host}:{config.port}"
    try:
        visitor = _Visitor(config, rack, node)
    except (ConfigError, OSError, ValueError) as fault:
        return f"{where}: {fault}", ""
    forgotten = ""
    try:
        visitor.client.connect(config.host, config.port)
        refused = visitor.until(lambda: visitor.is_in)
        if not refused:
            forgotten = _leave_and_look(visitor)
    except (OSError, ValueError) as fault:
        refused = str(fault)
    finally:
        visitor.close()
    return f"{where}: {refused}" if refused else "", f"{where}: {forgotten}" if forgotten else ""


def _leave_and_look(visitor: _Visitor) -> str:
    """Leave a retained message, read it back as a late reader would, and take it away."""
    client, topic = visitor.client, visitor.topic
    left = client.publish(topic, visitor.word, qos=1, retain=True)
    trouble = visitor.until(left.is_published)
    if trouble:
        return f"it takes no message at {topic} ({trouble})"
    client.subscribe(topic, qos=1)
    trouble = visitor.until(lambda: visitor.is_kept)
    gone = client.publish(topic, b"", qos=1, retain=True)
    again = visitor.until(gone.is_published)
    if trouble:
        return f"a retained message at {topic} does not come back ({trouble})"
    return f"a retained message stays at {topic} ({again})" if again else ""
