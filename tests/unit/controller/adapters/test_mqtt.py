"""The bridge without a server, and with servers that misbehave on a real socket.

What a real Mosquitto makes of it is in tests/rack/test_mqtt.py.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from rackgrid.adapters import mqtt
from rackgrid.adapters.mqtt import TOPICS_MAX, MqttBridge, rfc3339
from rackgrid.adapters.private_file import write_new
from rackgrid.config import MqttConfig
from rackgrid.errors import ConfigError

DEADLINE_S = 20
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONNACK_OK = b"\x20\x02\x00\x00"
CONNACK_REFUSED = b"\x20\x02\x00\x05"


@pytest.fixture(autouse=True)
def brief_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers here acknowledge nothing, so each bridge waits this long for its `offline`."""
    monkeypatch.setattr(mqtt, "GOODBYE_S", 0.05)


def configured(port: int, password: Path | None = None, ca: Path | None = None) -> MqttConfig:
    return MqttConfig("127.0.0.1", port, "node" if password else "", password, ca, "rackgrid")


def bridge_to(port: int) -> MqttBridge:
    return MqttBridge(configured(port), "shed", "alfa", retry_s=(0.01, 0.05))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition never came"
        time.sleep(0.002)


class Server:
    """A server that plays one script per connection, and keeps what it was sent."""

    def __init__(self, *scripts: bytes) -> None:
        self.received: list[bytes] = []
        self.connections = 0
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for script in self._scripts:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Who has closed with something unread has reset the connection.
            with connection, contextlib.suppress(ConnectionResetError, BrokenPipeError):
                connection.settimeout(DEADLINE_S)
                self.connections += 1
                self.received.append(connection.recv(4096))
                connection.sendall(script)
                if script == CONNACK_OK:
                    while data := connection.recv(4096):
                        self.received.append(data)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(DEADLINE_S)


@pytest.fixture
def started() -> Iterator[list[MqttBridge | Server]]:
    made: list[MqttBridge | Server] = []
    yield made
    for each in made:
        if isinstance(each, MqttBridge):
            each.stop(DEADLINE_S)
        else:
            each.close()


def test_publish_offline_keeps_the_latest_value_of_each_topic() -> None:
    bridge = bridge_to(1)
    for number in range(50_000):
        bridge.publish_price(number, "EUR", 1, number, NOW, NOW + timedelta(seconds=2))
        bridge.publish_state({"round": number})
        bridge.publish_load("lamp", {"round": number})
    assert bridge.waiting == 3
    bridge.stop()


def test_price_withdrawn_waits_no_more() -> None:
    bridge = bridge_to(1)
    bridge.withdraw_price()
    bridge.publish_price(0.25, "EUR", 1, 1, NOW, NOW + timedelta(seconds=2))
    bridge.withdraw_price()
    assert bridge.waiting == 0
    bridge.stop()


def test_topics_above_the_limit_are_a_broken_promise() -> None:
    bridge = bridge_to(1)
    for number in range(TOPICS_MAX):
        bridge.publish_load(f"load{number}", {})
    with pytest.raises(AssertionError, match="limited"):
        bridge.publish_load("one-more", {})
    bridge.stop()


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "nul\0"])
def test_name_that_would_be_another_topic_is_a_broken_promise(name: str) -> None:
    with pytest.raises(AssertionError):
        MqttBridge(configured(1), "shed", name)
    bridge = bridge_to(1)
    with pytest.raises(AssertionError):
        bridge.publish_load(name, {})
    bridge.stop()


def test_wall_time_is_written_in_utc() -> None:
    there = timezone(timedelta(hours=2))
    assert rfc3339(datetime(2026, 7, 1, 14, 30, 0, 250_000, there)) == "2026-07-01T12:30:00.250Z"


def test_wall_time_without_a_zone_is_a_broken_promise() -> None:
    with pytest.raises(AssertionError, match="zone"):
        rfc3339(datetime(2026, 7, 1, 14, 30))


def test_password_file_that_is_missing_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="password_file"):
        MqttBridge(configured(1, password=tmp_path / "gone"), "shed", "alfa")


def test_ca_file_that_is_no_certificate_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigError, match="tls_ca_file"):
        MqttBridge(configured(1, ca=tmp_path / "ca.pem"), "shed", "alfa")


def test_password_reaches_the_server_without_its_newline(
    tmp_path: Path, started: list[MqttBridge | Server]
) -> None:
    write_new(tmp_path / "password", "s3cret\n")
    server = Server(CONNACK_OK)
    bridge = MqttBridge(configured(server.port, tmp_path / "password"), "shed", "alfa")
    started += [bridge, server]
    bridge.start()
    until(lambda: bool(server.received))
    assert server.received[0].endswith(b"\x00\x04node\x00\x06s3cret")


def test_server_that_is_away_leaves_the_bridge_alive(
    started: list[MqttBridge | Server], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    bridge = bridge_to(port)
    assert not bridge.alive()
    started.append(bridge)
    bridge.start()
    until(lambda: bool(caplog.records))
    assert bridge.alive()
    assert not bridge.connected
    # One line for one outage, however often it tries again.
    assert f"127.0.0.1:{port}" in caplog.messages[0]


def test_server_that_refuses_us_is_said_and_tried_again(
    started: list[MqttBridge | Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(CONNACK_REFUSED, CONNACK_REFUSED, CONNACK_OK)
    bridge = bridge_to(server.port)
    started += [bridge, server]
    bridge.start()
    until(lambda: bridge.connected)
    refusals = [message for message in caplog.messages if "refuses us" in message]
    assert len(refusals) == 1


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\xff\xff\xff\xff\xff", b"\x00" * 100],
)
def test_server_that_talks_nonsense_is_left_and_tried_again(
    nonsense: bytes, started: list[MqttBridge | Server]
) -> None:
    server = Server(nonsense, nonsense, CONNACK_OK)
    bridge = bridge_to(server.port)
    started += [bridge, server]
    bridge.start()
    until(lambda: bridge.connected)
    assert bridge.alive()
    assert server.connections == 3


def test_session_that_raises_is_logged_and_started_anew(
    started: list[MqttBridge | Server],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A bug in a callback: with paho's own thread this would be the silent end of it.
    server = Server(CONNACK_OK, CONNACK_OK)
    bridge = bridge_to(server.port)
    raised = threading.Event()
    working = bridge._next_value

    def broken() -> object:
        if raised.is_set():
            return working()
        raised.set()
        raise RuntimeError("a bug")

    monkeypatch.setattr(bridge, "_next_value", broken)
    started += [bridge, server]
    bridge.start()
    until(lambda: raised.is_set() and bridge.connected and server.connections == 2)
    assert bridge.alive()
    assert "a bug" in caplog.text


def test_server_that_never_acknowledges_holds_one_message_per_topic(
    started: list[MqttBridge | Server],
) -> None:
    server = Server(CONNACK_OK)
    bridge = bridge_to(server.port)
    started += [bridge, server]
    bridge.start()
    until(lambda: bridge.connected)
    for number in range(200):
        bridge.publish_state({"round": number})
        for load in range(30):
            bridge.publish_load(f"load{load}", {"round": number})
    # online, state and thirty loads: all unacknowledged, each counted once.
    assert bridge.waiting == 32
    until(lambda: b"".join(server.received).count(b"rackgrid/shed/alfa/") >= mqtt.INFLIGHT_MAX)
    # CONNECT carries one topic, the last will's; then one message each, up to the limit.
    assert b"".join(server.received).count(b"rackgrid/shed/alfa/") <= mqtt.INFLIGHT_MAX + 1


def test_price_that_has_ended_is_not_sent(started: list[MqttBridge | Server]) -> None:
    server = Server(CONNACK_OK)
    bridge = bridge_to(server.port)
    started += [bridge, server]
    then = datetime.now(UTC) - timedelta(seconds=1)
    bridge.publish_price(0.25, "EUR", 1, 1, then - timedelta(seconds=2), then)
    bridge.publish_state({"last": True})
    bridge.start()
    until(lambda: b"alfa/state" in b"".join(server.received))
    assert b"/price" not in b"".join(server.received)


def test_stop_before_start_and_twice_is_quiet() -> None:
    bridge = bridge_to(1)
    bridge.stop()
    bridge.stop()
    assert not bridge.alive()


def test_stop_unacknowledged_leaves_the_connection_to_the_last_will() -> None:
    server = Server(CONNACK_OK)
    bridge = bridge_to(server.port)
    bridge.start()
    until(lambda: bridge.connected)
    bridge.stop(DEADLINE_S)
    assert not bridge.alive()
    server.close()
    after_connect = b"".join(server.received[1:])
    assert b"offline" in after_connect
    # A DISCONNECT would make the server discard the last will.
    assert not after_connect.endswith(b"\xe0\x00")


def test_thread_that_is_stuck_while_connected_is_not_alive(
    started: list[MqttBridge | Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(CONNACK_OK)
    bridge = bridge_to(server.port)
    started += [bridge, server]
    bridge.start()
    until(lambda: bridge.connected)
    assert bridge.alive()
    monkeypatch.setattr(mqtt, "STUCK_S", -1.0)
    assert not bridge.alive()
