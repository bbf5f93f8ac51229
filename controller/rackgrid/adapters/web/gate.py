"""Who may ask what: the checks and headers that stand before every answer.

A browser on the same machine is a stranger's tool: any page that it shows may make it send requests
to 127.0.0.1. Four things stop that. A request must name a host that is ours (`host`). A request
that changes something must not come from another origin. It must carry the token where there is one
(`token`), which no page can know. And no CORS header is ever sent, so that no page of another
origin can read an answer.

Without a token only a loopback API can be told anything, and only by a program of this machine: a
request that says of itself that it came through a proxy is refused, since it may be anybody's.

Sources: RFC 9110 section 7.4 (421 Misdirected Request), 11.6.1 (WWW-Authenticate); Fetch, "Origin"
and "Sec-Fetch-Site"; RFC 7239 (Forwarded).
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rackgrid.adapters.web.answer import refuse
from rackgrid.adapters.web.host import Names
from rackgrid.adapters.web.token import WINDOW_S, Claim, Token

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
_CHALLENGE = {"www-authenticate": 'Bearer realm="rackgrid"'}
_HOW = "rackgrid's commands take it from [web] token_file, or with --token-file FILE"


def is_cross_origin(headers: Headers) -> bool:
    """Say whether a browser sent this on behalf of another origin.

    A program that is not a browser sends neither header. The page of an API behind a reverse proxy
    came over https, which only the proxy knows: so either scheme will do, the host must be ours.
    """
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin, host = headers.get("origin"), headers.get("host", "")
    return origin is not None and origin not in (f"http://{host}", f"https://{host}")


class Gate:
    """Stands around the application and applies it all."""

    def __init__(self, app: ASGIApp, names: Names, token: Token | None) -> None:
        """Stand before `app`.

        Args:
            app: what answers if the request may pass.
            names: under which the API may be asked.
            token: what a change must carry; None: only a program of this machine may change things.
        """
        self._app = app
        self._names = names
        self._token = token

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
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._names.has(hosts[0]):
            where = "localhost, 127.0.0.1 and [::1]" if self._names.loopback else "its address"
            return refuse(421, f"this API answers to {where}, and to the names in [web] hosts")
        if scope["method"] in ("GET", "HEAD"):
            return None
        if is_cross_origin(headers):
            return refuse(403, "a page of another origin may not change anything here")
        if self._token is not None:
            return _unless_good(self._token, headers, scope)
        if not self._names.loopback:
            return refuse(403, "read-only: give this node a token ([web] token_file), or ask on it")
        if any(name in headers for name in _FORWARDED):
            return refuse(
                403, "read-only through a proxy: give this node a token, [web] token_file"
            )
        return None


def _unless_good(token: Token, headers: Headers, scope: Scope) -> Response | None:
    """Refuse a request that does not carry the token."""
    client = scope.get("client")
    match token.judge(headers.get("authorization"), client[0] if client else "somewhere"):
        case Claim.GOOD:
            return None
        case Claim.MISSING:
            return refuse(401, f"this needs the node's token: {_HOW}", _CHALLENGE)
        case Claim.WRONG:
            return refuse(401, f"this is not the node's token: {_HOW}", _CHALLENGE)
        case Claim.TOO_OFTEN:
            wait = {**_CHALLENGE, "retry-after": str(WINDOW_S)}
            return refuse(429, f"not the node's token, and too many were tried: {_HOW}", wait)
