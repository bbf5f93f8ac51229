"""What the firmware says about itself to systemd.

The protocol of systemd is one datagram of `KEY=value` lines to the socket that `$NOTIFY_SOCKET`
names; the libraries for it are unmaintained or need a compiler. A send never blocks and never
raises: outputs are not given up because nobody listens.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """The way to systemd; without one every call does nothing.

    Args:
        environ: where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            )
        self.watchdog_ns = _watchdog_ns(environ) if address else None
        """Systemd wants to hear `ping` at least this often, ns; None if it does not."""

    def ready(self, status: str) -> None:
        """Say that the firmware serves."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(f"STATUS={status}")

    def ping(self) -> None:
        """Say that the loop which keeps the deadlines turns; called from there only."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the firmware ends."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(text.encode(), self._address)


def _watchdog_ns(environ: Mapping[str, str]) -> int | None:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        interval_us = int(environ.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return interval_us * 1000 if interval_us > 0 else None
