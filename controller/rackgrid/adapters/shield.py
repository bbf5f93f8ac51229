"""A filter in the kernel that turns away what cannot be a datagram of ours, while a flood lasts.

Python spends some ten microseconds on a datagram that it drops; a classic BPF program that is
attached to the socket (SO_ATTACH_FILTER, socket(7)) spends almost none, needs no right, and keeps
the socket's buffer free for heartbeats. It looks at length, magic, version and kind: all that can
be told without the key. In quiet times it is off, so that each kind of garbage is counted by its
reason and an operator sees another version or a wrong program on the port; under a flood it stands,
and the kernel's own count of drops takes over.

Offsets count from the UDP header, where the kernel begins to look for a datagram socket.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final

from rackgrid.wire.message import DATAGRAM_MAX
from rackgrid.wire.seal import MAGIC, OVERHEAD, VERSION, Kind

# Constants of <asm-generic/socket.h> and <linux/bpf_common.h> that the socket module lacks.
_SO_ATTACH_FILTER: Final = 26
_SO_DETACH_FILTER: Final = 27
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
_DROPS: Final = 8
_LOAD_LENGTH: Final = 0x80
_LOAD_HALF: Final = 0x28
_LOAD_BYTE: Final = 0x30
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER: Final = 0x25
_JUMP_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06

_UDP: Final = 8
"""Bytes of the UDP header."""
_WHOLE: Final = 0xFFFF
_INSTRUCTION: Final = struct.Struct("=HBBI")


def _program(kind_min: int, kind_max: int) -> bytes:
    """Write the filter: each test goes on, or to the last line, which drops."""
    tests = [
        (_LOAD_LENGTH, 0),
        (_JUMP_AT_LEAST, _UDP + OVERHEAD),
        (-_JUMP_GREATER, _UDP + DATAGRAM_MAX),
        (_LOAD_HALF, _UDP),
        (_JUMP_EQUAL, int.from_bytes(MAGIC)),
        (_LOAD_BYTE, _UDP + 2),
        (_JUMP_EQUAL, VERSION),
        (_LOAD_BYTE, _UDP + 4),
        (_JUMP_AT_LEAST, kind_min),
        (-_JUMP_GREATER, kind_max),
    ]
    lines: list[bytes] = []
    for number, (code, value) in enumerate(tests):
        drop = len(tests) - number
        is_jump = abs(code) in (_JUMP_EQUAL, _JUMP_GREATER, _JUMP_AT_LEAST)
        if_true, if_false = (0, drop) if code > 0 else (drop, 0)
        jumps = (if_true, if_false) if is_jump else (0, 0)
        lines.append(_INSTRUCTION.pack(abs(code), *jumps, value))
    lines.append(_INSTRUCTION.pack(_RETURN, 0, 0, _WHOLE))
    lines.append(_INSTRUCTION.pack(_RETURN, 0, 0, 0))
    return b"".join(lines)


GROUP: Final = _program(Kind.MULTICAST, Kind.MULTICAST)
"""For the socket that hears the group."""
OWN: Final = _program(Kind.UNICAST, Kind.PROOF)
"""For the socket that hears unicasts."""


def attach(sock: socket.socket, program: bytes) -> None:
    """Let a socket receive nothing that the program turns away.

    Raises:
        OSError: the kernel takes no filter.
    """
    lines = ctypes.create_string_buffer(program, len(program))
    count = len(program) // _INSTRUCTION.size
    request = struct.pack("@HP", count, ctypes.addressof(lines))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, request)


def detach(sock: socket.socket) -> None:
    """Let a socket with a filter receive everything again.

    Raises:
        OSError: it has none.
    """
    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def drops(sock: socket.socket) -> int:
    """Say how many datagrams the kernel dropped at a socket: filtered, or for want of room."""
    told = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    return int(_MEMINFO.unpack(told)[_DROPS]) if len(told) == _MEMINFO.size else 0
