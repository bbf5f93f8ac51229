"""Uvicorn inside a loop that is not its own."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from rackgrid.adapters.web import server
from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.server import CONNECTIONS_MAX, WebServer, serve
from rackgrid.config import WebConfig
from rackgrid.core.view import View
from rackgrid.errors import ConfigError, TransportError

DEADLINE_S = 20


def _no_view() -> View:
    raise AssertionError("not asked here")


def _not_asked(_request: object) -> None:
    raise AssertionError("not asked here")


async def _serve(host: str = "127.0.0.1", port: int = 0) -> WebServer:
    doors = Doors(_no_view, lambda: (True, "fine"), lambda: None, _not_asked, lambda: 0)
    return await serve(WebConfig(host, port, True), doors)


def in_loop(play: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(play(), DEADLINE_S)

    asyncio.run(bounded())


async def _healthz(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return await reader.readuntil(b"}")


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def test_port_zero_lets_the_kernel_choose() -> None:
    async def play() -> None:
        web = await _serve()
        assert web.port > 0
        assert web.url == f"http://127.0.0.1:{web.port}"
        assert web.alive
        await web.close()
        assert not web.alive

    in_loop(play)


def test_url_of_a_server_on_ipv6_has_brackets() -> None:
    async def play() -> None:
        web = await _serve("::1")
        assert web.url == f"http://[::1]:{web.port}"
        await web.close()

    in_loop(play)


def test_signals_and_logging_stay_the_daemons() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    handlers = list(logging.getLogger().handlers)

    async def play() -> None:
        web = await _serve()
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        # asyncio.run replaces SIGINT's handler itself; SIGTERM must be untouched.
        assert during[1] == before[1]
        assert logging.getLogger().handlers == handlers
        assert not logging.getLogger("uvicorn").handlers
        await web.close()

    in_loop(play)


def test_port_in_use_is_one_clear_line() -> None:
    async def play() -> None:
        web = await _serve()
        with pytest.raises(TransportError) as caught:
            await _serve(port=web.port)
        assert f"127.0.0.1:{web.port}" in str(caught.value)
        assert "in use" in str(caught.value)
        assert "\n" not in str(caught.value)
        await web.close()

    in_loop(play)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.0.2.1", "not an address of this node"), ("::1%nowhere", "no such host")],
)
def test_host_that_is_not_ours_is_one_clear_line(host: str, expected: str) -> None:
    async def play() -> None:
        with pytest.raises(TransportError, match=expected):
            await _serve(host)

    in_loop(play)


def test_close_frees_the_port_and_ends_idle_connections() -> None:
    async def play() -> None:
        web = await _serve()
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        assert b"healthy" in await _healthz(reader, writer)
        await web.close()
        assert await reader.read() == b""
        await hang_up(writer)
        with socket.create_server(("127.0.0.1", web.port)):
            pass

    in_loop(play)


def test_connections_above_the_limit_are_hung_up_and_later_ones_served() -> None:
    async def play() -> None:
        web = await _serve()
        held = [
            await asyncio.open_connection("127.0.0.1", web.port) for _ in range(CONNECTIONS_MAX)
        ]
        for reader, writer in held:
            assert b"healthy" in await _healthz(reader, writer)
        extra, extra_writer = await asyncio.open_connection("127.0.0.1", web.port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await _healthz(extra, extra_writer)
        await hang_up(extra_writer)
        for _, writer in held:
            await hang_up(writer)
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        assert b"healthy" in await _healthz(reader, writer)
        await hang_up(writer)
        await web.close()

    in_loop(play)


def test_connection_without_a_request_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_S", 0.05)

    async def play() -> None:
        web = await _serve()
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: local")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        await hang_up(writer)
        await web.close()

    in_loop(play)


@pytest.mark.parametrize(
    "second",
    [
        b"GET /healthz HTTP/1.1\r\n",
        b"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n",
    ],
)
def test_next_request_that_never_ends_is_hung_up_though_bytes_go_on_coming(
    monkeypatch: pytest.MonkeyPatch, second: bytes
) -> None:
    monkeypatch.setattr(server, "REQUEST_S", 0.2)

    async def play() -> None:
        web = await _serve()
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        assert b"healthy" in await _healthz(reader, writer)
        writer.write(second)

        async def drip() -> None:
            with suppress(ConnectionError):
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        with suppress(ConnectionResetError):
            while await reader.read(4096):
                pass
        dripping.cancel()
        await hang_up(writer)
        await web.close()

    in_loop(play)


def test_token_that_cannot_be_used_is_said_before_anything_is_served(tmp_path: Path) -> None:
    async def play() -> None:
        doors = Doors(_no_view, lambda: (True, "fine"), lambda: None, _not_asked, lambda: 0)
        with pytest.raises(ConfigError, match="token_file"):
            await serve(WebConfig("127.0.0.1", 0, True, tmp_path / "none"), doors)

    in_loop(play)


def test_garbage_is_refused_and_the_server_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        web = await _serve()
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write(b"\x16\x03\x01\x00\x00garbage\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        await hang_up(writer)
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        assert b"healthy" in await _healthz(reader, writer)
        await hang_up(writer)
        await web.close()

    in_loop(play)
    assert not caplog.records
