"""Tells systemd how the daemon is, and finds the secrets that systemd passes.

The protocol is one datagram of `KEY=value` lines to the socket that `$NOTIFY_SOCKET` names: small
enough to write here, and the libraries for it are either unmaintained or need a compiler. A send
never blocks and never raises: a daemon does not fail because nobody listens to it. Outside systemd
everything here does nothing.

Source: sd_notify(3), sd_watchdog_enabled(3), systemd.exec(5) "Credentials".
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

STATUS_MAX = 200
"""Longest status line, characters: `systemctl status` shows one line."""


class Notifier:
    """The daemon's voice towards systemd."""

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        """Remember where to send.

        Args:
            address: of the socket; "@" first means the abstract namespace; "" for no systemd.
            watchdog_s: within this systemd wants to hear `watchdog`, s; None if it does not.
        """
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = _datagram_socket() if address else None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Notifier:
        """Read what systemd put into the environment.

        Args:
            environ: the process's environment unless another is given.
        """
        found = os.environ if environ is None else environ
        return cls(found.get("NOTIFY_SOCKET", ""), _watchdog_s(found))

    @property
    def active(self) -> bool:
        """Whether systemd listens at all."""
        return self._socket is not None

    def ready(self, status: str) -> bool:
        """Say that the daemon has started."""
        return self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, text: str) -> bool:
        """Set the line that `systemctl status` shows."""
        return self._send(f"STATUS={_line(text)}")

    def watchdog(self) -> bool:
        """Say that the daemon makes progress; only to be called where that was just seen."""
        return self._send("WATCHDOG=1")

    def stopping(self, status: str) -> bool:
        """Say that the daemon is about to end."""
        return self._send(f"STOPPING=1\nSTATUS={_line(status)}")

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            # The manager is gone or its queue is full. The next ping comes soon, and a watchdog
            # that expires over this would be right.
            return False
        return True


def secret_file(path: Path, environ: Mapping[str, str] | None = None) -> Path:
    """Find where a secret is to be read: systemd's copy of it if there is one, else `path` itself.

    A credential (`LoadCredential=NAME:PATH`) is readable by this service alone while the file on
    disk can stay root's. It is found by its file name, so the configuration is the same with and
    without systemd.

    Args:
        path: where the configuration says that the secret is.
        environ: the process's environment unless another is given.
    """
    found = os.environ if environ is None else environ
    directory = found.get("CREDENTIALS_DIRECTORY", "")
    if directory:
        credential = Path(directory) / path.name
        if credential.is_file():
            return credential
    return path


def _datagram_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    return made


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Read the watchdog's interval, unless it is meant for another process."""
    owner = environ.get("WATCHDOG_PID", "")
    if owner and owner != str(os.getpid()):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        return None
    return int(text) / 1_000_000


def _line(text: str) -> str:
    """Make it one line: a newline would start another assignment."""
    return " ".join(text.split())[:STATUS_MAX]
