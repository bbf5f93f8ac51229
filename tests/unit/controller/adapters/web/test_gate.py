"""Who may ask what."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message

from rackgrid.adapters.web.gate import (
    SECURITY_HEADERS,
    Gate,
    host_name,
    is_cross_origin,
    is_loopback,
)


async def _answer(
    gate: Gate, method: str, headers: dict[str, str]
) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await gate(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


def ask(loopback: bool, method: str, headers: dict[str, str]) -> tuple[int, dict[bytes, bytes]]:
    return asyncio.run(_answer(Gate(PlainTextResponse("in"), loopback), method, headers))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1"])
def test_host_of_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "example.org", "localhost.example.org", "127.0.0.1.example.org", "0.0.0.0", "10.0.0.1"],
)
def test_host_of_another_machine_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.text(max_size=40))
def test_loopback_of_any_text_never_raises(text: str) -> None:
    is_loopback(host_name(text))


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        ("localhost:8470", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8470", "::1"),
        ("[::1]", "::1"),
        ("", ""),
    ],
)
def test_host_name_without_port_and_brackets(authority: str, expected: str) -> None:
    assert host_name(authority) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "localhost:1"}, False),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, False),
        ({"host": "localhost:1", "origin": "http://localhost:2"}, True),
        ({"host": "localhost:1", "origin": "null"}, True),
        ({"host": "localhost:1", "origin": "http://example.org"}, True),
        ({"host": "localhost:1", "sec-fetch-site": "cross-site"}, True),
        ({"host": "localhost:1", "sec-fetch-site": "same-site"}, True),
        ({"host": "localhost:1", "sec-fetch-site": "same-origin"}, False),
        ({"host": "localhost:1", "sec-fetch-site": "none"}, False),
    ],
)
def test_origin_of_a_request_is_judged(headers: dict[str, str], expected: bool) -> None:
    assert is_cross_origin(Headers(headers)) is expected


def test_loopback_api_asked_under_its_own_name_answers() -> None:
    assert ask(True, "GET", {"host": "127.0.0.1:8470"})[0] == 200
    assert ask(True, "POST", {"host": "localhost:8470"})[0] == 200


def test_loopback_api_asked_under_a_strangers_name_refuses() -> None:
    assert ask(True, "GET", {"host": "evil.example"})[0] == 421
    assert ask(True, "POST", {"host": "evil.example"})[0] == 421
    assert ask(True, "GET", {})[0] == 421


def test_loopback_api_told_by_another_origin_refuses() -> None:
    headers = {"host": "localhost:8470", "origin": "http://evil.example"}
    assert ask(True, "POST", headers)[0] == 403
    assert ask(True, "GET", headers)[0] == 200


def test_lan_api_is_read_only_whatever_the_host_says() -> None:
    assert ask(False, "GET", {"host": "pi.lan"})[0] == 200
    assert ask(False, "POST", {"host": "localhost"})[0] == 403


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_has_the_security_headers_and_no_cors(host: str) -> None:
    _, headers = ask(True, "GET", {"host": host})
    for name, value in SECURITY_HEADERS.items():
        assert headers[name.encode()] == value.encode()
    assert not [name for name in headers if name.startswith(b"access-control")]
