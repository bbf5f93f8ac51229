"""Events through a real socket: resumed where they were cut off, and never waited for."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.unit.controller.adapters.story import decided

from rackgrid.adapters.chronicle import EVENTS_MAX, LISTENERS_MAX, Chronicle
from rackgrid.adapters.web import events
from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.server import WebServer, serve
from rackgrid.config import WebConfig
from rackgrid.core.action import Noted
from rackgrid.core.view import View

DEADLINE_S = 20


def in_loop(play: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(play(), DEADLINE_S)

    asyncio.run(bounded())


def _no_view() -> View:
    raise AssertionError("not asked here")


@asynccontextmanager
async def serving(chronicle: Chronicle | None) -> AsyncGenerator[WebServer]:
    doors = Doors(
        _no_view,
        lambda: (True, "fine"),
        lambda: None,
        lambda _: None,
        lambda: 0,
        chronicle=chronicle,
    )
    web = await serve(WebConfig("127.0.0.1", 0, True), doors)
    try:
        yield web
    finally:
        if chronicle is not None:
            chronicle.close()
        await web.close()


def kept() -> Chronicle:
    return Chronicle("pi-1", "0a", lambda: None)


class Client:
    """What a browser's EventSource does, or half of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @staticmethod
    async def ask(web: WebServer, query: str = "", *headers: str, method: str = "GET") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        lines = [f"{method} /api/events{query} HTTP/1.1", "Host: localhost", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        return Client(reader, writer)

    async def head(self) -> tuple[int, str]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        return int(head.split()[1]), head

    async def chunk(self) -> bytes:
        size = int((await self.reader.readuntil(b"\r\n"))[:-2], 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def block(self) -> dict[str, str]:
        """The next event, or comment."""
        text = (await self.chunk()).decode()
        assert text.endswith("\n\n")
        blocks = [
            dict(line.split(": ", 1) for line in b.split("\n")) for b in text[:-2].split("\n\n")
        ]
        self.more = blocks[1:]
        return blocks[0]

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def joined(web: WebServer, query: str = "", *headers: str) -> Client:
    client = await Client.ask(web, query, *headers)
    assert (await client.head())[0] == 200
    assert await client.chunk() == b"retry: 2000\n\n"
    return client


def test_events_come_as_they_happen_with_id_kind_and_line() -> None:
    async def play() -> None:
        chronicle = kept()
        async with serving(chronicle) as web:
            client = await joined(web)
            chronicle.publish(decided(), 7)
            told = await client.block()
            assert (told["id"], told["event"]) == ("0a.2", "load")
            line = json.loads(told["data"])
            assert (line["t_ns"], line["load"], line["why"]) == (7, "lamp", "starting")
            await client.close()

    in_loop(play)


def test_events_are_an_event_stream_that_nothing_keeps() -> None:
    async def play() -> None:
        async with serving(kept()) as web:
            client = await Client.ask(web)
            status, head = await client.head()
            assert status == 200
            assert "content-type: text/event-stream" in head
            assert "cache-control: no-store" in head
            assert "content-length" not in head
            await client.close()

    in_loop(play)


@pytest.mark.parametrize(
    ("headers", "query", "first"),
    [
        (["Last-Event-ID: 0a.2"], "", "0a.3"),
        (["Last-Event-ID: 0a.2"], "?last=1", "0a.3"),
        (["Last-Event-ID: 0b.2"], "", "0a.1"),
        (["Last-Event-ID: x"], "", "0a.1"),
        ([], "?last=2", "0a.3"),
        ([], "?last=1000", "0a.1"),
    ],
)
def test_events_are_resumed_after_the_last_one_that_was_seen(
    headers: list[str], query: str, first: str
) -> None:
    async def play() -> None:
        chronicle = kept()
        for number in range(3):
            chronicle.publish(Noted(str(number)), 1)
        async with serving(chronicle) as web:
            client = await joined(web, query, *headers)
            assert (await client.block())["id"] == first
            await client.close()

    in_loop(play)


def test_events_that_are_forgotten_are_counted_as_lost() -> None:
    async def play() -> None:
        chronicle = kept()
        for number in range(EVENTS_MAX + 4):
            chronicle.publish(Noted(str(number)), 1)
        async with serving(chronicle) as web:
            client = await joined(web, "", "Last-Event-ID: 0a.2")
            told = await client.block()
            assert (told["event"], json.loads(told["data"])) == ("lost", {"lost": 3})
            assert client.more[0]["id"] == "0a.6"
            await client.close()

    in_loop(play)


def test_events_of_the_future_are_waited_for() -> None:
    async def play() -> None:
        chronicle = kept()
        async with serving(chronicle) as web:
            client = await joined(web, "", "Last-Event-ID: 0a.99")
            chronicle.publish(Noted("new"), 1)
            assert (await client.block())["id"] == "0a.2"
            await client.close()

    in_loop(play)


def test_events_where_nothing_happens_are_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.01)

    async def play() -> None:
        async with serving(kept()) as web:
            client = await joined(web)
            assert await client.chunk() == b": alive\n\n"
            await client.close()

    in_loop(play)


@pytest.mark.parametrize("query", ["?last=x", "?last=1001", "?last=-1", "?last="])
def test_events_of_a_count_that_is_none_are_refused(query: str) -> None:
    async def play() -> None:
        async with serving(kept()) as web:
            client = await Client.ask(web, query)
            assert (await client.head())[0] == 400
            await client.close()

    in_loop(play)


def test_events_are_told_to_a_few_and_whoever_goes_makes_room() -> None:
    async def play() -> None:
        chronicle = kept()
        async with serving(chronicle) as web:
            clients = [await joined(web) for _ in range(LISTENERS_MAX)]
            late = await Client.ask(web)
            assert (await late.head())[0] == 503
            await late.close()
            await clients[0].close()
            while (client := await Client.ask(web)) and (await client.head())[0] == 503:
                await client.close()
            for each in (*clients[1:], client):
                await each.close()

    in_loop(play)


def test_events_end_with_the_node() -> None:
    async def play() -> None:
        chronicle = kept()
        async with serving(chronicle) as web:
            client = await joined(web)
            chronicle.publish(Noted("goodbye"), 1)
            chronicle.close()
            assert (await client.block())["event"] == "note", "what was told before is sent"
            assert await client.chunk() == b""
            await client.close()

    in_loop(play)


def test_events_that_nobody_reads_cost_the_listener_its_place_and_nobody_else_anything(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if a reader that has stopped keeps its place, or makes another one wait."""
    monkeypatch.setattr(events, "SLOW_S", 0.3)
    caplog.set_level(logging.WARNING)

    async def play() -> None:
        chronicle = kept()
        async with serving(chronicle) as web:
            stuck = socket.socket()
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", web.port))
            stuck.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            other = await joined(web)
            while "took nothing" not in caplog.text:
                chronicle.publish(Noted("x" * 20_000), 1)
                assert "x" in (await other.block())["data"]
            assert "events not taken" in caplog.text
            assert "Exception" not in caplog.text
            stuck.close()
            await other.close()

    in_loop(play)


def test_head_of_events_has_no_body() -> None:
    async def play() -> None:
        async with serving(kept()) as web:
            client = await Client.ask(web, "", "Connection: close", method="HEAD")
            assert (await client.head())[0] == 200
            assert await client.reader.read() == b""
            await client.close()

    in_loop(play)


def test_events_that_are_not_kept_are_no_page() -> None:
    async def play() -> None:
        async with serving(None) as web:
            client = await Client.ask(web)
            assert (await client.head())[0] == 404
            await client.close()

    in_loop(play)
