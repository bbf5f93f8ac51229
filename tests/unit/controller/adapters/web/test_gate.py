"""Who may ask what."""

from __future__ import annotations

import asyncio

import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message

from rackgrid.adapters.web.gate import SECURITY_HEADERS, Gate, is_cross_origin
from rackgrid.adapters.web.host import Names
from rackgrid.adapters.web.token import WRONG_MAX, Token

GOOD = "0123456789abcdef" * 4
BEARER = {"authorization": f"Bearer {GOOD}"}


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


def gate(loopback: bool, token: str | None = None) -> Gate:
    names = Names(loopback, ("rack.example.org",), machine="pi")
    asked_for = None if token is None else Token(token, lambda: 0.0)
    return Gate(PlainTextResponse("in"), names, asked_for)


def ask(
    loopback: bool, method: str, headers: dict[str, str], token: str | None = None
) -> tuple[int, dict[bytes, bytes]]:
    return asyncio.run(_answer(gate(loopback, token), method, headers))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "localhost:1"}, False),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, False),
        ({"host": "rack.example.org", "origin": "https://rack.example.org"}, False),
        ({"host": "rack.example.org", "origin": "https://rack.example.org.evil"}, True),
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


@pytest.mark.parametrize("host", ["pi.local", "192.168.1.2:8470", "localhost", "rack.example.org"])
def test_lan_api_without_a_token_is_read_only_whatever_the_host_says(host: str) -> None:
    assert ask(False, "GET", {"host": host})[0] == 200
    assert ask(False, "POST", {"host": host})[0] == 403
    assert ask(False, "POST", {"host": host, **BEARER})[0] == 403


def test_lan_api_asked_under_a_strangers_name_refuses() -> None:
    for token in (None, GOOD):
        assert ask(False, "GET", {"host": "evil.example", **BEARER}, token)[0] == 421
        assert ask(False, "POST", {"host": "evil.example", **BEARER}, token)[0] == 421


@pytest.mark.parametrize("loopback", [True, False])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get"])
def test_change_needs_the_token_on_loopback_too_where_there_is_one(
    loopback: bool, method: str
) -> None:
    host = {"host": "localhost"}
    status, headers = ask(loopback, method, host, GOOD)
    assert (status, headers[b"www-authenticate"]) == (401, b'Bearer realm="rackgrid"')
    assert ask(loopback, method, {**host, "authorization": "Bearer x"}, GOOD)[0] == 401
    assert ask(loopback, method, {**host, **BEARER}, GOOD)[0] == 200


def test_reading_needs_no_token() -> None:
    assert ask(False, "GET", {"host": "192.168.1.2"}, GOOD)[0] == 200
    assert ask(True, "HEAD", {"host": "localhost", "authorization": "Bearer x"}, GOOD)[0] == 200


def test_page_of_another_origin_is_refused_whatever_it_carries() -> None:
    headers = {"host": "localhost", "origin": "http://evil.example", **BEARER}
    assert ask(True, "POST", headers, GOOD)[0] == 403


@pytest.mark.parametrize("header", ["forwarded", "via", "x-forwarded-for", "x-real-ip"])
def test_loopback_api_without_a_token_is_read_only_through_a_proxy(header: str) -> None:
    assert ask(True, "POST", {"host": "localhost", header: "10.0.0.9"})[0] == 403
    assert ask(True, "GET", {"host": "localhost", header: "10.0.0.9"})[0] == 200
    assert ask(True, "POST", {"host": "localhost", header: "10.0.0.9", **BEARER}, GOOD)[0] == 200


def test_wrong_tokens_too_often_get_429_and_the_right_one_still_passes() -> None:
    door = gate(False, GOOD)

    async def play() -> list[int]:
        wrong = {"host": "10.0.0.1", "authorization": "Bearer x"}
        statuses = [(await _answer(door, "POST", wrong))[0] for _ in range(WRONG_MAX + 1)]
        return [*statuses, (await _answer(door, "POST", {"host": "10.0.0.1", **BEARER}))[0]]

    assert asyncio.run(play()) == [401] * WRONG_MAX + [429, 200]


def test_request_with_two_hosts_or_none_is_refused() -> None:
    async def play() -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        hosts = [(b"host", b"localhost"), (b"host", b"evil.example")]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": hosts}
        await gate(True)(scope, receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(play()) == 421


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_has_the_security_headers_and_no_cors(host: str) -> None:
    for token in (None, GOOD):
        _, headers = ask(True, "POST", {"host": host}, token)
    for name, value in SECURITY_HEADERS.items():
        assert headers[name.encode()] == value.encode()
    assert not [name for name in headers if name.startswith(b"access-control")]
