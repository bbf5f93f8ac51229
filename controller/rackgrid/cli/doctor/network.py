"""The way to the other nodes, and the API's port.

A datagram is sent to the rack's own group on the rack's own interface, at another port and with a
TTL of 0: it goes through everything that this machine has to do with it, reaches no other node, and
no daemon takes it for a message.

Sources: ip(7) (IP_MULTICAST_LOOP, TTL 0); RFC 4541 (IGMP snooping: 224.0.0.0/24 is never pruned).
"""

from __future__ import annotations

import secrets
import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid.adapters.multicast import Place, Transport
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.second import heard_by_another
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import Config
from rackgrid.errors import TransportError

LOOP_S = 1.0
LINK_LOCAL = "224.0.0."
CONTAINERS = ("docker", "br-", "veth", "cni", "podman", "virbr")

INTERFACE = Check(
    "interface",
    "Is the rack's interface there, up, and with an IPv4 address?",
    "Nodes meet on one interface, by its name. Without it the daemon waits, and the node is on its "
    "floor.",
)
LOOP = Check(
    "multicast",
    "Does a datagram to the rack's group come back on this machine?",
    "Discovery, heartbeats and prices are multicasts. If not even one's own come back, a firewall "
    "or the interface drops them.",
)
PROCESSES = Check(
    "multicast-processes",
    "Does a datagram to the rack's group reach a second process of this machine?",
    "What comes back to its own sender may never have left it. Another process has sockets of its "
    "own, must be let in at the same port, and is served by the same filters as the daemon.",
)
JOINED = Check(
    "multicast-joined",
    "Has the interface the rack's group while the daemon runs?",
    "An interface that was removed and made again (a USB adapter, a rebuilt bridge) has forgotten "
    "its groups; the daemon looks for that and joins again. Without the group it hears no other "
    "node.",
)
PATH = Check(
    "multicast-path",
    "Is there nothing between the nodes that is known to swallow multicasts?",
    "Docker's bridges and VLAN switches do not pass them on by themselves; a bridge that snoops on "
    "IGMP without a querier drops every group but 224.0.0.x after a few minutes; Wi-Fi sends them "
    "at its lowest rate and unacknowledged. Take a wired interface of the host and 224.0.0.224.",
)
PORT = Check(
    "web-port",
    "Is the API's port free, or the daemon's own?",
    "Another program at the port keeps the daemon's API, its page and every `rackgrid` command "
    "out.",
)
CHECKS = (INTERFACE, LOOP, PROCESSES, JOINED, PATH, PORT)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged.

    Attributes:
        interface: its name; state: "up", "down" or "unknown", as the kernel says.
        interfaces: those of the machine.
        group: the rack's.
        loop: "" if the own datagram came back, else what happened.
        another: "" if another process has heard a datagram, else what happened.
        has_group: whether the interface has the group; Unknown while no daemon asks for it.
        is_wireless, is_vlan, is_bridge: what the interface is.
        in_container: what this machine is said to be contained in, or "".
        snoops: bridges that snoop on IGMP without a querier.
        port: "ours", "free", or what is wrong with it.
    """

    interface: str
    state: str | Unknown
    interfaces: tuple[str, ...]
    group: str
    loop: str | Unknown
    another: str | Unknown
    has_group: bool | Unknown
    is_wireless: bool
    is_vlan: bool
    in_container: str
    snoops: tuple[str, ...]
    port: str | Unknown


def look(case: Case) -> Facts | Unknown:
    """Gather the facts; Unknown without a configuration."""
    config, host = case.config, case.host
    if isinstance(config, Unknown):
        return config
    name = config.rack.interface
    return Facts(
        interface=name,
        state=host.text(f"/sys/class/net/{name}/operstate"),
        interfaces=tuple(path.name for path in host.glob("/sys/class/net/*")),
        group=config.rack.group,
        loop=loop(config) if host.is_this else Unknown("another machine's network is not used"),
        another=another(config)
        if host.is_this
        else Unknown("another machine's network is not used"),
        has_group=_has_group(case, config),
        is_wireless=host.has(f"/sys/class/net/{name}/wireless"),
        is_vlan=host.has(f"/proc/net/vlan/{name}"),
        in_container=_container(host),
        snoops=_snoops(host),
        port=_port(case, config),
    )


def loop(config: Config) -> str:
    """Send a datagram through the group to ourselves.

    Returns:
        What went wrong, or "".
    """
    try:
        transport = Transport.open(_quiet_place(config))
    except TransportError as fault:
        return str(fault)
    try:
        return _echo(transport)
    finally:
        transport.close()


def another(config: Config) -> str:
    """Send a datagram through the group to another process; say what went wrong, or ""."""
    return heard_by_another(_quiet_place(config))


def _quiet_place(config: Config) -> Place:
    """Take the rack's group at a port where no daemon is, and send no further than here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        port: int = free.getsockname()[1]
    return Place(config.rack.interface, config.rack.group, port, ttl=0)


def _echo(transport: Transport) -> str:
    sent = b"rackgrid doctor " + secrets.token_bytes(16)
    if not transport.send_multicast(sent):
        return transport.trouble or "the network does not take it"
    until_s = time.monotonic() + LOOP_S
    is_last = False
    while not is_last:
        # The last look begins once all the time is over: it may be this process that stood still.
        left_s = max(0.0, until_s - time.monotonic())
        is_last = not left_s
        select.select(transport.filenos(), [], [], left_s)
        if any(datagram.data == sent for datagram in transport.receive()):
            return ""
    return f"it has not come back in {LOOP_S:g} s"


def _has_group(case: Case, config: Config) -> bool | Unknown:
    if isinstance(case.state, Unknown):
        return Unknown("no daemon runs that would have asked for it")
    listing = case.host.text("/proc/net/igmp")
    if isinstance(listing, Unknown):
        return listing
    return config.rack.group in groups_of(listing, config.rack.interface)


def groups_of(listing: str, interface: str) -> set[str]:
    """Read the groups of an interface out of /proc/net/igmp, this machine's byte order in mind."""
    found: set[str] = set()
    at_interface = False
    for line in listing.splitlines()[1:]:
        words = line.split()
        if not line.startswith(("\t", " ")):
            at_interface = words[1:2] == [interface]
        elif at_interface and words:
            found.add(socket.inet_ntoa(int(words[0], 16).to_bytes(4, sys.byteorder)))
    return found


def _container(host: Host) -> str:
    said = host.text("/run/systemd/container")
    if not isinstance(said, Unknown) and said:
        return said
    return "docker" if host.has("/.dockerenv") else ""


def _snoops(host: Host) -> tuple[str, ...]:
    found: list[str] = []
    for path in host.glob("/sys/class/net/*/bridge/multicast_snooping"):
        querier = host.text(path.with_name("multicast_querier"))
        if host.text(path) == "1" and querier == "0":
            found.append(path.parent.parent.name)
    return tuple(found)


def _port(case: Case, config: Config) -> str | Unknown:
    if not config.web.enabled:
        return Unknown("[web] enabled = false")
    if config.web.port == 0:
        return Unknown("[web] port = 0: the kernel chooses it")
    if not isinstance(case.state, Unknown):
        return "ours"
    if not case.host.is_this:
        return Unknown("another machine's ports are not tried")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            config.web.host, config.web.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as fault:
        return f"{config.web.host}:{config.web.port}: {fault.strerror or fault}"
    return "free"


def judge(facts: Facts | Unknown) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts, Unknown):
        yield from (check.skip(facts) for check in CHECKS)
        return
    yield _interface(facts)
    yield _loop(facts)
    yield _processes(facts)
    yield _joined(facts)
    yield from _path(facts)
    yield _judge_port(facts.port)


def _interface(facts: Facts) -> Finding:
    name = facts.interface
    if name not in facts.interfaces:
        others = ", ".join(facts.interfaces) or "none"
        return INTERFACE.fail(
            f"there is no interface {name} (there are: {others})", "correct interface in [rack]"
        )
    if facts.state == "down":
        return INTERFACE.fail(f"{name} is down", f"ip link set {name} up; is the cable in?")
    if isinstance(facts.state, Unknown):
        return INTERFACE.skip(facts.state)
    return INTERFACE.ok(f"{name} is {'up' if facts.state == 'up' else 'there'}")


def _loop(facts: Facts) -> Finding:
    if isinstance(facts.loop, Unknown):
        return LOOP.skip(facts.loop)
    if facts.loop:
        return LOOP.fail(
            f"a datagram to {facts.group} on {facts.interface}: {facts.loop}",
            "look for a firewall rule (nft list ruleset), and at the check interface",
        )
    return LOOP.ok(f"a datagram to {facts.group} on {facts.interface} comes back")


def _processes(facts: Facts) -> Finding:
    if isinstance(facts.another, Unknown):
        return PROCESSES.skip(facts.another)
    if facts.another:
        return PROCESSES.fail(
            f"a datagram to {facts.group} on {facts.interface}: {facts.another}",
            "look for a firewall rule (nft list ruleset), and see the check multicast",
        )
    return PROCESSES.ok(f"another process hears {facts.group} on {facts.interface}")


def _joined(facts: Facts) -> Finding:
    if isinstance(facts.has_group, Unknown):
        return JOINED.skip(facts.has_group)
    if not facts.has_group:
        return JOINED.fail(
            f"{facts.interface} has not {facts.group}, though the daemon runs",
            "systemctl restart rackgrid; is interface in [rack] the one that it runs with?",
        )
    return JOINED.ok(f"{facts.interface} has {facts.group}")


def _path(facts: Facts) -> Iterator[Finding]:
    hints: list[tuple[str, str]] = []
    name = facts.interface
    if facts.in_container:
        hints.append(
            (f"this runs in a container ({facts.in_container})", "give it the host's network")
        )
    if name.startswith(CONTAINERS):
        hints.append((f"{name} is a bridge of containers", "interface = the LAN's, such as eth0"))
    if facts.is_wireless:
        hints.append((f"{name} is Wi-Fi: multicasts are lost there", "a cable, if losses are seen"))
    if facts.is_vlan:
        hints.append((f"{name} is a VLAN", "see that its switch passes multicasts to all nodes"))
    if facts.snoops and not facts.group.startswith(LINK_LOCAL):
        hints.append(
            (
                f"{', '.join(facts.snoops)} snoops on IGMP without a querier, and {facts.group} is "
                "not link-local",
                'group = "224.0.0.224" in [rack], or a querier (multicast_querier = 1)',
            )
        )
    yield from (PATH.warn(cause, fix) for cause, fix in hints)
    if not hints:
        yield PATH.ok(f"nothing seen on {name} that swallows multicasts")


def _judge_port(port: str | Unknown) -> Finding:
    if isinstance(port, Unknown):
        return PORT.skip(port)
    if port in {"ours", "free"}:
        return PORT.ok("the daemon serves it" if port == "ours" else "the port is free")
    return PORT.fail(port, "ss -ltnp says who has it; or another port in [web]")


FAMILY = Family("network", CHECKS, lambda case: judge(look(case)))
