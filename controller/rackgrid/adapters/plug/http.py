"""HTTP to a plug in the LAN: one request, one connection, and a bound on how late it can arrive.

A word that switches a load on must not come late. TCP delivers whatever was written, however long
that takes, and goes on when the writer is dead. So:

- a connection is made first, which shows that the plug hears; only then is the word made and
  written, in one piece;
- the kernel drops the connection if the word is not acknowledged within `USER_TIMEOUT_MS`
  (TCP_USER_TIMEOUT), also while this process stands still;
- the socket does not linger: when it is closed, by us or by our end, what was not sent is dropped.

The rest, how long a network may hold a packet back and a plug may take to act on it, is an
assumption, `Timer.deliver_ns`; an answer that comes later than that shows where it does not hold.

asyncio's streams carry it and h11 (already here below the web server) reads it: no thread waits,
and a request is given up by cancelling it.

Sources: tcp(7), socket(7); RFC 9110, RFC 7616 (digest; a Shelly has SHA-256 and the user "admin").
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import socket
import struct
from collections.abc import Callable

import h11

from rackgrid.adapters.plug.talk import Told, read_object
from rackgrid.errors import TransportError

USER_TIMEOUT_MS = 500
CONNECT_S = 1.0
ANSWER_S = 1.0
"""From the word to the whole answer, s."""
BODY_MAX = 65536
"""A longer answer is none, bytes."""
_REFUSED = 401


class HttpTalk:
    """The way to one plug; a word is a path with its query.

    Args:
        address: "host" or "host:port".
        clock: CLOCK_MONOTONIC in ns.
        user, password: for digest authentication, if the plug asks for it.
    """

    def __init__(
        self, address: str, clock: Callable[[], int], user: str = "", password: str = ""
    ) -> None:
        host, _, port = address.partition(":")
        self._host, self._port = host, int(port or 80)
        self._clock = clock
        self._user, self._password = user, password
        self._challenge: dict[str, str] = {}
        self._count = 0

    @property
    def who(self) -> str:
        """The plug, in messages."""
        return f"{self._host}:{self._port}"

    async def ask(self, word: Callable[[int], str | None]) -> Told | None:
        """GET what the word says; again, if the plug wants to know who asks."""
        for _ in range(2):
            found = await self._exchange(word)
            if found is None:
                return None
            status, challenge, told = found
            if status != _REFUSED:
                break
            self._take_challenge(challenge)
        else:
            raise TransportError(f"{self.who} refuses the password; correct password_file")
        written_ns, answered_ns, body = told
        if status != 200:
            raise TransportError(f"{self.who} answers {status}: {body[:80].decode('latin-1')!r}")
        return Told(written_ns, answered_ns, read_object(body, self.who))

    async def _exchange(
        self, word: Callable[[int], str | None]
    ) -> tuple[int, str, tuple[int, int, bytes]] | None:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
            _bound(writer.get_extra_info("socket"))
            written_ns = self._clock()
            path = word(written_ns)
            if path is None:
                return None
            wire = h11.Connection(h11.CLIENT)
            async with asyncio.timeout(ANSWER_S):
                writer.write(self._request(wire, path))
                status, challenge, body = await self._response(wire, reader)
            return status, challenge, (written_ns, self._clock(), body)
        except TimeoutError:
            raise TransportError(f"{self.who} does not answer") from None
        except OSError as fault:
            raise TransportError(f"{self.who} cannot be reached: {fault}") from fault
        except h11.ProtocolError as fault:
            raise TransportError(f"{self.who} does not speak HTTP: {fault}") from fault
        finally:
            if writer is not None:
                writer.transport.abort()

    def _request(self, wire: h11.Connection, path: str) -> bytes:
        headers = [("Host", self._host), ("Connection", "close"), ("Accept", "application/json")]
        if self._challenge:
            headers.append(("Authorization", self._authorization(path)))
        head = wire.send(h11.Request(method="GET", target=path, headers=headers))
        return (head or b"") + (wire.send(h11.EndOfMessage()) or b"")

    async def _response(
        self, wire: h11.Connection, reader: asyncio.StreamReader
    ) -> tuple[int, str, bytes]:
        status, challenge, body = 0, "", b""
        while True:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                wire.receive_data(await reader.read(4096))
            elif isinstance(event, h11.Response):
                status = event.status_code
                found = [v for k, v in event.headers if k == b"www-authenticate"]
                challenge = found[0].decode("latin-1") if found else ""
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > BODY_MAX:
                    raise TransportError(f"{self.who} answers more than {BODY_MAX} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return status, challenge, body
            elif not isinstance(event, h11.InformationalResponse):
                raise TransportError(f"{self.who} hangs up")

    def _take_challenge(self, header: str) -> None:
        if not self._password:
            raise TransportError(f"{self.who} asks for a password; give it a password_file")
        pairs = re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)
        self._challenge = {name.lower(): quoted or plain for name, quoted, plain in pairs}
        self._count = 0
        if not header.lower().startswith("digest") or "nonce" not in self._challenge:
            raise TransportError(f"{self.who} asks for another proof than digest: {header[:60]!r}")

    def _authorization(self, path: str) -> str:
        """Answer the challenge (RFC 7616, section 3.4)."""
        asked = self._challenge
        self._count += 1
        count, own = f"{self._count:08x}", secrets.token_hex(8)
        is_sha = asked.get("algorithm", "MD5").upper() == "SHA-256"

        def digest(text: str) -> str:
            raw = text.encode()
            return (hashlib.sha256(raw) if is_sha else hashlib.md5(raw)).hexdigest()  # noqa: S324

        realm, nonce = asked.get("realm", ""), asked["nonce"]
        secret = digest(f"{self._user}:{realm}:{self._password}")
        proof = digest(f"{secret}:{nonce}:{count}:{own}:auth:{digest(f'GET:{path}')}")
        return (
            f'Digest username="{self._user}", realm="{realm}", nonce="{nonce}", uri="{path}", '
            f"algorithm={'SHA-256' if is_sha else 'MD5'}, qop=auth, nc={count}, "
            f'cnonce="{own}", response="{proof}"'
        )


def _bound(connection: socket.socket) -> None:
    """See to it that what is written arrives soon or never."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
