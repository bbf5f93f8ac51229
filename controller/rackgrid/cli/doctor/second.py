"""Whether a second process of this machine hears the rack's group, with sockets of its own.

A datagram that comes back to its own sender may never have left that process's sockets; another one
must be let in at the same port, and is served by the same filters. The other process is plain
Python and imports nothing of ours.

Sources: ip(7) (IP_ADD_MEMBERSHIP, IP_MULTICAST_LOOP: to all sockets of the machine that have the
group); socket(7) (SO_REUSEADDR).
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from typing import IO

from rackgrid.adapters.multicast import Place, Transport
from rackgrid.errors import TransportError

PATIENCE_S = 5.0
"""A Python on a small Pi that is busy has started within this, s."""
WORD = b"rackgrid doctor: is anybody there?"
HEARER = """\
import select, socket, struct, sys
group, port, index = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
ear.bind((group, port))
member = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), index)
ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
print("listens", flush=True)
if select.select([ear], [], [], float(sys.argv[4]))[0]:
    print(ear.recv(100).hex(), flush=True)
"""
"""Joins the group as `adapters.multicast` does, and prints what it hears."""


def heard_by_another(place: Place, patience_s: float = PATIENCE_S) -> str:
    """Send a datagram to the group, and have another process listen.

    Args:
        place: interface and group; no daemon is at its port.
        patience_s: for each of the two steps, s.

    Returns:
        What went wrong, or "".
    """
    try:
        transport = Transport.open(place)
    except TransportError as fault:
        return str(fault)
    index = socket.if_nametoindex(place.interface)
    words = [place.group, str(place.port), str(index), str(patience_s)]
    with subprocess.Popen(  # noqa: S603 - our own interpreter, and a script of ours
        [sys.executable, "-I", "-S", "-c", HEARER, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as hearer:
        try:
            return _told(transport, hearer, patience_s)
        finally:
            transport.close()
            hearer.kill()


def _told(transport: Transport, hearer: subprocess.Popen[str], patience_s: float) -> str:
    assert hearer.stdout is not None
    assert hearer.stderr is not None
    if _line(hearer.stdout, patience_s) != "listens":
        hearer.kill()
        why = hearer.stderr.read().strip().splitlines() or ["it did not say why"]
        return f"a second process cannot join: {why[-1][:120]}"
    if not transport.send_multicast(WORD):
        return transport.trouble or "the network does not take it"
    if _line(hearer.stdout, patience_s) != WORD.hex():
        return f"a second process has not heard it in {patience_s:g} s"
    return ""


def _line(pipe: IO[str], patience_s: float) -> str:
    """Read the next line, if it comes in time."""
    if not select.select([pipe], [], [], patience_s)[0]:
        return ""
    return pipe.readline().strip()
