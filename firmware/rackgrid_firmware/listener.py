"""A listening Unix socket that appears under its name only when it can be connected to.

`bind` makes the file and `listen` opens the door, and in between a client that waited for the file
is refused. So the socket is bound under another name and moved into place when it listens; that
also replaces what an earlier process left behind. Who may be the one to do so, a lock decides: two
firmwares must never drive the same pins.
"""

from __future__ import annotations

import fcntl
import os
import socket

BACKLOG = 16
PATH_MAX = 100
"""Longest path, bytes: the kernel takes 107, and the socket is born under a longer name."""


def listen_at(path: str) -> socket.socket:
    """Listen for SOCK_SEQPACKET connections.

    Args:
        path: of the socket; whatever is there is replaced.

    Raises:
        OSError: the path is too long, or cannot be made.
    """
    if len(os.fsencode(path)) > PATH_MAX:
        raise OSError(f"{path}: a socket's path has at most {PATH_MAX} bytes; choose a shorter one")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    born = f"{path}.new"
    try:
        if os.path.lexists(born):
            os.unlink(born)
        listener.bind(born)
        listener.listen(BACKLOG)
        os.replace(born, path)
    except BaseException:
        listener.close()
        raise
    return listener


def lock(path: str) -> int | None:
    """Take the lock beside a socket, for the life of this process.

    Args:
        path: of the socket.

    Returns:
        The open file that holds the lock; None if another process has it.
    """
    return _locked(f"{path}.lock", os.O_CREAT)


def seize(path: str) -> int | None:
    """Take the lock beside a socket that somebody else serves, so that nobody does meanwhile.

    It is not made here: a lock file of root's would lock out its owner for good.

    Args:
        path: of the socket.

    Returns:
        The open file that holds the lock; None if another process has it.

    Raises:
        FileNotFoundError: nobody has served there since the machine started.
        PermissionError: the lock belongs to another user.
    """
    return _locked(f"{path}.lock", 0)


def _locked(path: str, flags: int) -> int | None:
    held = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    return held
