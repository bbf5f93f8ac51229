"""What a host's name says: whether it is this machine, and whether a stranger's DNS can own it.

A page of a stranger's may give its own name an address of ours once the browser has loaded it
(rebinding): the browser then takes our answers for that page's. Such a request carries the
stranger's name in its Host. An address in its place, or a name that we were told is ours, cannot be
the stranger's.

Source: RFC 9110 section 7.2 (Host), 7.4 (misdirected requests).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Say whether a host, as an address or as a name, is this machine and cannot be another."""
    if _plain(host) == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Say whether a host is written as an address: no DNS has a say in it."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def host_name(authority: str) -> str:
    """Take the port and the brackets off a Host header's value."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


class Names:
    """The names under which an API may be asked.

    Args:
        loopback: whether it listens on a loopback address.
        hosts: names that the configuration gives it.
        machine: this machine's name; the kernel's unless another is given.
    """

    def __init__(self, loopback: bool, hosts: Iterable[str], machine: str | None = None) -> None:
        self.loopback = loopback
        self._ours = {_plain(each) for each in hosts}
        if not loopback:
            own = _plain(socket.gethostname() if machine is None else machine)
            self._ours |= {own, f"{own.partition('.')[0]}.local"}

    def has(self, authority: str) -> bool:
        """Say whether the value of a Host header is one of them."""
        host = host_name(authority)
        if is_loopback(host) or _plain(host) in self._ours:
            return True
        return not self.loopback and is_address(host)


def _plain(host: str) -> str:
    return host.rstrip(".").lower()
