"""Plugs as their makers build them, over real HTTP on loopback: a relay, its own timer, its RPC.

They outlive whoever commands them, as plugs do: a test that kills a controller looks here for what
became of the load. Each keeps the moments at which its relay changed, timers included.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
import time
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Relay:
    """A contact with a timer that opens it, and a record of when it was closed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.spans: list[tuple[float, float]] = []
        self.timer_works = True
        self._on_at: float | None = None
        self._off_at: float | None = None

    def switch(self, on: bool, span_s: float | None = None) -> None:
        with self.lock:
            was_on, now = self.is_on, time.monotonic()
            if on:
                if not was_on:
                    self._on_at = now
                self._off_at = now + span_s if span_s and self.timer_works else None
            elif was_on and self._on_at is not None:
                self.spans.append((self._on_at, now))
                self._on_at = self._off_at = None

    @property
    def is_on(self) -> bool:
        with self.lock:
            if self._on_at is None:
                return False
            if self._off_at is not None and time.monotonic() >= self._off_at:
                self.spans.append((self._on_at, self._off_at))
                self._on_at = self._off_at = None
                return False
            return True

    @property
    def left_s(self) -> float | None:
        with self.lock:
            if not self.is_on or self._off_at is None:
                return None
            return self._off_at - time.monotonic()


class Server(ThreadingHTTPServer):
    """It takes no notice of whoever gives up while it answers."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Device(ABC):
    """A plug that serves HTTP; `asked` lists what it was asked, in order."""

    def __init__(self) -> None:
        self.relay = Relay()
        self.asked: list[str] = []
        self.watts = 40.0
        self.password = ""
        self.is_deaf = False
        self.answer_after_s = 0.0
        self.acts_deaf = False
        self._ended = threading.Event()
        device = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                device._serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @abstractmethod
    def answer(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        """What it says to a request: a status and a body."""

    def admits(self, handler: BaseHTTPRequestHandler) -> bool:
        return True

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.asked.append(unquote(handler.path))
        if self.is_deaf:
            self._ended.wait(5)
            return
        if not self.admits(handler):
            return
        self._ended.wait(self.answer_after_s)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        status, body = self.answer(parts.path, query)
        if self.acts_deaf:
            return  # it did as it was told, and the answer got lost
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)


class ShellyDevice(Device):
    """The switch of a Shelly, as its second generation speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, object] = {"id": 0, "initial_state": "off", "auto_on": False}
        self.knows_time = True
        self._set_at = 0.0
        self._span = 0.0

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        params = {key: json.loads(value) for key, value in query.items()}
        method = path.removeprefix("/rpc/")
        return (200, self.call(method, params)) if path.startswith("/rpc/") else (404, {})

    def call(self, method: str, params: dict[str, object]) -> dict[str, object]:
        match method:
            case "Switch.GetConfig":
                return self.config
            case "Switch.Set":
                was_on, span = self.relay.is_on, params.get("toggle_after")
                assert span is None or isinstance(span, int), "seconds, whole"
                self._set_at, self._span = time.time(), float(span or 0)
                self.relay.switch(params["on"] is True, span)
                return {"was_on": was_on}
            case "Shelly.GetStatus":
                return {
                    "sys": {"unixtime": int(time.time()) if self.knows_time else None},
                    "switch:0": self._status(),
                }
            case _:
                return {"code": 404, "message": f"No handler for {method}"}

    def _status(self) -> dict[str, object]:
        is_on = self.relay.is_on
        status: dict[str, object] = {"id": 0, "output": is_on, "voltage": 230.0}
        status["apower"] = self.watts if is_on else 0.0
        if self.relay.left_s is not None:
            status |= {"timer_started_at": self._set_at, "timer_duration": self._span}
        return status

    def admits(self, handler: BaseHTTPRequestHandler) -> bool:
        """Check a digest, RFC 7616."""
        given = handler.headers.get("Authorization", "")
        if not self.password:
            return True
        pairs: dict[str, str] = dict(re.findall(r'(\w+)="?([^",\s]*)', given))

        def sha(text: str) -> str:
            return hashlib.sha256(text.encode()).hexdigest()

        if pairs.get("nonce") == "abc":
            ha1, ha2 = sha(f"admin:shelly:{self.password}"), sha(f"GET:{handler.path}")
            due = sha(f"{ha1}:abc:{pairs['nc']}:{pairs['cnonce']}:auth:{ha2}")
            if pairs["response"] == due and pairs["uri"] == handler.path:
                return True
        handler.send_response(401)
        challenge = 'Digest qop="auth", realm="shelly", nonce="abc", algorithm=SHA-256'
        handler.send_header("WWW-Authenticate", challenge)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return False


class TasmotaDevice(Device):
    """A relay of a Tasmota, by its commands; `flash_writes` counts what wears it."""

    def __init__(self) -> None:
        super().__init__()
        self.power_on_state = 0
        self.pulse = 0
        self.flash_writes = 0
        self.has_meter = True

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        if path != "/cm":
            return 404, {}
        if self.password and query.get("password") != self.password:
            return 200, {"WARNING": "Need user=<username>&password=<password>"}
        return 200, self.command(query["cmnd"])

    def command(self, text: str) -> dict[str, object]:
        name, _, value = text.partition(" ")
        match name:
            case "PowerOnState":
                return {"PowerOnState": self.power_on_state}
            case "Power1":
                if value:
                    self.relay.switch(value == "ON", self._span_s())
                return {"POWER": "ON" if self.relay.is_on else "OFF"}
            case "PulseTime1":
                if value:
                    self.flash_writes += self.pulse != int(value)
                    self.pulse = int(value)
                    if self.relay.is_on:
                        self.relay.switch(True, self._span_s())
                left_s = self.relay.left_s
                rest = 0 if left_s is None else int(left_s * 10)
                return {"PulseTime1": {"Set": self.pulse, "Remaining": rest}}
            case "Status":
                energy = {"Power": self.watts if self.relay.is_on else 0, "Voltage": 230}
                return {"StatusSNS": {"ENERGY": energy} if self.has_meter else {}}
            case _:
                return {"Command": "Unknown"}

    def _span_s(self) -> float | None:
        assert self.pulse <= 111, "the scale of seconds is not used"
        return self.pulse / 10 or None


class TopicDevice(Device):
    """A plug of some maker, by its topics alone: JSON, and a word that has it on for so long."""

    def __init__(self) -> None:
        super().__init__()
        self.has_timer = True

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        return 404, {}

    def hear(self, topic: str, text: str) -> list[tuple[str, str]]:
        """Do as it is told, and say how it is then."""
        if topic == "attic/plug-1/set":
            word: dict[str, object] = json.loads(text)
            span = word.get("on_time") if self.has_timer else None
            assert span is None or isinstance(span, int), "seconds, whole"
            self.relay.switch(word["state"] == "ON", span)
        return [("attic/plug-1", self.state())]

    def state(self) -> str:
        is_on = self.relay.is_on
        said = {"state": "ON" if is_on else "OFF", "meter": {"w": self.watts if is_on else 0}}
        return json.dumps(said)
