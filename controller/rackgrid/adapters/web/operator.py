"""What an operator may ask of this node over HTTP: forget, hand over, recover, another capacity.

A wish that cannot be fulfilled is refused where the view tells so at once, and the reason says what
to do. Else it is accepted (202) and its outcome shows in `/api/state`: what the rack agrees on
takes the word of others, and no answer waits for that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from rackgrid.adapters.web.answer import answer, refuse
from rackgrid.adapters.web.doors import Doors
from rackgrid.core.event import (
    CapacityChanged,
    ForgetRequested,
    HandoverRequested,
    OutputRequested,
    RecoverRequested,
    Tend,
)
from rackgrid.core.view import RosterView, View
from rackgrid.identity import NodeId
from rackgrid_firmware.key import Key, Kind, complaint
from rackgrid_firmware.settings import is_table

BODY_MAX = 1024
"""Longest body, bytes."""
BODY_S = 5.0
"""A body is here within this, s."""
CAPACITY = Key(
    "capacity_w", Kind.NUMBER, "what the feed gives from now on", unit="W", low=0.001, high=1e6
)
EXAMPLE = 'send {"capacity_w": 40.0}'


def routes(doors: Doors) -> list[Route]:
    """Make the routes; who may ask is the gate's matter."""

    def posted(path: str, act: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, act, methods=["POST"])

    async def forget(request: Request) -> Response:
        return _forget(doors, str(request.path_params["node"]))

    async def handover(_request: Request) -> Response:
        return _handover(doors)

    async def recover(_request: Request) -> Response:
        return _recover(doors)

    async def feed(request: Request) -> Response:
        return await _feed(doors, request)

    async def tend(request: Request) -> Response:
        parts = request.path_params
        return _tend(doors, str(parts["load"]), str(parts["what"]))

    return [
        posted("/api/loads/{load}/{what}", tend),
        posted("/api/forget/{node}", forget),
        posted("/api/handover", handover),
        posted("/api/recover", recover),
        posted("/api/feed", feed),
    ]


def _forget(doors: Doors, who: str) -> Response:
    view = doors.source()
    lines = [line for line in view.roster if who in (line.name, line.id)]
    if not lines:
        known = ", ".join(line.name for line in view.roster) or "nobody"
        return refuse(404, f"no node {who[:40]!r} is on the roster; it has {known}")
    if len(lines) > 1:
        ids = ", ".join(line.id for line in lines)
        return refuse(409, f"several nodes are called {who}: ask by id, one of {ids}")
    line = lines[0]
    if not line.absent:
        return refuse(409, _alive(view, line))
    doors.ask(ForgetRequested(doors.clock(), NodeId(int(line.id, 16))))
    return answer({"forgetting": line.id, "name": line.name}, 202)


def _alive(view: View, line: RosterView) -> str:
    if line.id == view.node.id:
        return f"{line.name} is this node: to take it out of the rack, use rackgrid leave"
    return f"{line.name} is heard, so it is not off: take it out with rackgrid leave there"


def _tend(doors: Doors, load: str, what: str) -> Response:
    view = doors.source()
    if what not in {each.value for each in Tend}:
        return refuse(404, f"a load can be cleared, locked or unlocked, and not {what[:20]!r}")
    own = sorted(each.name for each in view.loads if each.node == view.node.name)
    if load not in own:
        has = ", ".join(own) or "none"
        return refuse(
            404, f"{view.node.name} has no load {load[:40]!r} (it has {has}): ask its node"
        )
    if not view.firmware:
        return refuse(409, f"the firmware of {view.node.name} does not answer: start it first")
    doors.ask(OutputRequested(doors.clock(), load, Tend(what)))
    return answer({"load": load, "asked": what}, 202)


def _handover(doors: Doors) -> Response:
    view = doors.source()
    if view.broker_id != view.node.id:
        who = f"{view.broker} is: ask there" if view.broker else "there is none now"
        return refuse(409, f"{view.node.name} is not the broker, {who}")
    if all(line.absent or line.id == view.node.id for line in view.roster):
        return refuse(409, "no other node of the roster is heard: there is nobody to hand over to")
    doors.ask(HandoverRequested(doors.clock()))
    return answer({"handing_over": True}, 202)


def _recover(doors: Doors) -> Response:
    view = doors.source()
    if view.broker_id:
        return refuse(409, f"nothing to recover: {view.broker} is the broker")
    if view.node.id not in {line.id for line in view.roster}:
        return refuse(
            409,
            f"{view.node.name} is on no roster, and waits to be admitted: recover on a node that is"
            " on one, or, if no node is, start all that are expected",
        )
    doors.ask(RecoverRequested(doors.clock()))
    return answer({"recovering": [line.name for line in view.roster if not line.absent]}, 202)


async def _feed(doors: Doors, request: Request) -> Response:
    try:
        async with asyncio.timeout(BODY_S):
            body = await _body(request)
    except TimeoutError:
        return refuse(408, f"the body did not come within {BODY_S:g} s; {EXAMPLE}")
    except ClientDisconnect:
        return refuse(400, f"the body ended early; {EXAMPLE}")
    if body is None:
        return refuse(413, f"a body of more than {BODY_MAX} bytes; {EXAMPLE}")
    capacity_w = _capacity_w(body)
    if isinstance(capacity_w, str):
        return refuse(400, f"body of POST /api/feed: {capacity_w}; {EXAMPLE}")
    # Rounded down, as the configuration's is: rounding never creates power.
    doors.ask(CapacityChanged(doors.clock(), int(capacity_w * 1000 + 1e-6)))
    return answer({"capacity_w": capacity_w}, 202)


async def _body(request: Request) -> bytes | None:
    """Read the body; None if it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            return None
    return body


def _capacity_w(body: bytes) -> float | str:
    """Take the capacity out of a body, or say what is wrong with it."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return "not JSON"
    if not is_table(value):
        return "not a JSON object"
    if unknown := sorted(value.keys() - {CAPACITY.name}):
        return complaint(f"unknown key {unknown[0][:40]!r}", "", CAPACITY.name)
    if CAPACITY.name not in value:
        return f"{CAPACITY.name} is missing: {CAPACITY.doc}, W"
    capacity_w = value[CAPACITY.name]
    if wrong := CAPACITY.objection(capacity_w):
        return f"{CAPACITY.name}: {wrong}"
    assert isinstance(capacity_w, int | float), "its objection has seen to that"
    return float(capacity_w)
