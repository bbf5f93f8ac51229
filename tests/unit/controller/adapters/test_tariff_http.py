"""Published prices, from a real HTTP server on the loopback interface."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rackgrid.adapters.tariff_file import parse_tariff
from rackgrid.adapters.tariff_http import (
    ANSWER_MAX,
    KEEP_NS,
    HttpTariff,
    merged,
    parse_answer,
    written,
)
from rackgrid.config import HttpTariffConfig
from rackgrid.market.tariff import SECOND_NS, Interval, Slots

HOUR_NS = 3600 * SECOND_NS
CONFIG = HttpTariffConfig("http://localhost/", 900.0, "", "start", "end", "value", 1.0, None)
NOON_S = 1_772_366_400
"""2026-03-01T12:00:00Z"""


class Server:
    """Answers with what the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.location = 200, b"[]", ""
        self.asked: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(dict(self.headers))
                self.send_response(server.status)
                if server.location:
                    self.send_header("Location", server.location)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/prices"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def hourly(*values: float, first: int = 0) -> bytes:
    rows = [
        {
            "start": (NOON_S + (first + at) * 3600) * 1000,
            "end": (NOON_S + (first + at + 1) * 3600) * 1000,
            "value": value,
        }
        for at, value in enumerate(values)
    ]
    return json.dumps(rows).encode()


def now_ns() -> int:
    return NOON_S * SECOND_NS


def made(server: Server, cache: Path | None = None, **keys: object) -> HttpTariff:
    config = replace(CONFIG, url=server.url, **keys)  # type: ignore[arg-type]
    return HttpTariff("grid", config, cache, now_ns)


def test_fetched_prices_hold_in_their_slots(server: Server) -> None:
    server.body = hourly(0.3, 0, -0.1)
    tariff = made(server)
    tariff.fetch()
    at = [tariff.slots.price_at(now_ns() + hour * HOUR_NS) for hour in range(-1, 4)]
    assert at == [None, 300_000, 0, -100_000, None]


def test_thread_fetches_by_itself_and_says_once_why_not(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.status = 503
    tariff = made(server, every_s=0.01)
    tariff.start()
    for _ in range(500):
        if len(server.asked) >= 5:
            break
        tariff._stopping.wait(0.01)
    server.body, server.status = hourly(0.3), 200
    for _ in range(500):
        if tariff.slots.intervals:
            break
        tariff._stopping.wait(0.01)
    tariff.stop()
    tariff._thread.join(5)
    assert not tariff._thread.is_alive()
    assert tariff.slots.price_at(now_ns()) == 300_000
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "503" in line]) == 1
    assert any("come from" in line for line in said)


def test_restart_without_the_server_knows_what_was_known_ahead(
    server: Server, tmp_path: Path
) -> None:
    server.body = hourly(0.3, 0.2)
    made(server, tmp_path / "tariff.grid").fetch()
    server.status = 500
    again = made(server, tmp_path / "tariff.grid")
    assert again.slots.price_at(now_ns() + HOUR_NS) == 200_000
    with pytest.raises(OSError, match="500"):
        again.fetch()
    assert again.slots.price_at(now_ns() + HOUR_NS) == 200_000


def test_kept_prices_that_are_damaged_are_not_used(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "tariff.grid"
    cache.write_bytes(b'[{"start": 1}]')
    assert made(server, cache).slots == Slots(())
    assert "kept prices are not used" in caplog.text


def test_header_is_sent_and_never_to_another_host(server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "header"
    secret.write_text("Authorization: Bearer abc\n")
    server.body = hourly(0.3)
    tariff = made(server, header_file=secret)
    tariff.fetch()
    assert server.asked[0]["Authorization"] == "Bearer abc"
    other = Server()
    try:
        server.status, server.location = 302, other.url
        with pytest.raises(OSError, match="redirects to"):
            tariff.fetch()
        assert other.asked == []
    finally:
        other.close()


def test_answer_without_end_is_read_by_the_next_start() -> None:
    rows = {"data": {"prices": [{"t": {"from": NOON_S + at * 900}, "p": at} for at in range(4)]}}
    config = replace(CONFIG, items="data.prices", start="t.from", end="", value="p", scale=0.001)
    found = parse_answer(json.dumps(rows).encode(), config).intervals
    assert [each.price_uc for each in found] == [0, 1000, 2000, 3000]
    assert {each.end_ns - each.start_ns for each in found} == {900 * SECOND_NS}


def test_answer_in_ms_in_s_and_in_words_means_the_same() -> None:
    def start(of: object) -> int:
        rows = [{"start": of, "end": NOON_S + 60, "value": 1}]
        return parse_answer(json.dumps(rows).encode(), CONFIG).intervals[0].start_ns

    assert start(NOON_S) == start(NOON_S * 1000) == start("2026-03-01T12:00:00Z") == now_ns()


@pytest.mark.parametrize(
    ("answer", "items", "expected"),
    [
        (b"<html>", "", "Expecting value"),
        (b"{}", "", "no list of slots"),
        (b"[]", "", "no list of slots"),
        (b'{"data": 1}', "data.prices", r"the answer has no 'prices' \(it has no object\)"),
        (b'{"date": 1}', "data", r"the answer has no 'data' \(it has date\)"),
        (b'[{"start": 1, "end": 2}]', "", "slot 0 has no 'value'"),
        (b'[{"start": 1, "end": 2, "value": "x"}]', "", "value must be a number"),
        (b'[{"start": true, "end": 2, "value": 1}]', "", "RFC 3339"),
        (b'[{"start": 1, "end": 2, "value": 1e9}]', "", "scaled, must be within"),
        (
            b'[{"start": 1, "end": 9, "value": 1}, {"start": 2, "end": 9, "value": 1}]',
            "",
            "two prices",
        ),
    ],
)
def test_answer_that_is_wrong_says_what_and_where(answer: bytes, items: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_answer(answer, replace(CONFIG, items=items))


def test_answer_of_one_slot_without_end_or_of_two_at_once_is_refused() -> None:
    config = replace(CONFIG, end="")
    with pytest.raises(ValueError, match="nothing says when it ends"):
        parse_answer(b'[{"start": 1, "value": 1}]', config)
    with pytest.raises(ValueError, match="start at the same time"):
        parse_answer(b'[{"start": 1, "value": 1}, {"start": 1, "value": 2}]', config)


def test_answer_without_end_in_sight_is_refused(server: Server) -> None:
    server.body = b" " * (ANSWER_MAX + 1)
    with pytest.raises(ValueError, match="longer than"):
        made(server).fetch()


def test_merged_the_newer_word_counts_and_the_old_is_dropped_in_time() -> None:
    known = Slots((Interval(0, 10, 1), Interval(10, 20, 2), Interval(20, 30, 3)))
    fresh = Slots((Interval(15, 25, 9),))
    assert merged(known, fresh, 10).intervals == (Interval(15, 25, 9),)
    assert merged(known, fresh, 9).intervals == (Interval(0, 10, 1), Interval(15, 25, 9))
    assert KEEP_NS > 0


def test_written_is_a_tariff_file() -> None:
    known = Slots((Interval(now_ns(), now_ns() + HOUR_NS, -123_456),))
    assert parse_tariff(written(known)).prices == known
