"""The API through a real socket, a real Uvicorn and a client that knows nothing of either."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPResponse
from pathlib import Path

import pytest

from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.server import WebServer, serve
from rackgrid.adapters.web.token import new_token
from rackgrid.config import WebConfig
from rackgrid.core.event import CapacityChanged, Request
from rackgrid.core.view import FeedView, NodeView, PriceView, View

DEADLINE_S = 20
VIEW = View(
    rack="shed",
    node=NodeView("0a", "alfa", 7),
    role="member",
    term=3,
    broker="bravo",
    broker_id="0b",
    authority=False,
    rack_id="00000000000000cc",
    roster_version=5,
    roster=(),
    members=(),
    price=PriceView(0.25, "EUR", 3, 9, 1.5, False),
    feed=FeedView(100.0, 40.0, 30.0, 10.0),
    loads=(),
    meters=(),
    firmware=True,
    rejected={},
)


@dataclass
class Node:
    """What the daemon would be: a loop in a thread, a view, a health, a wish to leave."""

    host: str = "127.0.0.1"
    token_file: Path | None = None
    hosts: tuple[str, ...] = ()
    view: View = VIEW
    health: tuple[bool, str] = (True, "member of bravo")
    left: threading.Event = field(default_factory=threading.Event)
    asked: list[Request | CapacityChanged] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def doors(self) -> Doors:
        return Doors(
            lambda: self.view, lambda: self.health, self.left.set, self.asked.append, lambda: 7
        )

    def start(self) -> WebServer:
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            serve(WebConfig(self.host, 0, True, self.token_file, self.hosts), self.doors()),
            self.loop,
        )
        self.web = started.result(DEADLINE_S)
        return self.web

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.web.close(), self.loop).result(DEADLINE_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE_S)
        self.loop.close()


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Node, str]]:
    """A node with a token, on loopback and on the LAN, and what to send."""
    path = tmp_path / "api.token"
    new_token(path)
    made = Node(request.param, path)
    made.start()
    yield made, path.read_text().strip()
    made.stop()


@pytest.fixture
def lan_node() -> Iterator[Node]:
    made = Node(host="0.0.0.0")
    made.start()
    yield made
    made.stop()


def ask(
    node: Node,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, dict[str, object], HTTPResponse | urllib.error.HTTPError]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{node.web.port}{path}", method=method, headers=headers or {}, data=body
    )
    try:
        response: HTTPResponse | urllib.error.HTTPError = urllib.request.urlopen(
            request, timeout=DEADLINE_S
        )
    except urllib.error.HTTPError as refused:
        response = refused
    with response:
        return response.status or 0, json.loads(response.read()), response


def test_state_read_over_http_is_the_view(node: Node) -> None:
    status, state, _ = ask(node, "/api/state")
    assert status == 200
    assert state["broker"] == "bravo"
    assert state["price"] == {
        "value": 0.25,
        "currency": "EUR",
        "term": 3,
        "round": 9,
        "valid_for_s": 1.5,
        "scarce": False,
    }


def test_state_follows_the_view(node: Node) -> None:
    ask(node, "/api/state")
    node.view = replace(VIEW, term=4)
    deadline = threading.Event()
    timer = threading.Timer(DEADLINE_S, deadline.set)
    timer.start()
    while ask(node, "/api/state")[1]["term"] != 4:
        assert not deadline.is_set(), "the old view is served for ever"
    timer.cancel()


def test_health_lost_is_seen_at_once(node: Node) -> None:
    assert ask(node, "/healthz")[0] == 200
    node.health = (False, "the firmware does not answer")
    status, body, _ = ask(node, "/healthz")
    assert (status, body["reason"]) == (503, "the firmware does not answer")


def test_leave_posted_reaches_the_node(node: Node) -> None:
    status, body, _ = ask(node, "/api/leave", "POST")
    assert (status, body) == (202, {"leaving": True})
    assert node.left.is_set()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_leave_posted_by_a_strangers_page_is_refused(
    node: Node, headers: dict[str, str], expected: int
) -> None:
    status, body, _ = ask(node, "/api/leave", "POST", headers)
    assert status == expected
    assert "error" in body
    assert not node.left.is_set()


def test_leave_posted_to_an_api_on_the_lan_is_refused(lan_node: Node) -> None:
    assert ask(lan_node, "/api/state")[0] == 200
    assert ask(lan_node, "/api/leave", "POST")[0] == 403
    assert not lan_node.left.is_set()


def test_capacity_posted_reaches_the_node(node: Node) -> None:
    status, body, _ = ask(node, "/api/feed", "POST", body=b'{"capacity_w": 40.5}')
    assert (status, body) == (202, {"capacity_w": 40.5})
    assert node.asked == [CapacityChanged(7, 40_500)]


def test_body_without_an_end_is_refused_and_the_server_goes_on(node: Node) -> None:
    status, body, _ = ask(node, "/api/feed", "POST", body=b" " * 100_000)
    assert (status, "1024 bytes" in str(body["error"])) == (413, True)
    with socket.create_connection(("127.0.0.1", node.web.port), timeout=DEADLINE_S) as torn:
        torn.sendall(b"POST /api/feed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
    assert ask(node, "/healthz")[0] == 200
    assert node.asked == []


@pytest.mark.parametrize("path", ["forget/alfa", "handover", "recover", "feed"])
def test_wish_posted_by_a_strangers_page_or_from_the_lan_is_refused(
    node: Node, lan_node: Node, path: str
) -> None:
    strange = {"Origin": "http://evil.example"}
    assert ask(node, f"/api/{path}", "POST", strange, b"{}")[0] == 403
    assert ask(lan_node, f"/api/{path}", "POST", body=b"{}")[0] == 403
    assert node.asked == lan_node.asked == []


CHANGES = ("leave", "forget/alfa", "handover", "recover", "feed", "loads/lamp/clear")


@pytest.mark.parametrize("path", CHANGES)
def test_change_needs_the_token_wherever_it_comes_from(
    guarded: tuple[Node, str], path: str
) -> None:
    node, token = guarded
    for sent in ({}, {"Authorization": "Bearer x"}, {"Authorization": token}):
        status, body, response = ask(node, f"/api/{path}", "POST", sent, b"{}")
        assert (status, "token" in str(body["error"])) == (401, True)
        assert response.headers["www-authenticate"] == 'Bearer realm="rackgrid"'
    assert ask(node, f"/api/{path}?token={token}", "POST", {}, b"{}")[0] == 401
    assert node.asked == []
    assert not node.left.is_set()
    status, _, _ = ask(node, f"/api/{path}", "POST", {"Authorization": f"Bearer {token}"}, b"{}")
    assert status not in (401, 403, 429)
    assert ask(node, "/api/state")[0] == 200, "reading needs none"


def test_change_with_the_token_reaches_the_node(guarded: tuple[Node, str]) -> None:
    node, token = guarded
    bearer = {"Authorization": f"Bearer {token}"}
    assert ask(node, "/api/feed", "POST", bearer, b'{"capacity_w": 40.5}')[0] == 202
    assert node.asked == [CapacityChanged(7, 40_500)]


def test_lan_api_asked_under_a_strangers_name_answers_nothing(lan_node: Node) -> None:
    assert ask(lan_node, "/api/state", headers={"Host": "evil.example"})[0] == 421


def test_page_or_method_unknown_is_refused_as_json(node: Node) -> None:
    assert ask(node, "/nothing")[0] == 404
    status, body, response = ask(node, "/api/state", "DELETE")
    assert (status, "error" in body) == (405, True)
    assert "GET" in (response.headers["allow"] or "")


def test_bug_in_the_daemon_is_a_500_and_the_server_goes_on(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.view = replace(VIEW, roster=(None,))  # type: ignore[arg-type]
    status, body, response = ask(node, "/api/state")
    assert (status, "error" in body) == (500, True)
    assert response.headers["x-content-type-options"] == "nosniff"
    node.view = VIEW
    assert ask(node, "/api/state")[0] == 200
    assert any(record.levelname == "ERROR" for record in caplog.records)


def test_answers_name_no_server_and_allow_no_other_origin(node: Node) -> None:
    _, _, response = ask(node, "/api/state", headers={"Origin": "http://evil.example"})
    names = {name.lower() for name in response.headers}
    assert "server" not in names
    assert not [name for name in names if name.startswith("access-control")]
    assert response.headers["cache-control"] == "no-store"


def test_many_clients_at_once_are_all_answered(node: Node) -> None:
    statuses: list[int] = []

    def client() -> None:
        statuses.extend(ask(node, "/api/state")[0] for _ in range(5))

    clients = [threading.Thread(target=client) for _ in range(8)]
    for each in clients:
        each.start()
    for each in clients:
        each.join(DEADLINE_S)
    assert statuses == [200] * 40


def test_import_of_the_api_loads_no_extra_of_uvicorn() -> None:
    # Each of these costs memory and does nothing for an API that is asked now and then.
    script = (
        "import sys, rackgrid.adapters.web.server\n"
        "unwanted = {'uvloop', 'httptools', 'websockets', 'wsproto', 'watchfiles', 'dotenv',"
        " 'yaml', 'jinja2', 'starlette.testclient', 'paho'}\n"
        "print(sorted(unwanted & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
