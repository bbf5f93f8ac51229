"""A daemon's API to ask: a real server on loopback that answers what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from rackgrid.adapters.view_json import rack_state
from rackgrid.core.view import (
    FeedView,
    LoadView,
    MemberView,
    NodeView,
    PriceView,
    RosterView,
    SourceView,
    View,
)

VIEW = View(
    rack="demo",
    node=NodeView("00000000000000aa", "pi-1", 100),
    role="member",
    term=7,
    broker="pi-2",
    broker_id="00000000000000bb",
    authority=False,
    rack_id="00000000000000cc",
    roster_version=5,
    roster=(RosterView("00000000000000aa", "pi-1", 100, 12.0, 1, False, False),),
    members=(
        MemberView("00000000000000aa", "pi-1", "member", 100, 11.5, 12.0, 0, 8470, 0.0),
        MemberView("00000000000000bb", "pi-2", "broker", 120, 9.0, 12.0, 130, 8470, None),
    ),
    price=PriceView(0.42, "EUR", 7, 31, 1.5, True),
    feed=FeedView(60.0, 20.5, 6.0, 24.0),
    loads=(
        LoadView("server", "pi-1", "required", True, 6.5, None, 0.0, "required: always on", None),
        LoadView("fan", "pi-1", "flexible", False, 0.0, 0.4, 0.0, "price 0.420 above worth", None),
        LoadView("pump", "pi-2", "flexible", True, 5.0, 2.0, 6.0, "worth it", "welded"),
    ),
    meters=(),
    firmware=True,
    rejected={},
    sources=(
        SourceView("grid", "pi-1", 0.3, 60.0),
        SourceView("pack", "pi-1", -0.02, 30.0, 0.756),
    ),
)


def state_of(view: View) -> bytes:
    """What a daemon with this view answers."""
    return json.dumps(rack_state(view)).encode()


@dataclass
class Daemon:
    """What answers, and what it was asked."""

    api: str = ""
    status: int = 200
    body: bytes = field(default_factory=lambda: state_of(VIEW))
    asked: list[str] = field(default_factory=list)
    moved_to: str = ""
    """Where it says that it has gone, with a status of 300 to 399."""
    sent: list[bytes] = field(default_factory=list)
    """The bodies that came with it, where there were any."""
    tokens: list[str | None] = field(default_factory=list)
    """The Authorization of each request."""
    first: list[tuple[int, bytes]] = field(default_factory=list)
    """Answers that are given once each, before the one that stays."""


@contextmanager
def answering(daemon: Daemon) -> Generator[Daemon]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            daemon.asked.append(f"{self.command} {self.path}")
            daemon.tokens.append(self.headers.get("authorization"))
            if size := int(self.headers.get("content-length") or 0):
                daemon.sent.append(self.rfile.read(size))
            status, body = daemon.first.pop(0) if daemon.first else (daemon.status, daemon.body)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", daemon.moved_to)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = answer  # noqa: N815 (theirs)
        do_POST = answer  # noqa: N815 (theirs)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (theirs)
            """Say nothing: a test's output is its verdict."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        daemon.api = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield daemon
        finally:
            server.shutdown()
            thread.join()
