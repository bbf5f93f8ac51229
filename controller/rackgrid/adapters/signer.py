"""Signing and checking for the daemon, in a process of its own that holds the private key.

Why a process. Importing `cryptography` in a thread was measured here at 16 ms, up to 4 ms of it
with the interpreter's lock held in one piece: on a Pi, sixty times slower, a broker would miss
heartbeats, at the very moment when a node joins. Importing it at the start would make each start a
second longer and every node 10 MB larger for good. And a daemon that parses what strangers send is
better off without the key in its memory.

The process is started when something is first signed or checked, and ends when nothing was for
`IDLE_S`, or with its parent: a node that is admitted once and writes few bills does not carry it
about. Measured here: 120 ms until the first answer, 18 MB of its own; then 0.19 ms for a signature
and 0.22 ms for a check, the two ways through the socket included (0.07 and 0.12 without).

Questions are answered one after the other, in a thread that may wait; the loop takes a future.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from rackgrid.adapters.keys import load_private_key
from rackgrid.adapters.signing import PUBLIC_BYTES, SIGNATURE_BYTES, Purpose, sign, verify
from rackgrid.errors import SigningError, StoreError

DATA_MAX: Final = 4096
"""Most bytes that are signed at once: of more, sign the hash."""
IDLE_S: Final = 30.0
"""The process ends after so long without a question: when a rack forms, all come within seconds."""
ANSWER_S: Final = 15.0
"""So long an answer may take, the start of the process on the slowest Pi included."""
_SIGN, _VERIFY, _FAULT = b"s", b"v", b"!"
_FRAME_MAX: Final = 2 * DATA_MAX
_PURPOSES: Final = tuple(Purpose)


class Signer:
    """This node's hand: it signs, and checks what others signed."""

    def __init__(self, state_dir: Path, idle_s: float = IDLE_S) -> None:
        """Take note of where the identity lies; nothing is started yet.

        Args:
            state_dir: holds the identity (`keys.load_identity` has been there).
            idle_s: the process ends after so long without a question.
        """
        self._state_dir = state_dir
        self._idle_s = idle_s
        self._helper: _Helper | None = None
        self._queue = ThreadPoolExecutor(1, thread_name_prefix="signer")

    def sign(self, purpose: Purpose, data: bytes) -> Future[bytes]:
        """Sign with this node's key: 64 bytes.

        Returns:
            A future; its exception is a `SigningError` if the key cannot be read or used.
        """
        assert len(data) <= DATA_MAX, "of more, sign the hash"
        return self._queue.submit(self._ask, _SIGN + _purpose_byte(purpose) + data)

    def verify(
        self, public_key: bytes, purpose: Purpose, data: bytes, signature: bytes
    ) -> Future[bool]:
        """Check a signature (`signing.verify`).

        Returns:
            A future; its exception is a `SigningError` if nothing could be found out.
        """
        assert len(data) <= DATA_MAX, "of more, the hash was signed"
        if len(public_key) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
            done: Future[bool] = Future()
            done.set_result(False)
            return done
        asked = _VERIFY + _purpose_byte(purpose) + public_key + signature + data
        return self._queue.submit(lambda: self._ask(asked) == b"\1")

    def close(self) -> None:
        """Let a question that is under way end; those behind it are not asked."""
        self._queue.shutdown(wait=True, cancel_futures=True)
        if self._helper is not None:
            self._helper.end()
            self._helper = None

    def _ask(self, question: bytes) -> bytes:
        """Ask the process; start it if there is none, and once more if it has just ended idle."""
        answer = b""
        for _ in range(2 if self._helper is not None else 1):
            if self._helper is None:
                self._helper = _Helper(self._state_dir, self._idle_s)
            helper, self._helper = self._helper, None
            answer = helper.ask(question)
            if answer:
                self._helper = helper
                break
            helper.end()
        if not answer:
            raise SigningError("the process that signs ends by itself: its last words are above")
        if answer[:1] == _FAULT:
            raise SigningError(answer[1:].decode("utf-8", "replace"))
        return answer[1:]


class _Helper:
    """The process, and our end of its socket."""

    def __init__(self, state_dir: Path, idle_s: float) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(ANSWER_S)
        argv = [sys.executable, "-m", __name__, str(state_dir), str(theirs.fileno()), str(idle_s)]
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - ourselves
                    argv, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), process_group=0
                )
        except OSError as fault:
            self._socket.close()
            raise SigningError(
                f"cannot start the process that signs: {fault.strerror}: is there memory left?"
            ) from fault

    def ask(self, question: bytes) -> bytes:
        """Return the answer, or nothing if the process has ended."""
        try:
            self._socket.sendall(question)
            return self._socket.recv(_FRAME_MAX)
        except TimeoutError as fault:
            self.end()
            raise SigningError(
                f"no signature within {ANSWER_S:g} s: is the machine busy?"
            ) from fault
        except (BrokenPipeError, ConnectionResetError):
            return b""

    def end(self) -> None:
        """End it: it has nothing to lose."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _purpose_byte(purpose: Purpose) -> bytes:
    return bytes((_PURPOSES.index(purpose),))


# --- in the other process -------------------------------------------------------------------------


def serve(state_dir: Path, port: socket.socket) -> None:
    """Answer until nobody asks any more: the parent has ended, or the socket's timeout is over."""
    with suppress(TimeoutError, BrokenPipeError, ConnectionResetError):
        while question := port.recv(_FRAME_MAX):
            port.sendall(_answer(state_dir, question))


def _answer(state_dir: Path, question: bytes) -> bytes:
    """Answer one question; the private key is read only to sign, and anew each time."""
    kind, purpose, rest = question[:1], _PURPOSES[question[1]], question[2:]
    if kind == _VERIFY:
        key, rest = rest[:PUBLIC_BYTES], rest[PUBLIC_BYTES:]
        signature, data = rest[:SIGNATURE_BYTES], rest[SIGNATURE_BYTES:]
        return _VERIFY + bytes((verify(key, purpose, data, signature),))
    try:
        return _SIGN + sign(load_private_key(state_dir), purpose, rest)
    except StoreError as fault:
        return _FAULT + str(fault).encode()[: _FRAME_MAX - 1]


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[2])) as inherited:
        inherited.settimeout(float(sys.argv[3]))
        serve(Path(sys.argv[1]), inherited)
