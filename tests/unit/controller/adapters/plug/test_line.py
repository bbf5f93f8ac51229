"""A line to an MQTT server that is played byte by byte; the real one is met in `rack/`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from rackgrid.adapters.plug import line as lines
from rackgrid.adapters.plug.line import Line
from rackgrid.config import MqttConfig
from rackgrid.errors import TransportError

ACCEPTED = b"\x20\x02\x00\x00"
REFUSED = b"\x20\x02\x00\x05"


def publication(topic: str, payload: bytes, *, retained: bool = False) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic.encode() + payload
    return bytes([0x31 if retained else 0x30, len(body)]) + body


class Server:
    """Takes connections and says what it is told to; `heard` are all bytes that came."""

    def __init__(self, hello: bytes) -> None:
        self.hello = hello
        self.heard = b""
        self.connections = 0
        self.writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        if self.writer is not None:
            self.writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writer = writer
        while data := await reader.read(4096):
            if not self.heard.count(b"MQTT") or b"MQTT" in data:
                writer.write(self.hello)
            self.heard += data
        writer.close()

    def line(self) -> Line:
        return Line(MqttConfig("127.0.0.1", self.port, "", None, None, "rackgrid"))


def play(hello: bytes, scene: Callable[[Server, Line], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with Server(hello) as server:
            line = server.line()
            heard: list[tuple[str, bytes]] = []

            def hear(topic: str, payload: bytes) -> bool:
                heard.append((topic, payload))
                return payload != b"bad"

            line.listen("stat/a/RESULT", hear)
            task = asyncio.create_task(line.run())
            try:
                await scene(server, line)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def test_word_is_published_at_once_and_not_retained() -> None:
    async def scene(server: Server, line: Line) -> None:
        await until(lambda: line.connected)
        line.say("cmnd/a/Power1", b"ON")
        await until(lambda: publication("cmnd/a/Power1", b"ON") in server.heard)
        assert b"\x82" in server.heard, "it subscribed to what it listens to"

    play(ACCEPTED, scene)


def test_without_a_connection_a_word_is_refused_and_not_kept() -> None:
    async def scene(server: Server, line: Line) -> None:
        with pytest.raises(TransportError, match="no MQTT server"):
            line.say("cmnd/a/Power1", b"ON")
        await until(lambda: line.connected)
        line.say("cmnd/a/Power1", b"OFF")
        await until(lambda: b"OFF" in server.heard)
        assert b"ON" not in server.heard

    play(ACCEPTED, scene)


def test_what_is_retained_is_not_heard() -> None:
    async def scene(server: Server, line: Line) -> None:
        heard: list[bytes] = []

        def hear(_topic: str, payload: bytes) -> bool:
            heard.append(payload)
            return payload == b"new"

        line.listen("stat/b/RESULT", hear)
        await until(lambda: line.connected)
        assert server.writer is not None
        server.writer.write(publication("stat/b/RESULT", b"old", retained=True))
        server.writer.write(publication("stat/c/RESULT", b"elsewhere"))
        server.writer.write(publication("stat/b/RESULT", b"odd"))
        server.writer.write(publication("stat/b/RESULT", b"new"))
        await until(lambda: b"new" in heard)
        assert heard == [b"odd", b"new"]
        assert line.rejected == {"mqtt_retained": 1, "mqtt_topic": 1, "mqtt_payload": 1}

    play(ACCEPTED, scene)


def test_two_that_hear_one_topic_both_hear_it_and_one_is_enough_to_understand() -> None:
    """Two relays of one plug say how they are under one topic."""

    async def scene(server: Server, line: Line) -> None:
        heard: list[tuple[int, bytes]] = []

        def listener(number: int) -> Callable[[str, bytes], bool]:
            def hear(_topic: str, payload: bytes) -> bool:
                heard.append((number, payload))
                return payload == str(number).encode()

            return hear

        for number in (1, 2, 3):
            line.listen("stat/b/RESULT", listener(number))
        await until(lambda: line.connected)
        assert server.writer is not None
        for payload in (b"1", b"3", b"4"):
            server.writer.write(publication("stat/b/RESULT", payload))
        await until(lambda: len(heard) == 9)
        assert heard == [
            (number, payload) for payload in (b"1", b"3", b"4") for number in (1, 2, 3)
        ]
        assert line.rejected == {"mqtt_payload": 1}

    play(ACCEPTED, scene)


def test_connection_that_breaks_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "RETRY_S", (0.01, 0.02))

    async def scene(server: Server, line: Line) -> None:
        await until(lambda: line.connected)
        assert server.writer is not None
        server.writer.close()
        await until(lambda: server.connections == 2)
        await until(lambda: line.connected)

    play(ACCEPTED, scene)


def test_server_that_refuses_is_named_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lines, "RETRY_S", (0.01, 0.02))
    caplog.set_level(logging.WARNING)

    async def scene(server: Server, line: Line) -> None:
        await until(lambda: server.connections >= 3)
        assert not line.connected

    play(REFUSED, scene)
    assert caplog.text.count("it refuses us") == 1


def test_line_ends_when_it_is_cancelled_although_the_connection_ends_just_then() -> None:
    async def whole() -> None:
        async with Server(ACCEPTED) as server:
            line = server.line()
            task = asyncio.create_task(line.run())
            await until(lambda: line.connected)
            assert line._ended is not None
            line._ended.set_result("it is gone")
            await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=5)
            task.cancel()
            assert done

    asyncio.run(whole())


def test_server_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lines, "RETRY_S", (0.01, 0.02))

    async def whole() -> None:
        async with Server(ACCEPTED) as server:
            line = server.line()
        task = asyncio.create_task(line.run())
        await until(lambda: "refused" in caplog.text)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())
