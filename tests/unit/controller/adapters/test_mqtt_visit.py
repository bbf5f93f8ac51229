"""Fails if a server that refuses, forgets or hangs passes for one that serves, or something stays.

The server here keeps retained messages and rules as a real one does; tests/rack has the real one.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid.adapters import mqtt_visit
from rackgrid.adapters.mqtt_visit import visit
from rackgrid.config import MqttConfig

CONFIG = MqttConfig("127.0.0.1", 0, "rack", None, None, "rackgrid")
CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14


class Server:
    """A small MQTT 3.1.1 server, for one client at a time.

    Args:
        refusal: return code of CONNACK (3.2.2.3).
        keeps: whether it keeps retained messages.
        answers: whether it says anything at all.
    """

    def __init__(self, refusal: int = 0, keeps: bool = True, answers: bool = True) -> None:
        self.refusal, self.keeps, self.answers = refusal, keeps, answers
        self.retained: dict[bytes, bytes] = {}
        self.said: list[tuple[bytes, bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.config = replace(CONFIG, port=self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        assert not self._thread.is_alive(), "the visitor has not hung up"

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            hung_up = contextlib.suppress(ConnectionResetError, BrokenPipeError)
            with client, hung_up, client.makefile("rb") as stream:
                while head := stream.read(1):
                    length, shift = 0, 0
                    while byte := stream.read(1):
                        length |= (byte[0] & 127) << shift
                        shift += 7
                        if byte[0] < 128:
                            break
                    body = stream.read(length)
                    if not byte or len(body) < length:
                        break  # it hung up within a packet
                    if self.answers:
                        client.sendall(self._answer(head[0], body))

    def _answer(self, head: int, body: bytes) -> bytes:
        match head >> 4:
            case 1:
                return bytes([0x20, 2, 0, self.refusal])
            case 3:
                size = struct.unpack(">H", body[:2])[0]
                topic, number, payload = (
                    body[2 : 2 + size],
                    body[2 + size : 4 + size],
                    body[4 + size :],
                )
                self.said.append((topic, payload))
                if head & 1 and self.keeps:
                    self.retained[topic] = payload
                    if not payload:
                        del self.retained[topic]
                return bytes([0x40, 2]) + number
            case 8:
                answer = bytes([0x90, 3]) + body[:2] + b"\x01"
                for topic, payload in self.retained.items():
                    content = struct.pack(">H", len(topic)) + topic + payload
                    answer += bytes([0x31, len(content)]) + content
                return answer
            case _:
                return b""


@contextmanager
def serving(server: Server) -> Generator[Server]:
    try:
        yield server
    finally:
        server.close()


def test_visit_reads_back_what_it_left_and_takes_it_away() -> None:
    with serving(Server()) as server:
        assert visit(server.config, "demo", "pi-1") == ("", "")
    (left, taken) = server.said
    assert left[0] == taken[0] == b"rackgrid/demo/pi-1/doctor"
    assert left[1]
    assert not taken[1]
    assert server.retained == {}


def test_visit_that_is_refused_says_why() -> None:
    with serving(Server(refusal=5)) as server:
        refused, forgotten = visit(server.config, "demo", "pi-1")
    assert "it refuses us: Not authorized" in refused
    assert forgotten == ""
    assert server.said == []


def test_visit_to_a_server_that_keeps_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_visit, "STEP_S", 0.2)
    with serving(Server(keeps=False)) as server:
        refused, forgotten = visit(server.config, "demo", "pi-1")
    assert refused == ""
    assert "a retained message at rackgrid/demo/pi-1/doctor does not come back" in forgotten


def test_visit_to_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_visit, "STEP_S", 0.2)
    with serving(Server(answers=False)) as server:
        refused, _ = visit(server.config, "demo", "pi-1")
    assert "no answer in 0.2 s" in refused


def test_visit_to_nobody_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as lent:
        port = lent.getsockname()[1]
    refused, _ = visit(replace(CONFIG, port=port), "demo", "pi-1")
    assert refused == f"127.0.0.1:{port}: [Errno 111] Connection refused"


def test_visit_without_the_password_that_is_configured_says_so(tmp_path: Path) -> None:
    refused, _ = visit(replace(CONFIG, password_file=tmp_path / "none"), "demo", "pi-1")
    assert "password_file" in refused
    assert "cannot be read" in refused
