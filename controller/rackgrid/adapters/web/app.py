"""The routes of the API.

Everything here runs in the control loop's own thread, so nothing here may wait: no file, no lock,
no look-up. A handler takes a value and writes it; the one thing that costs time, rendering a large
rack, is done at most twenty times a second however many ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rackgrid.adapters.view_json import encode, rack_state
from rackgrid.adapters.web import events, metrics, operator, why
from rackgrid.adapters.web.answer import answer, refuse
from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.gate import Gate
from rackgrid.adapters.web.host import Names
from rackgrid.adapters.web.token import Token
from rackgrid.core.view import View

RENDERED_FOR_NS = 50_000_000
"""An answer is used again for this long, ns: a tenth of a round."""

INDEX = """\
rackgrid

GET  /api/state         the rack as this node sees it (JSON)
GET  /api/ledger        what each load of this node has drawn, and what that cost (JSON)
GET  /api/why/LOAD      why a load is as it is, and what was before: ?last=N (JSON)
GET  /api/events        what happens from now on, as it happens; ?last=N: and what did (SSE)
GET  /metrics           this node's numbers (Prometheus)
GET  /api/keys          with which key, by number, each node sealed its last word (JSON)
GET  /healthz           200 while this node does its work, else 503 and why (JSON)

With the node's token (Authorization: Bearer TOKEN); where it has none, from this machine only:

POST /api/leave         take this node out of the rack
POST /api/forget/NODE   release the floor of a silent node that is off for good (name or id)
POST /api/nodes/NODE    what a node may be, told to the broker: {"priority": 1, "floor_max_w": 9.0}
POST /api/expel/NODE    put a node out that is not to be trusted any more, told to the broker
POST /api/handover      let another node be the broker
POST /api/recover       form the roster anew of the nodes that are heard: all others must be off
POST /api/feed          say what the feed gives from now on: {"capacity_w": 40.0}
POST /api/loads/LOAD/clear, /lock, /unlock   what only a person may decide about a load
"""


class Rendering:
    """The state's JSON, made when it is asked for and kept for a moment."""

    def __init__(
        self, source: Callable[[], View], clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Take views from `source`; `clock` is monotonic, ns."""
        self._source = source
        self._clock = clock
        self._body = b""
        self._made_ns: int | None = None

    def body(self) -> bytes:
        """Give the JSON of a view that is at most `RENDERED_FOR_NS` old."""
        now = self._clock()
        if self._made_ns is None or now - self._made_ns >= RENDERED_FOR_NS:
            self._body = encode(rack_state(self._source()))
            self._made_ns = now
        return self._body


def build_app(doors: Doors, names: Names, token: Token | None = None) -> ASGIApp:
    """Build the application.

    Args:
        doors: to the daemon.
        names: under which the API may be asked.
        token: what a change must carry; without one only this machine may change anything.
    """
    rendering = Rendering(doors.source)

    async def index(_request: Request) -> Response:
        return PlainTextResponse(INDEX)

    async def state(_request: Request) -> Response:
        return Response(rendering.body(), media_type="application/json")

    async def ledger(_request: Request) -> Response:
        return answer({"accounts": doors.accounts()})

    async def keys(_request: Request) -> Response:
        return answer({"sealed_with": doors.sealed_with()})

    async def healthz(_request: Request) -> Response:
        healthy, reason = doors.health()
        return answer({"healthy": healthy, "reason": reason}, 200 if healthy else 503)

    async def leaving(_request: Request) -> Response:
        doors.leave()
        return answer({"leaving": True}, 202)

    routes = [
        Route("/", index),
        Route("/api/state", state),
        Route("/api/ledger", ledger),
        Route("/api/keys", keys),
        Route("/healthz", healthz),
        Route("/api/leave", leaving, methods=["POST"]),
        *events.routes(doors),
        *metrics.routes(doors),
        *why.routes(doors),
        *operator.routes(doors),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused, Exception: _failed})
    # Around the whole application, so that the answer to a bug has its headers too.
    return Gate(app, names, token)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = {
        404: "no such page: GET / lists them",
        405: "not this method here: GET / lists them",
    }.get(error.status_code, error.detail)
    return refuse(error.status_code, reason, dict(error.headers or {}))


async def _failed(_request: Request, _error: Exception) -> Response:
    """Answer for a bug of ours; Starlette raises it on, and Uvicorn logs it."""
    return refuse(500, "this is a bug of rackgrid: its log says more")
