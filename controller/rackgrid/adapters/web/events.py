"""`GET /api/events`: what happens at this node, as it happens, as Server-Sent Events.

A listener that was cut off comes back with the id of the last event that it has seen, and goes on
from there as far as the chronicle remembers; what it has lost is counted in an event `lost`. One
that takes nothing for `SLOW_S` is hung up on: it comes back, or it is dead. The loop never waits.

Source: HTML Living Standard, 9.2 "Server-sent events".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from rackgrid.adapters.chronicle import EVENTS_MAX, LISTENERS_MAX, Chronicle, Listener, Told
from rackgrid.adapters.view_json import encode
from rackgrid.adapters.web.answer import refuse
from rackgrid.adapters.web.doors import Doors

KEEP_ALIVE_S: Final = 15.0
"""Something is sent at least so often, s: whatever stands between forgets silent connections."""
SLOW_S: Final = 10.0
"""A listener takes what it is sent within this, s."""
BATCH_MAX: Final = 50
"""Events sent at once."""
RETRY_MS: Final = 2000
"""A listener that was cut off waits so long before it comes back, ms."""
HANG_UP: Final = "hang_up"
"""Key of the connection's state: a function that ends it without a word."""

_log = logging.getLogger("rackgrid.web")


def routes(doors: Doors) -> list[Route]:
    """Make the route."""

    async def events(request: Request) -> Response:
        chronicle = doors.chronicle
        if chronicle is None:
            return refuse(404, "this node keeps no events")
        number = _start(request, chronicle)
        if number is None:
            return refuse(400, f"last: a number of past events, 0 to {EVENTS_MAX}")
        listener = chronicle.listen(number)
        if listener is None:
            full = f"{LISTENERS_MAX} listen already: end one, or come back"
            return refuse(503, full, {"retry-after": "10"})
        return EventStream(listener, chronicle.boot)

    return [Route("/api/events", events)]


def _start(request: Request, chronicle: Chronicle) -> int | None:
    """Say behind which event a listener begins; None if it asks for nonsense."""
    if (seen := request.headers.get("last-event-id")) is not None:
        boot, _, number = seen.partition(".")
        # Of another run of this node, nothing that is remembered has been seen.
        is_ours = boot == chronicle.boot and number.isascii() and number.isdigit()
        return min(int(number[:18]), chronicle.newest) if is_ours else 0
    last = request.query_params.get("last", "0")
    if not (last.isascii() and last.isdigit() and len(last) <= 4 and int(last) <= EVENTS_MAX):
        return None
    return max(0, chronicle.newest - int(last))


class EventStream(Response):
    """An answer that goes on until either side ends it."""

    media_type = "text/event-stream"

    def __init__(self, listener: Listener, boot: str) -> None:
        """Send what the listener takes."""
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._listener = listener
        self._boot = boot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the listener has gone, or is too slow, or the node ends."""
        gone = asyncio.create_task(self._watch(receive), name="a listener's end")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                await self._follow(send)
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            _log.warning(
                "a listener of /api/events took nothing for %g s: hung up, %d events not taken",
                SLOW_S,
                self._listener.behind,
            )
            hang_up = cast("Callable[[], None]", scope["state"][HANG_UP])
            hang_up()
            await gone
        finally:
            gone.cancel()
            self._listener.leave()

    async def _follow(self, send: Send) -> None:
        text = b"retry: %d\n\n" % RETRY_MS
        while True:
            async with asyncio.timeout(SLOW_S):
                await send({"type": "http.response.body", "body": text, "more_body": True})
            if not (self._listener.behind or self._listener.ended):
                try:
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        await self._listener.wait()
                except TimeoutError:
                    text = b": alive\n\n"
                    continue
            lost, batch = self._listener.take(BATCH_MAX)
            if self._listener.ended and not batch:
                return
            text = (_lost(lost) if lost else b"") + b"".join(self._event(told) for told in batch)

    async def _watch(self, receive: Receive) -> None:
        """Wait for the other side to go: an idle listener would keep its place else."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._listener.end()

    def _event(self, told: Told) -> bytes:
        head = f"id: {self._boot}.{told.number}\nevent: {told.kind}\ndata: "
        return head.encode() + told.data + b"\n\n"


def _lost(count: int) -> bytes:
    return b"event: lost\ndata: " + encode({"lost": count}) + b"\n\n"
