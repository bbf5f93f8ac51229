"""What an operator asks for over HTTP, asked through ASGI without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from starlette.types import Message

from rackgrid.adapters.web.app import build_app
from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.host import Names
from rackgrid.core.event import (
    AllowRequested,
    CapacityChanged,
    ExpelRequested,
    ForgetRequested,
    HandoverRequested,
    OutputRequested,
    RecoverRequested,
    Request,
    Tend,
)
from rackgrid.core.view import FeedView, LoadView, NodeView, PriceView, RosterView, View
from rackgrid.identity import NodeId

NOW_NS = 7
ALFA = RosterView("00000000000000aa", "alfa", 7, 5.0, 1, False, absent=False)
BRAVO = RosterView("00000000000000bb", "bravo", 5, 6.0, 1, False, absent=False)
CHARLIE = RosterView("00000000000000cc", "charlie", 3, 6.0, 1, False, absent=True)
VIEW = View(
    rack="shed",
    node=NodeView(ALFA.id, "alfa", 7),
    role="broker",
    term=3,
    broker="alfa",
    broker_id=ALFA.id,
    authority=True,
    rack_id="0000000000000001",
    roster_version=4,
    roster=(ALFA, BRAVO, CHARLIE),
    members=(),
    price=PriceView(None, "EUR", 0, 0, 0.0, False),
    feed=FeedView(100.0, 0.0, 0.0, 0.0),
    loads=(),
    meters=(),
    firmware=True,
    rejected={},
)
MEMBER = replace(VIEW, role="member", broker="bravo", broker_id=BRAVO.id)
ISLANDED = replace(VIEW, role="islanded", broker="", broker_id="")


@dataclass
class World:
    view: View = VIEW
    asked: list[Request | CapacityChanged] = field(default_factory=list)

    def post(self, path: str, *parts: bytes | None) -> tuple[int, dict[str, object]]:
        """Post these parts of a body; None is a client that hangs up."""
        return asyncio.run(self._post(path, iter(parts or (b"",))))

    async def _post(
        self, path: str, parts: Iterator[bytes | None]
    ) -> tuple[int, dict[str, object]]:
        doors = Doors(
            lambda: self.view, lambda: (True, ""), lambda: None, self.asked.append, lambda: NOW_NS
        )
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            part = next(parts, b"")
            if part is None:
                return {"type": "http.disconnect"}
            if part == b"...":
                await asyncio.Event().wait()
            return {"type": "http.request", "body": part, "more_body": part.endswith(b" ")}

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        await build_app(doors, Names(loopback=True, hosts=()))(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], json.loads(body)


def refusal(world: World, path: str, *parts: bytes | None) -> tuple[int, str]:
    """Post, see that nothing came of it, and give the reason."""
    status, body = world.post(path, *parts)
    assert world.asked == []
    assert list(body) == ["error"]
    return status, str(body["error"])


@pytest.mark.parametrize("who", ["charlie", CHARLIE.id])
def test_forget_of_a_silent_node_is_asked_by_name_or_id(who: str) -> None:
    world = World()
    status, body = world.post(f"/api/forget/{who}")
    assert (status, body) == (202, {"forgetting": CHARLIE.id, "name": "charlie"})
    assert world.asked == [ForgetRequested(NOW_NS, NodeId(0xCC))]


def test_forget_of_a_node_that_is_heard_is_refused() -> None:
    status, reason = refusal(World(), "/api/forget/bravo")
    assert (status, "bravo is heard" in reason, "rackgrid leave" in reason) == (409, True, True)
    status, reason = refusal(World(), "/api/forget/alfa")
    assert (status, "is this node" in reason) == (409, True)


@pytest.mark.parametrize("who", ["delta", "00000000000000dd"])
def test_forget_of_a_node_that_is_not_on_the_roster_names_who_is(who: str) -> None:
    status, reason = refusal(World(), f"/api/forget/{who}")
    assert (status, "alfa, bravo, charlie" in reason) == (404, True)
    status, reason = refusal(World(replace(VIEW, roster=())), f"/api/forget/{who}")
    assert (status, "nobody" in reason) == (404, True)


def test_forget_of_a_name_that_two_nodes_have_asks_for_the_id() -> None:
    twin = replace(CHARLIE, id="00000000000000ce")
    world = World(replace(VIEW, roster=(ALFA, CHARLIE, twin)))
    status, reason = refusal(world, "/api/forget/charlie")
    assert (status, CHARLIE.id in reason, twin.id in reason) == (409, True, True)
    assert world.post(f"/api/forget/{twin.id}")[0] == 202
    assert world.asked == [ForgetRequested(NOW_NS, NodeId(0xCE))]


def test_handover_of_the_broker_is_asked() -> None:
    world = World()
    assert world.post("/api/handover") == (202, {"handing_over": True})
    assert world.asked == [HandoverRequested(NOW_NS)]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (MEMBER, "alfa is not the broker, bravo is: ask there"),
        (ISLANDED, "there is none now"),
        (replace(VIEW, roster=(ALFA, CHARLIE)), "nobody to hand over to"),
    ],
)
def test_handover_that_cannot_be_is_refused_with_the_reason(view: View, words: str) -> None:
    status, reason = refusal(World(view), "/api/handover")
    assert (status, words in reason) == (409, True)


def test_recovery_of_a_rack_without_a_broker_is_asked_and_names_who_is_heard() -> None:
    world = World(ISLANDED)
    assert world.post("/api/recover") == (202, {"recovering": ["alfa", "bravo"]})
    assert world.asked == [RecoverRequested(NOW_NS)]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (MEMBER, "bravo is the broker"),
        (replace(ISLANDED, roster=(BRAVO,)), "alfa is on no roster"),
        (replace(ISLANDED, roster=()), "alfa is on no roster"),
    ],
)
def test_recovery_that_cannot_be_is_refused_with_the_reason(view: View, words: str) -> None:
    status, reason = refusal(World(view), "/api/recover")
    assert (status, words in reason) == (409, True)


@pytest.mark.parametrize(
    ("watts", "capacity_mw"),
    [("40.0", 40_000), ("40", 40_000), ("0.3", 300), ("1.9999", 1999), ("1e6", 1_000_000_000)],
)
def test_capacity_is_asked_and_rounded_down(watts: str, capacity_mw: int) -> None:
    world = World()
    status, body = world.post("/api/feed", b'{"capacity_w": ', f"{watts}}}".encode())
    assert (status, body) == (202, {"capacity_w": float(watts)})
    assert world.asked == [CapacityChanged(NOW_NS, capacity_mw)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"capacity_w=40", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 1024, "not JSON"),
        (b"[40]", "not a JSON object"),
        (b"40", "not a JSON object"),
        (b"{}", "capacity_w is missing"),
        (b'{"capacity": 40}', "unknown key 'capacity'"),
        (b'{"capacity_w": 40, "x": 1}', "unknown key 'x'"),
        (b'{"capacity_w": "40"}', "expected a number of watts"),
        (b'{"capacity_w": true}', "expected a number of watts"),
        (b'{"capacity_w": null}', "expected a number of watts"),
        (b'{"capacity_w": NaN}', "not a finite number"),
        (b'{"capacity_w": 1e999}', "not a finite number"),
        (b'{"capacity_w": 0}', "too small"),
        (b'{"capacity_w": -1}', "too small"),
        (b'{"capacity_w": 1000001}', "too large"),
        (b'{"capacity_w": 1' + b"0" * 900 + b"}", "too large"),
    ],
)
def test_capacity_that_is_none_is_refused_with_what_to_send(body: bytes, words: str) -> None:
    status, reason = refusal(World(), "/api/feed", body)
    assert (status, words in reason) == (400, True), reason
    assert reason.startswith("body of POST /api/feed: ")
    assert reason.endswith('send {"capacity_w": 40.0}')


LAMP = LoadView("lamp", "alfa", "flexible", False, 0.0, 0.4, 0.0, "a fault", "welded")


@pytest.mark.parametrize("what", list(Tend))
def test_load_of_this_node_is_tended(what: Tend) -> None:
    world = World(replace(VIEW, loads=(LAMP,)))
    assert world.post(f"/api/loads/lamp/{what.value}")[0] == 202
    assert world.asked == [OutputRequested(NOW_NS, "lamp", what)]


@pytest.mark.parametrize(
    ("view", "path", "status", "says"),
    [
        (VIEW, "/api/loads/lamp/clear", 404, "alfa has no load 'lamp' (it has none): ask its node"),
        (
            replace(VIEW, loads=(LAMP,)),
            "/api/loads/lamp/bend",
            404,
            "a load can be cleared, locked or unlocked, and not 'bend'",
        ),
        (
            replace(VIEW, loads=(replace(LAMP, node="bravo"),)),
            "/api/loads/lamp/clear",
            404,
            "alfa has no load 'lamp'",
        ),
        (
            replace(VIEW, loads=(LAMP,), firmware=False),
            "/api/loads/lamp/clear",
            409,
            "the firmware",
        ),
    ],
)
def test_load_that_cannot_be_tended_is_refused_with_a_reason(
    view: View, path: str, status: int, says: str
) -> None:
    world = World(view)
    code, body = world.post(path)
    assert code == status
    assert says in str(body)
    assert world.asked == []


@pytest.mark.parametrize("who", ["bravo", BRAVO.id])
def test_allow_is_asked_of_the_broker_by_name_or_id(who: str) -> None:
    world = World()
    status, body = world.post(f"/api/nodes/{who}", b'{"priority": 9, "floor_max_w": 12.5}')
    assert (status, body) == (202, {"node": BRAVO.id, "name": "bravo", "waits": False})
    assert world.asked == [AllowRequested(NOW_NS, NodeId(0xBB), 9, 12_500)]


def test_allow_leaves_what_it_does_not_name() -> None:
    world = World()
    assert world.post("/api/nodes/bravo", b'{"priority": 0}')[0] == 202
    assert world.post("/api/nodes/bravo", b'{"floor_max_w": 6}')[0] == 202
    assert world.asked == [
        AllowRequested(NOW_NS, NodeId(0xBB), 0, None),
        AllowRequested(NOW_NS, NodeId(0xBB), None, 6000),
    ]


def test_allow_of_a_node_that_is_still_to_come_is_asked_by_its_id() -> None:
    world = World()
    status, body = world.post("/api/nodes/00000000000000dd", b'{"floor_max_w": 6}')
    assert (status, body) == (202, {"node": "00000000000000dd", "name": "", "waits": True})
    assert world.asked == [AllowRequested(NOW_NS, NodeId(0xDD), None, 6000)]


@pytest.mark.parametrize(
    ("view", "where"), [(MEMBER, "bravo is: ask there"), (ISLANDED, "there is none")]
)
def test_allow_asked_elsewhere_is_refused_with_where_to_ask(view: View, where: str) -> None:
    """Fails if a node that wants the office could send the word for it itself."""
    status, reason = refusal(World(view), "/api/nodes/charlie", b'{"priority": 9}')
    assert (status, where in reason) == (409, True)


def test_allow_less_than_what_is_reserved_is_refused() -> None:
    status, reason = refusal(World(), "/api/nodes/bravo", b'{"floor_max_w": 5.9}')
    assert (status, "bravo has 6 W reserved" in reason) == (409, True)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{}", "nothing to change"),
        (b'{"priority": -1}', "priority: too small"),
        (b'{"priority": 1.5}', "priority: expected a whole number"),
        (b'{"priority": true}', "priority: expected a whole number"),
        (b'{"floor_max_w": 1e9}', "floor_max_w: too large"),
        (b'{"votes": 9}', "unknown key 'votes'"),
        (b"[1]", "not a JSON object"),
    ],
)
def test_allow_with_a_body_that_is_wrong_is_refused_with_an_example(body: bytes, says: str) -> None:
    status, reason = refusal(World(), "/api/nodes/bravo", body)
    assert status == 400
    assert says in reason
    assert 'send {"priority": 100}' in reason


def test_allow_of_a_node_that_nobody_knows_says_who_is_known() -> None:
    status, reason = refusal(World(), "/api/nodes/delta", b'{"priority": 9}')
    assert status == 404
    assert "alfa, bravo, charlie" in reason
    assert "16 hexadecimal" in reason


def test_expel_is_asked_of_the_broker_by_name_or_id() -> None:
    for who in ("bravo", BRAVO.id):
        world = World()
        status, body = world.post(f"/api/expel/{who}")
        assert (status, body) == (202, {"expelling": BRAVO.id, "name": "bravo", "floor_w": 6.0})
        assert world.asked == [ExpelRequested(NOW_NS, NodeId(0xBB))]


@pytest.mark.parametrize(
    ("view", "who", "status", "says"),
    [
        (MEMBER, "charlie", 409, "bravo is: ask there"),
        (ISLANDED, "charlie", 409, "there is none"),
        (VIEW, "alfa", 409, "alfa is the broker: cut it off"),
        (VIEW, "delta", 404, "alfa, bravo, charlie"),
        (VIEW, "00000000000000dd", 404, "alfa, bravo, charlie"),
    ],
)
def test_expel_that_cannot_be_is_refused(view: View, who: str, status: int, says: str) -> None:
    got, reason = refusal(World(view), f"/api/expel/{who}")
    assert (got, says in reason) == (status, True)
