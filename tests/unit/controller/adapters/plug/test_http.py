"""Requests to plugs over real sockets: bounded in time, authenticated, and nothing arrives late."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from tests.unit.controller.adapters.plug.device import ShellyDevice

from rackgrid.adapters.plug import http
from rackgrid.adapters.plug.http import BODY_MAX, HttpTalk
from rackgrid.errors import TransportError

PATH = "/rpc/Shelly.GetStatus"


@pytest.fixture
def device() -> Iterator[ShellyDevice]:
    made = ShellyDevice()
    yield made
    made.close()


@pytest.fixture
def talk(device: ShellyDevice) -> HttpTalk:
    return HttpTalk(device.address, time.monotonic_ns)


class Raw:
    """A server that answers whatever it is told to, once a connection."""

    def __init__(self, answer: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        link, _ = self._listener.accept()
        with link, self._listener, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            link.recv(4096)
            link.sendall(self._answer)


def get(talk: HttpTalk) -> object:
    return asyncio.run(talk.ask(lambda _: PATH))


def test_answer_comes_with_its_times(talk: HttpTalk) -> None:
    before = time.monotonic_ns()
    told = asyncio.run(talk.ask(lambda _: PATH))
    assert told is not None
    assert before <= told.written_ns <= told.answered_ns <= time.monotonic_ns()
    assert "switch:0" in told.answer


def test_no_word_is_no_request(device: ShellyDevice, talk: HttpTalk) -> None:
    assert asyncio.run(talk.ask(lambda _: None)) is None
    assert device.asked == []


def test_password_is_proven_by_digest(device: ShellyDevice) -> None:
    device.password = "open sesame"
    talk = HttpTalk(device.address, time.monotonic_ns, "admin", "open sesame")
    assert get(talk) is not None
    assert get(talk) is not None
    assert len(device.asked) == 3  # the second request knew the challenge already


def test_wrong_password_is_said_and_not_shown(device: ShellyDevice) -> None:
    device.password = "open sesame"
    with pytest.raises(TransportError, match="refuses the password") as refused:
        get(HttpTalk(device.address, time.monotonic_ns, "admin", "guess-42"))
    assert "guess-42" not in str(refused.value)


def test_password_that_is_missing_is_asked_for(device: ShellyDevice, talk: HttpTalk) -> None:
    device.password = "open sesame"
    with pytest.raises(TransportError, match="give it a password_file"):
        get(talk)


def test_other_proof_than_digest_is_not_given() -> None:
    answer = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
    with pytest.raises(TransportError, match="another proof than digest"):
        get(HttpTalk(Raw(answer).address, time.monotonic_ns, "admin", "x"))


def test_plug_that_is_not_there_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(TransportError, match="cannot be reached"):
        get(HttpTalk(address, time.monotonic_ns))


def test_plug_that_does_not_answer_is_given_up(
    device: ShellyDevice, talk: HttpTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ANSWER_S", 0.2)
    device.is_deaf = True
    with pytest.raises(TransportError, match="does not answer"):
        get(talk)


def test_refusal_of_the_plug_is_said(talk: HttpTalk) -> None:
    with pytest.raises(TransportError, match="answers 404"):
        asyncio.run(talk.ask(lambda _: "/nothing/here"))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY_MAX + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\x01",
    ],
)
def test_nonsense_is_an_error_of_the_transport(answer: bytes) -> None:
    with pytest.raises(TransportError):
        get(HttpTalk(Raw(answer).address, time.monotonic_ns))


def test_socket_is_bounded_before_the_word_is_written(
    talk: HttpTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel was told: drop it when it is not heard soon, and when we are gone."""
    seen: list[tuple[int, tuple[int, int]]] = []
    bound = http._bound

    def spy(connection: socket.socket) -> None:
        bound(connection)
        timeout = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        linger = connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        seen.append((timeout, struct.unpack("ii", linger)))

    monkeypatch.setattr(http, "_bound", spy)
    order: list[int] = []
    asyncio.run(talk.ask(lambda _: order.append(len(seen)) or PATH))
    assert seen == [(http.USER_TIMEOUT_MS, (1, 0))]
    assert order == [1]
