"""What an operator may ask of this node over HTTP: forget, allow, hand over, recover, a capacity.

A wish that cannot be fulfilled is refused where the view tells so at once, and the reason says what
to do. Else it is accepted (202) and its outcome shows in `/api/state`: what the rack agrees on
takes the word of others, and no answer waits for that.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rackgrid.adapters.web.answer import answer, refuse
from rackgrid.adapters.web.body import read_values
from rackgrid.adapters.web.doors import Doors
from rackgrid.core.event import (
    AllowRequested,
    CapacityChanged,
    ExpelRequested,
    ForgetRequested,
    HandoverRequested,
    OutputRequested,
    RecoverRequested,
    Tend,
)
from rackgrid.core.view import RosterView, View
from rackgrid.identity import NodeId
from rackgrid_firmware.key import Key, Kind

CAPACITY = Key(
    "capacity_w", Kind.NUMBER, "what the feed gives from now on", unit="W", low=0.001, high=1e6
)
EXAMPLE = 'send {"capacity_w": 40.0}'
PRIORITY = Key("priority", Kind.INTEGER, "its rank in elections", high=65535)
FLOOR_MAX = Key("floor_max_w", Kind.NUMBER, "the most that its floor may be", unit="W", high=1e6)
ALLOW_EXAMPLE = 'send {"priority": 100}, {"floor_max_w": 12.0}, or both'


def routes(doors: Doors) -> list[Route]:
    """Make the routes; who may ask is the gate's matter."""

    def posted(path: str, act: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, act, methods=["POST"])

    async def forget(request: Request) -> Response:
        return _forget(doors, str(request.path_params["node"]))

    async def allow(request: Request) -> Response:
        return await _allow(doors, str(request.path_params["node"]), request)

    async def expel(request: Request) -> Response:
        return _expel(doors, str(request.path_params["node"]))

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
        posted("/api/nodes/{node}", allow),
        posted("/api/expel/{node}", expel),
        posted("/api/handover", handover),
        posted("/api/recover", recover),
        posted("/api/feed", feed),
    ]


def _forget(doors: Doors, who: str) -> Response:
    view = doors.source()
    line = _line(view, who)
    if isinstance(line, Response):
        return line
    if line is None:
        return refuse(404, f"no node {who} is on the roster; it has {_names(view)}")
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
    values = await read_values(request, (CAPACITY,), EXAMPLE)
    if isinstance(values, Response):
        return values
    if CAPACITY.name not in values:
        said = f"{CAPACITY.name} is missing: {CAPACITY.doc}, W; {EXAMPLE}"
        return refuse(400, f"body of POST /api/feed: {said}")
    capacity_w = values[CAPACITY.name]
    assert isinstance(capacity_w, int | float), "its objection has seen to that"
    # Rounded down, as the configuration's is: rounding never creates power.
    doors.ask(CapacityChanged(doors.clock(), int(capacity_w * 1000 + 1e-6)))
    return answer({"capacity_w": float(capacity_w)}, 202)


async def _allow(doors: Doors, who: str, request: Request) -> Response:
    values = await read_values(request, (PRIORITY, FLOOR_MAX), ALLOW_EXAMPLE)
    if isinstance(values, Response):
        return values
    if not values:
        return refuse(400, f"nothing to change; {ALLOW_EXAMPLE}")
    view = doors.source()
    if elsewhere := _elsewhere(view):
        return refuse(409, elsewhere)
    line = _line(view, who)
    if isinstance(line, Response):
        return line
    priority, floor_max_w = values.get(PRIORITY.name), values.get(FLOOR_MAX.name)
    floor_max_mw = None
    if isinstance(floor_max_w, int | float):
        floor_max_mw = int(floor_max_w * 1000 + 1e-6)
        if line is not None and floor_max_mw < int(line.floor_w * 1000 + 1e-6):
            reserved = f"{line.name} has {line.floor_w:g} W reserved"
            return refuse(409, f"{reserved}: lower its required loads first, or take it out")
    node = NodeId(int(line.id if line else who, 16))
    wish = priority if isinstance(priority, int) else None
    doors.ask(AllowRequested(doors.clock(), node, wish, floor_max_mw))
    name = line.name if line else ""
    return answer({"node": f"{node:016x}", "name": name, "waits": line is None}, 202)


def _expel(doors: Doors, who: str) -> Response:
    view = doors.source()
    if elsewhere := _elsewhere(view):
        return refuse(409, elsewhere)
    line = _line(view, who)
    if isinstance(line, Response):
        return line
    if line is None:
        return refuse(404, f"no node {who} is on the roster; it has {_names(view)}")
    if line.id == view.node.id:
        return refuse(
            409, f"{line.name} is the broker: cut it off, and expel it where the next one leads"
        )
    doors.ask(ExpelRequested(doors.clock(), NodeId(int(line.id, 16))))
    return answer({"expelling": line.id, "name": line.name, "floor_w": line.floor_w}, 202)


def _elsewhere(view: View) -> str:
    """Say where to ask instead, if this node is not the broker."""
    if view.broker_id == view.node.id:
        return ""
    at = f"{view.broker} is: ask there" if view.broker else "there is none now"
    return f"only the broker changes a node's line, and {at}"


def _line(view: View, who: str) -> RosterView | Response | None:
    """Find a node by its name or id; None for the id of one that is still to come."""
    lines = [line for line in view.roster if who in (line.name, line.id)]
    if len(lines) > 1:
        ids = ", ".join(line.id for line in lines)
        return refuse(409, f"several nodes are called {who}: ask by id, one of {ids}")
    if lines:
        return lines[0]
    if re.fullmatch("[0-9a-f]{16}", who):
        return None
    return refuse(
        404,
        f"no node {who[:40]!r} is on the roster; it has {_names(view)}; of one that is still to"
        " come, give the id, 16 hexadecimal digits, as its log says it",
    )


def _names(view: View) -> str:
    return ", ".join(line.name for line in view.roster) or "nobody"
