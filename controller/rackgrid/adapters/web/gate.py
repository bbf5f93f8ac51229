"""Who may ask what: the checks and headers that stand before every answer.

A browser on the same machine is a stranger's tool: any page that it shows may make it send requests
to 127.0.0.1. Three things stop that. A request to a loopback API must name a loopback host, so that
a name which a stranger's DNS suddenly points to 127.0.0.1 is refused (rebinding). A request that
changes something must not come from another origin. And no CORS header is ever sent, so that no
page of another origin can read an answer.

Sources: RFC 9110 section 7.4 (421 Misdirected Request); Fetch, "Origin" and "Sec-Fetch-Site".
"""

from __future__ import annotations

from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rackgrid.adapters.web.answer import refuse

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def is_loopback(host: str) -> bool:
    """Say whether a host, as an address or as a name, is this machine and cannot be another."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(authority: str) -> str:
    """Take the port and the brackets off a Host header's value."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def is_cross_origin(headers: Headers) -> bool:
    """Say whether a browser sent this on behalf of another origin.

    A program that is not a browser sends neither header, and is judged by where it connects from.
    """
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin != f"http://{headers.get('host', '')}"


class Gate:
    """Stands around the application and applies it all."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        """Stand before `app`.

        Args:
            app: what answers if the request may pass.
            loopback: whether the API listens on a loopback address.
        """
        self._app = app
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on; either way with the security headers."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._loopback and not is_loopback(host_name(headers.get("host", ""))):
            return refuse(421, "this API answers to localhost, 127.0.0.1 and [::1] only")
        if scope["method"] in ("GET", "HEAD"):
            return None
        if not self._loopback:
            return refuse(403, "read-only: ask on the node itself, with the API on 127.0.0.1")
        if is_cross_origin(headers):
            return refuse(403, "a page of another origin may not change anything here")
        return None
