"""A controller's end of the link, as the firmware sees it: untrusted, and never waited for.

Reports that carry an answer or a change are queued when the peer does not read, up to a bound, the
oldest dropped first; telemetry is sent only when the peer has read everything before it, so what
waits is never older than one interval. The next telemetry repairs whatever was dropped.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
from collections import deque

from rackgrid_firmware.link import (
    PACKET_MAX,
    Command,
    Malformed,
    Report,
    Telemetry,
    decode,
    encode,
)

QUEUE_MAX = 64
_CREDENTIALS = struct.Struct("3i")
_COUNT = struct.Struct("i")


class Peer:
    """One connection.

    Args:
        connection: as accepted; becomes non-blocking.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._queue: deque[bytes] = deque(maxlen=QUEUE_MAX)
        self.is_gone = False
        given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self.pid, self.uid, _ = _CREDENTIALS.unpack(given)

    def fileno(self) -> int:
        """Give the descriptor, for a selector."""
        return self._socket.fileno()

    @property
    def has_queued(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._queue)

    def receive(self) -> Command | Malformed | None:
        """Take one message; None if none is there, or if the peer is gone (`is_gone`)."""
        try:
            packet, _, flags, _ = self._socket.recvmsg(PACKET_MAX)
        except BlockingIOError:
            return None
        except OSError:
            self.is_gone = True
            return None
        if not packet:
            self.is_gone = True
            return None
        if flags & socket.MSG_TRUNC:
            return Malformed(f"a packet of more than {PACKET_MAX} bytes")
        message = decode(packet)
        if isinstance(message, Report):
            return Malformed("a report, where a command belongs")
        return message

    def send(self, report: Report) -> None:
        """Send a report now, or as soon as the peer reads again."""
        self._queue.append(encode(report))
        self.flush()

    def offer(self, telemetry: Telemetry) -> bool:
        """Send telemetry if the peer has read everything before it; say whether."""
        if self._queue or self._unread():
            return False
        self.send(telemetry)
        return True

    def flush(self) -> None:
        """Send what waits, as far as the peer takes it."""
        try:
            while self._queue:
                self._socket.send(self._queue[0])
                self._queue.popleft()
        except BlockingIOError:
            return
        except OSError:
            self.is_gone = True

    def has_hung_up(self) -> bool:
        """Look whether the peer has closed its end, whatever it sent before."""
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Hang up.

        What is still unread is taken first: with it the kernel would reset the connection, and our
        last word would be lost.
        """
        for _ in range(QUEUE_MAX):
            if self.is_gone or self.receive() is None:
                break
        self._socket.close()

    def _unread(self) -> int:
        """Count the bytes that the peer has not read yet."""
        given = fcntl.ioctl(self._socket, termios.TIOCOUTQ, _COUNT.pack(0))
        return int(_COUNT.unpack(given)[0])
