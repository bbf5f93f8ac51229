"""The controller's end of the link to the firmware: one Unix socket, SOCK_SEQPACKET.

Never blocks. A firmware that does not take a command is as good as gone: the link is closed and
attached anew, and attaching starts from what the firmware then says that it holds.
"""

from __future__ import annotations

import errno
import logging
import socket
from pathlib import Path

from rackgrid_firmware.link import (
    PACKET_MAX,
    VERSION,
    Attach,
    Attached,
    Command,
    Malformed,
    Refused,
    Report,
    Switched,
    Telemetry,
    decode,
    encode,
)

log = logging.getLogger(__name__)

PACKETS_MAX = 64
"""Most packets taken at once."""


class FirmwareLink:
    """A link that is there or not; `connect` is tried again by the daemon's timer."""

    def __init__(self, path: Path, generation: int) -> None:
        """Prepare a link.

        Args:
            path: the firmware's socket.
            generation: CLOCK_MONOTONIC at this controller's start, ns.
        """
        self._path = path
        self._generation = generation
        self._socket: socket.socket | None = None
        self._said = ""
        self.lost = False
        """Set when a link ended; the daemon takes it back after telling the core."""

    @property
    def connected(self) -> bool:
        """Whether the socket is open."""
        return self._socket is not None

    def fileno(self) -> int:
        """The socket's descriptor; −1 without one."""
        return self._socket.fileno() if self._socket else -1

    def connect(self) -> bool:
        """Open the socket and introduce ourselves; False, with one line of log, if that fails."""
        if self._socket is not None:
            return True
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            link.connect(str(self._path))
            link.send(encode(Attach(VERSION, self._generation)))
        except OSError as fault:
            link.close()
            self._say(f"no firmware at {self._path}: {_advice(fault)}")
            return False
        self._socket = link
        self._say(f"attached to the firmware at {self._path}", logging.INFO)
        return True

    def send(self, command: Command) -> None:
        """Send a command, or lose the link."""
        if self._socket is None:
            return
        try:
            self._socket.send(encode(command))
        except OSError as fault:
            self._lose(f"the firmware takes no command: {fault.strerror}")

    def receive(self) -> list[Report]:
        """Take what has arrived."""
        reports: list[Report] = []
        while self._socket is not None and len(reports) < PACKETS_MAX:
            try:
                packet, _, flags, _ = self._socket.recvmsg(PACKET_MAX)
            except BlockingIOError:
                break
            except OSError as fault:
                self._lose(f"the firmware's socket failed: {fault.strerror}")
                break
            if not packet:
                self._lose("the firmware has closed the link")
                break
            if flags & socket.MSG_TRUNC:
                self._say(f"a packet of the firmware is longer than {PACKET_MAX} bytes: dropped")
                continue
            self._take(packet, reports)
        return reports

    def close(self) -> None:
        """Detach: the outputs run on to their deadlines."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _take(self, packet: bytes, reports: list[Report]) -> None:
        message = decode(packet)
        match message:
            case Attached() | Telemetry() | Switched() | Refused():
                reports.append(message)
            case Malformed():
                self._say(f"a packet of the firmware is not a message: {message.reason}")
            case _:
                self._say("the firmware sent a command: dropped")

    def _lose(self, why: str) -> None:
        self._say(why)
        self.close()
        self.lost = True

    def _say(self, what: str, level: int = logging.WARNING) -> None:
        if what != self._said:
            self._said = what
            log.log(level, "%s", what)


def _advice(fault: OSError) -> str:
    match fault.errno:
        case errno.ENOENT | errno.ECONNREFUSED:
            return "it is not running; start rackgrid-firmware.service"
        case errno.EACCES | errno.EPERM:
            return "permission denied; add this user to the firmware socket's group"
        case _:
            return fault.strerror or str(fault)
