"""Uvicorn inside the daemon's own event loop.

Uvicorn expects to own its process: it takes the signals, configures logging and wakes ten times a
second to look at a flag. Here the daemon owns all three. The signals stay the daemon's (a SIGTERM
means *detach*, not *stop serving*), the log is the daemon's, and an idle server sleeps until it is
asked or closed. h11 on plain asyncio, without Uvicorn's extras: the API is asked a few times a
second by people and scripts, and every megabyte is a small board's.

A stranger who opens connections must not use up the daemon's file descriptors or memory: their
number is limited, and each has to bring a request within a few seconds.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from rackgrid.adapters.web.app import build_app
from rackgrid.adapters.web.doors import Doors
from rackgrid.adapters.web.events import HANG_UP
from rackgrid.adapters.web.host import Names, is_loopback
from rackgrid.adapters.web.token import Token, read_token
from rackgrid.config import WebConfig
from rackgrid.errors import TransportError

CONNECTIONS_MAX = 64
REQUEST_S = 5
"""A connection brings its next request within this, s, or is closed."""
CLOSE_S = 2
"""Answers under way when the server closes have this long, s."""
BUFFER_BYTES = 128 * 1024
"""What the kernel keeps of an answer that nobody reads."""
UNREAD_MS = 20_000
"""The kernel hangs up on whoever takes nothing for so long, ms (tcp(7), TCP_USER_TIMEOUT)."""
HEADERS_MAX = 16 * 1024
"""Longest request line and headers together, bytes."""


class WebServer:
    """A running API."""

    def __init__(self, server: _Server, task: asyncio.Task[None], address: tuple[str, int]) -> None:
        """Take over a server that has started; `serve` makes one."""
        self._server = server
        self._task = task
        self.host, self.port = address

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return not self._task.done()

    async def close(self) -> None:
        """Stop listening, let answers under way end (`CLOSE_S`), and close every connection."""
        self._server.closing.set()
        await self._task


async def serve(config: WebConfig, doors: Doors) -> WebServer:
    """Start the API in the running event loop.

    Args:
        config: where to listen; port 0 lets the kernel choose.
        doors: to the daemon; its view is drawn at most twenty times a second.

    Raises:
        ConfigError: the token cannot be used.
        TransportError: the address cannot be listened on; the daemon can do without.
    """
    token = None
    if config.token_file is not None:
        token = Token(read_token(config.token_file), time.monotonic)
    listener = await _listen(config)
    host, port = listener.getsockname()[:2]
    app = build_app(doors, Names(is_loopback(host), config.hosts), token)
    server = _Server(
        uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=REQUEST_S,
            timeout_graceful_shutdown=CLOSE_S,
            h11_max_incomplete_event_size=HEADERS_MAX,
        )
    )
    task = asyncio.create_task(server.serve([listener]), name="web")
    started = asyncio.create_task(server.listening.wait())
    await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    if task.done():
        listener.close()
        await task
    return WebServer(server, task, (host, port))


class _Server(uvicorn.Server):
    """Uvicorn without the parts that belong to the daemon."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.closing = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to the daemon."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        """Sleep until closed, where Uvicorn would wake ten times a second."""
        await self.on_tick(0)
        await self.closing.wait()


class _Connection(H11Protocol):
    """One of a limited number of connections, each with a deadline for its next request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept it, or hang up at once where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            transport.abort()
            return
        self._expect_request()
        # An answer that has no end (`events`) hangs up by itself on whoever does not read it.
        self.app_state = {**self.app_state, HANG_UP: transport.abort}
        line = transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget its deadline."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request: not for ever, should it come byte by byte.

        Nor for ever for the end of this one, whose body nobody has read: Uvicorn's own timer stops
        at each byte that arrives.
        """
        self._expect_request()
        super().on_response_complete()

    def _expect_request(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(REQUEST_S, self._hang_up_if_silent, self.cycle)

    def _hang_up_if_silent(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is last:
            self.transport.close()  # and not abort: an answer may still be on its way


async def _listen(config: WebConfig) -> socket.socket:
    """Bind and listen."""
    try:
        family, address = await _resolve(config)
        listener = socket.create_server(address, family=family, backlog=CONNECTIONS_MAX)
    except OSError as error:
        where = f"{config.host}:{config.port}"
        raise TransportError(f"the API cannot listen on {where}: {_advice(error)}") from error
    listener.setblocking(False)
    return listener


async def _resolve(config: WebConfig) -> tuple[int, tuple[str, int]]:
    """Find the address: at once if it is written as one, else without blocking the loop."""
    asked = (config.host, config.port)
    try:
        found = socket.getaddrinfo(*asked, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*asked, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), config.port)


def _advice(error: OSError) -> str:
    """Say in one line what is wrong and what to do next."""
    match error:
        case socket.gaierror():
            return "no such host: set [web] host to an address of this node, such as 127.0.0.1"
        case PermissionError():
            return "not permitted: set [web] port to 1024 or above"
        case _ if error.errno == errno.EADDRINUSE:
            return "the port is in use: stop what holds it (ss -ltnp), or set another [web] port"
        case _ if error.errno == errno.EADDRNOTAVAIL:
            return "not an address of this node: set [web] host to one of them (ip address)"
        case _:
            return f"{error.strerror or error}"
