"""Datagrams over IPv4 multicast: one group, one interface, two sockets.

The *group socket* is bound to the group's address, so that it gets nothing else on that port, with
IP_MULTICAST_ALL off: by default Linux hands a socket the groups that any process of the machine has
joined (ip(7); keepalived fought this for years). SO_REUSEADDR lets several nodes share a host. The
*own socket* is bound to the interface's address at a port that the kernel chooses, and sends
everything, multicasts as well: so a datagram's source address is where its sender can be answered,
and nobody configures peers.

The interface is named by its index (ip_mreqn), in joining and in sending: no default route and no
route to the group is needed, and a machine with many interfaces speaks on one. Loopback works the
same way although it lacks the MULTICAST flag.

A cut cable changes nothing: the interface keeps the group. But an interface that is removed and
made again (a USB adapter, a reloaded driver, a rebuilt bridge) knows nothing of it, while the
socket still counts as a member and stays deaf; and DHCP may give another address. So `rejoin` looks
in /proc/net/igmp whether the interface has the group, rather than at signs of why it might not.

Nothing here raises once it is open: a send that fails is counted, said once when its cause changes,
and lost, as a datagram may always be. What it costs is decided by those who missed it.
"""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import logging
import socket
import struct
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rackgrid.adapters import shield
from rackgrid.errors import TransportError
from rackgrid.wire.message import DATAGRAM_MAX

log = logging.getLogger(__name__)

Address = tuple[str, int]

RECEIVE_BUFFER_BYTES: Final = 256 * 1024
BATCH_MAX: Final = 64
"""Datagrams taken from each socket at once: a flood must not starve the rest of the node."""

ANY: Final = "0.0.0.0"  # noqa: S104  (a field of a request, nothing is bound to it)

# Constants of <linux/in.h> and <linux/sockios.h> that the socket module lacks.
_IP_MULTICAST_ALL: Final = 49
_SIOCGIFADDR: Final = 0x8915
_IGMP: Final = Path("/proc/thread-self/net/igmp")


class Datagram(NamedTuple):
    """One datagram as it came; longer than `DATAGRAM_MAX` if it was cut."""

    data: bytes
    unicast: bool
    address: Address


@dataclass(frozen=True, slots=True)
class Place:
    """Where the nodes meet.

    Attributes:
        interface: name of the network interface, such as "eth0" or "lo".
        group: IPv4 address of the group.
        port: UDP port of the group.
        ttl: hops that a multicast may take; 1 stays on the link.
    """

    interface: str
    group: str
    port: int
    ttl: int = 1

    def __str__(self) -> str:
        return f"{self.group}:{self.port} on {self.interface}"


class Transport:
    """The two sockets. Driven by a loop that watches `filenos` and calls `rejoin` now and then."""

    def __init__(self, place: Place, group: socket.socket, own: socket.socket, index: int) -> None:
        self.place = place
        self.send_errors: Counter[str] = Counter()
        """Sends that failed, by the name of the error."""
        self._group = group
        self._own = own
        self._index = index
        self._troubles: dict[str, str] = {}
        self._is_shielded = False
        self._dropped_before = 0

    @classmethod
    def open(cls, place: Place) -> Transport:
        """Join the group.

        Raises:
            TransportError: if it cannot be joined; one line that says what to do next.
        """
        if not _is_group(place.group):
            raise TransportError(f"{place.group} is no IPv4 multicast group: take 224.0.0.224")
        index = _index(place.interface)
        address = _interface_address(place.interface)
        with ExitStack() as undo:
            try:
                _probe(place, index)
                group = undo.enter_context(_group_socket(place, index))
                own = undo.enter_context(_own_socket(place, address, index))
            except OSError as fault:
                raise TransportError(_advice(place, fault)) from fault
            undo.pop_all()
        return cls(place, group, own, index)

    @property
    def address(self) -> Address:
        """Where this node gets its unicasts."""
        host, port = self._own.getsockname()
        return host, port

    @property
    def trouble(self) -> str:
        """What is wrong with the network now, or ""."""
        return "; ".join(self._troubles.values())

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel dropped at the sockets."""
        return self._dropped_before + shield.drops(self._group) + shield.drops(self._own)

    def shield(self, on: bool) -> None:
        """Let the kernel turn away what cannot be ours, or let everything in again."""
        if on == self._is_shielded:
            return
        self._is_shielded = on
        for sock, program in ((self._group, shield.GROUP), (self._own, shield.OWN)):
            try:
                if on:
                    shield.attach(sock, program)
                else:
                    shield.detach(sock)
            except OSError as fault:
                self._note("shield", f"no filter against floods: {fault.strerror}")

    def filenos(self) -> tuple[int, int]:
        """The file descriptors to watch for reading."""
        return self._group.fileno(), self._own.fileno()

    def close(self) -> None:
        """Leave the group."""
        self._group.close()
        self._own.close()

    def receive(self, batch: int = BATCH_MAX) -> list[Datagram]:
        """Take what has arrived, at most `batch` from each socket, without waiting."""
        arrived: list[Datagram] = []
        for sock, unicast in ((self._own, True), (self._group, False)):
            for _ in range(batch):
                try:
                    # One byte more than allowed: a datagram that fills it was too long.
                    data, address = sock.recvfrom(DATAGRAM_MAX + 1)
                except BlockingIOError:
                    break
                except OSError as fault:
                    self._note("receiving", f"receiving failed: {fault.strerror}")
                    break
                arrived.append(Datagram(data, unicast, address))
        return arrived

    def send_multicast(self, datagram: bytes) -> bool:
        """Send to the group; False if the network did not take it."""
        return self._send("multicast", datagram, (self.place.group, self.place.port))

    def send_unicast(self, datagram: bytes, address: Address) -> bool:
        """Send to one address; False if the network did not take it."""
        return self._send("unicast", datagram, address)

    def reply(self, datagram: bytes, address: Address) -> None:
        """Send to where a datagram came from that nobody vouches for: a failure is only counted."""
        try:
            self._own.sendto(datagram, address)
        except OSError as fault:
            self.send_errors[errno.errorcode.get(fault.errno or 0, "?")] += 1

    def rejoin(self) -> bool:
        """Repair what a lost link or a changed address broke; cheap, for a timer.

        Returns:
            True if the own socket is a new one: the caller forgets the old number (it is closed)
            and watches `filenos` anew.
        """
        try:
            index = _index(self.place.interface)
            address = _interface_address(self.place.interface)
            if index != self._index or not _joined(index, self.place.group):
                self._join(index)
            moved = address != self.address[0]
            if moved:
                fresh = _own_socket(self.place, address, index)
                if self._is_shielded:
                    shield.attach(fresh, shield.OWN)
                self._dropped_before += shield.drops(self._own)
                self._own.close()
                self._own = fresh
                log.info("%s: this node is now at %s", self.place, address)
        except OSError as fault:
            self._note("link", fault.strerror or str(fault))
            return False
        self._note("link", "")
        return moved

    def _join(self, index: int) -> None:
        """Join at the interface anew, and send through it, whatever is left of the time before."""
        for former in {self._index, index}:
            try:
                _membership(self._group, socket.IP_DROP_MEMBERSHIP, self.place.group, former)
            except OSError as fault:
                if fault.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                    raise
        _membership(self._group, socket.IP_ADD_MEMBERSHIP, self.place.group, index)
        _membership(self._own, socket.IP_MULTICAST_IF, ANY, index)
        self._index = index
        log.info("joined %s again", self.place)

    def _send(self, kind: str, datagram: bytes, address: Address) -> bool:
        try:
            self._own.sendto(datagram, address)
        except OSError as fault:
            name = errno.errorcode.get(fault.errno or 0, "?")
            self.send_errors[name] += 1
            self._note(kind, f"{kind} to {address[0]}: {_advice(self.place, fault)}")
            return False
        if kind in self._troubles:
            self._note(kind, "")
        return True

    def _note(self, subject: str, trouble: str) -> None:
        """Say what is wrong once, and once that it is over."""
        before = self._troubles.get(subject, "")
        if trouble == before:
            return
        if trouble:
            self._troubles[subject] = trouble
            log.warning("%s: %s", self.place, trouble)
        else:
            del self._troubles[subject]
            log.info("%s: over: %s", self.place, before)


def _is_group(text: str) -> bool:
    try:
        return ipaddress.IPv4Address(text).is_multicast
    except ValueError:
        return False


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError as fault:
        there = ", ".join(_described(name) for _, name in socket.if_nameindex())
        raise TransportError(
            f"there is no interface {interface}: set `interface` in [rack] to one of {there}"
        ) from fault


def _described(interface: str) -> str:
    try:
        return f"{interface} ({_interface_address(interface)})"
    except TransportError:
        return f"{interface} (no address)"


def _interface_address(interface: str) -> str:
    """Return the interface's own IPv4 address."""
    request = struct.pack("256s", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock.fileno(), _SIOCGIFADDR, request)
        except OSError as fault:
            raise TransportError(
                f"{interface} has no IPv4 address: wait for DHCP, or give it one "
                f"(ip addr add 10.0.0.2/24 dev {interface})"
            ) from fault
    return socket.inet_ntoa(answer[20:24])


def _membership(sock: socket.socket, option: int, group: str, index: int) -> None:
    """Set an option that takes a `struct ip_mreqn`: group, address (any), interface index."""
    request = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), index)
    sock.setsockopt(socket.IPPROTO_IP, option, request)


def _probe(place: Place, index: int) -> None:
    """Ask the kernel for a way to the group, without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        _membership(sock, socket.IP_MULTICAST_IF, ANY, index)
        sock.connect((place.group, place.port))


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    return sock


def _group_socket(place: Place, index: int) -> socket.socket:
    sock = _socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        sock.bind((place.group, place.port))
        _membership(sock, socket.IP_ADD_MEMBERSHIP, place.group, index)
    except OSError:
        sock.close()
        raise
    return sock


def _own_socket(place: Place, address: str, index: int) -> socket.socket:
    sock = _socket()
    try:
        sock.bind((address, 0))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, place.ttl)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        _membership(sock, socket.IP_MULTICAST_IF, ANY, index)
    except OSError:
        sock.close()
        raise
    return sock


def _joined(index: int, group: str) -> bool:
    """Whether the interface itself has the group (any socket of the machine may have asked)."""
    # The kernel prints the group's bytes as one number of this machine's byte order.
    wanted = f"{struct.unpack('=I', socket.inet_aton(group))[0]:08X}"
    at_interface = False
    for line in _IGMP.read_text("ascii").splitlines()[1:]:
        words = line.split()
        if not line.startswith("\t"):
            at_interface = words[0] == str(index)
        elif at_interface and words[0] == wanted:
            return True
    return False


def _advice(place: Place, fault: OSError) -> str:
    """Say in one line what went wrong and what to do next."""
    match fault.errno:
        case errno.EADDRINUSE:
            return (
                f"UDP port {place.port} is held by a program that does not share it: find it with "
                f"`ss -ulpn sport = :{place.port}`, or set another `port` in [rack] on every node"
            )
        case errno.EACCES | errno.EPERM:
            return (
                f"not permitted to use {place}: look for a firewall rule (nft list ruleset); "
                "a port below 1024 needs CAP_NET_BIND_SERVICE"
            )
        case errno.ENETUNREACH | errno.ENETDOWN | errno.EHOSTUNREACH:
            return (
                f"no way to {place}: the interface is down or has no multicast route: "
                f"`ip link set {place.interface} up`, "
                f"`ip route add {place.group}/32 dev {place.interface}`"
            )
        case errno.ENOBUFS:
            return f"no buffers for {place}: the link is saturated, or in too many groups"
        case _:
            return f"{place}: {fault.strerror or fault}"
