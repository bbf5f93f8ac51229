"""Whatever is asked of the API: an answer below 500, and nothing changed that may not be.

Through the real application, from its outermost gate. Fails if a request raises or is a 500, if
anything reaches the node without the token, or if an answer lacks its headers.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from urllib.parse import unquote

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message
from tests.inputs import BODIES, PATHS, mutated

from rackgrid.adapters.web.app import build_app
from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.gate import SECURITY_HEADERS
from rackgrid.adapters.web.host import Names
from rackgrid.adapters.web.token import Token
from rackgrid.core.view import FeedView, LoadView, NodeView, PriceView, RosterView, View

GOOD = "0123456789abcdef" * 4
VIEW = View(
    rack="shed",
    node=NodeView("00000000000000aa", "alfa", 7),
    role="broker",
    term=3,
    broker="alfa",
    broker_id="00000000000000aa",
    authority=True,
    rack_id="0000000000000001",
    roster_version=4,
    roster=(RosterView("00000000000000bb", "bravo", 5, 6.0, 1, False, absent=True),),
    members=(),
    price=PriceView(None, "EUR", 0, 0, 0.0, False),
    feed=FeedView(100.0, 0.0, 0.0, 0.0),
    loads=(LoadView("lamp", "alfa", "flexible", False, 0.0, 0.4, 0.0, "a fault", "welded"),),
    meters=(),
    firmware=True,
    rejected={},
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X")
NAMES = ("host", "origin", "authorization", "content-length", "last-event-id", "x-forwarded-for")
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(NAMES) | st.text(st.characters(max_codepoint=127), max_size=9),
        st.binary(max_size=40) | st.sampled_from([b"localhost", b"Bearer x", b"http://localhost"]),
    ),
    max_size=4,
)


@dataclass
class Node:
    """What the API may reach."""

    reached: list[object] = field(default_factory=list)

    def app(self, loopback: bool, token: str | None) -> ASGIApp:
        doors = Doors(
            lambda: VIEW,
            lambda: (True, "broker"),
            lambda: self.reached.append("leave"),
            self.reached.append,
            lambda: 7,
        )
        names = Names(loopback, (), machine="pi")
        return build_app(doors, names, Token(token, lambda: 0.0) if token else None)


async def answer(
    app: ASGIApp, method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Message] = []
    parts = [body[:100], body[100:]]

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    raw, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(raw, errors="replace"),
        "raw_path": raw.encode("utf-8", "replace"),
        "query_string": query.encode("utf-8", "replace"),
        "headers": headers,
        "client": ("10.0.0.1", 4),
    }
    await app(scope, receive, send)
    return int(sent[0]["status"]), dict(sent[0]["headers"])


def ask(node: Node, app: ASGIApp, seed: int, headers: list[tuple[str, bytes]]) -> None:
    """Ask something of that seed, and check what must hold of any answer."""
    rng = random.Random(seed)
    path = rng.choice(PATHS)
    if rng.random() < 0.5:
        path = mutated(rng, path.encode()).decode("utf-8", "replace")
    body = rng.choice(BODIES)
    if rng.random() < 0.5:
        body = mutated(rng, body)
    lines = [(name.lower().encode(), value) for name, value in headers]
    status, said = asyncio.run(answer(app, rng.choice(METHODS), path, lines, body))
    assert 200 <= status < 500, (status, path)
    assert all(said[name.encode()] == value.encode() for name, value in SECURITY_HEADERS.items())


@settings(deadline=None)
@given(st.integers(0, 2**32), HEADERS, st.booleans())
def test_request_without_the_token_is_answered_and_changes_nothing(
    seed: int, headers: list[tuple[str, bytes]], loopback: bool
) -> None:
    node = Node()
    hosted = [("host", b"localhost"), *(each for each in headers if each[0] != "host")]
    ask(node, node.app(loopback, GOOD), seed, headers)
    ask(node, node.app(loopback, GOOD), seed, hosted)
    ask(node, node.app(False, None), seed, hosted)
    assert node.reached == []


@settings(deadline=None)
@given(st.integers(0, 2**32), HEADERS)
def test_request_with_the_token_is_answered(seed: int, headers: list[tuple[str, bytes]]) -> None:
    node = Node()
    mine = ("host", "authorization", "origin")
    rest = [each for each in headers if each[0].lower() not in mine]
    carried = [("host", b"localhost"), ("authorization", f"Bearer {GOOD}".encode()), *rest]
    ask(node, node.app(True, GOOD), seed, carried)
