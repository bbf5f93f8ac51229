"""The routes, asked through ASGI without a socket (tests/rack/test_web.py has the socket)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from starlette.types import ASGIApp, Message

from rackgrid.adapters.web.app import RENDERED_FOR_NS, Rendering, build_app
from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.host import Names
from rackgrid.core.view import FeedView, NodeView, PriceView, View

VIEW = View(
    rack="shed",
    node=NodeView("0a", "alfa", 7),
    role="joining",
    term=0,
    broker="",
    broker_id="",
    authority=False,
    rack_id="00000000000000cc",
    roster_version=5,
    roster=(),
    members=(),
    price=PriceView(None, "EUR", 0, 0, 0.0, False),
    feed=FeedView(100.0, 0.0, 0.0, 0.0),
    loads=(),
    meters=(),
    firmware=False,
    rejected={},
)

ACCOUNTS: list[dict[str, object]] = [{"load": "fan", "energy_wh": 1.5, "cost": 0.25}]


@dataclass
class World:
    health: tuple[bool, str] = (True, "broker")
    left: int = 0
    views: int = 0

    def source(self) -> View:
        self.views += 1
        return replace(VIEW, term=self.views)

    def leave(self) -> None:
        self.left += 1

    def app(self) -> ASGIApp:
        doors = Doors(
            self.source,
            lambda: self.health,
            self.leave,
            _nobody_asks,
            Clock(),
            lambda: ACCOUNTS,
            sealed_with=lambda: {"0a": 2},
        )
        return build_app(doors, Names(loopback=True, hosts=()))


async def _ask(app: ASGIApp, method: str, path: str) -> tuple[int, bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], body


def ask(app: ASGIApp, method: str, path: str) -> tuple[int, bytes]:
    return asyncio.run(_ask(app, method, path))


def test_index_lists_every_route() -> None:
    status, body = ask(World().app(), "GET", "/")
    assert status == 200
    for path in ("state", "leave", "forget/", "handover", "recover", "feed"):
        assert f"/api/{path}".encode() in body
    assert b"/healthz" in body


def test_state_answers_with_the_view() -> None:
    status, body = ask(World().app(), "GET", "/api/state")
    assert status == 200
    assert json.loads(body)["node"]["name"] == "alfa"


def test_ledger_answers_with_the_accounts() -> None:
    status, body = ask(World().app(), "GET", "/api/ledger")
    assert (status, json.loads(body)) == (200, {"accounts": ACCOUNTS})


def test_keys_answer_with_numbers() -> None:
    status, body = ask(World().app(), "GET", "/api/keys")
    assert (status, json.loads(body)) == (200, {"sealed_with": {"0a": 2}})


@pytest.mark.parametrize(("healthy", "expected"), [(True, 200), (False, 503)])
def test_healthz_answers_by_health_and_says_why(healthy: bool, expected: int) -> None:
    world = World(health=(healthy, "the firmware does not answer"))
    status, body = ask(world.app(), "GET", "/healthz")
    assert status == expected
    assert json.loads(body) == {"healthy": healthy, "reason": "the firmware does not answer"}


def test_leave_posted_leaves_once() -> None:
    world = World()
    status, body = ask(world.app(), "POST", "/api/leave")
    assert (status, json.loads(body)) == (202, {"leaving": True})
    assert world.left == 1


def test_leave_read_does_not_leave() -> None:
    world = World()
    status, body = ask(world.app(), "GET", "/api/leave")
    assert (status, world.left) == (405, 0)
    assert "error" in json.loads(body)


def test_page_unknown_is_refused_as_json() -> None:
    status, body = ask(World().app(), "GET", "/api/states")
    assert status == 404
    assert "error" in json.loads(body)


def test_bug_in_the_view_is_answered_and_raised_on_to_the_log() -> None:
    def broken() -> View:
        raise AssertionError("a promise was broken")

    doors = Doors(broken, lambda: (True, ""), lambda: None, _nobody_asks, Clock())
    app = build_app(doors, Names(loopback=True, hosts=()))
    with pytest.raises(AssertionError, match="a promise was broken"):
        ask(app, "GET", "/api/state")


def test_rendering_asked_often_is_made_once_within_its_time() -> None:
    world, clock = World(), Clock()
    rendering = Rendering(world.source, clock)
    first = rendering.body()
    clock.now_ns = RENDERED_FOR_NS - 1
    assert rendering.body() is first
    clock.now_ns = RENDERED_FOR_NS
    assert json.loads(rendering.body())["term"] == 2
    assert world.views == 2


def test_rendering_that_failed_is_tried_again() -> None:
    outcomes: list[Callable[[], View]] = [_fail, lambda: VIEW]
    rendering = Rendering(lambda: outcomes.pop(0)(), Clock())
    with pytest.raises(ValueError, match="once"):
        rendering.body()
    assert json.loads(rendering.body())["rack"] == "shed"


@dataclass
class Clock:
    now_ns: int = 0

    def __call__(self) -> int:
        return self.now_ns


def _nobody_asks(_request: object) -> None:
    raise AssertionError("tests/unit/controller/adapters/web/test_operator.py asks")


def _fail() -> View:
    raise ValueError("once")
