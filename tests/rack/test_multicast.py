"""The transport on real links: hosts on a bridge, cables that are cut, addresses that change."""

from __future__ import annotations

import itertools
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.rack.lan import Host, Lan
from tests.rack.patience import until

from rackgrid.adapters.endpoint import Endpoint, Received
from rackgrid.adapters.multicast import Datagram, Place, Transport
from rackgrid.errors import TransportError
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import Leave
from rackgrid.wire.seal import Keyring

pytestmark = pytest.mark.root

PLACE = Place("eth0", "224.0.0.224", 8437)
DEADLINE_S = 10.0
PINGS = itertools.count()
RING = Keyring(1, {1: bytes(range(32))})


def collect(transport: Transport, count: int) -> list[Datagram]:
    """Wait until that many datagrams have come."""
    arrived: list[Datagram] = []
    end = time.monotonic() + DEADLINE_S
    while len(arrived) < count:
        left = end - time.monotonic()
        assert left > 0, f"{len(arrived)} of {count} datagrams came"
        select.select(transport.filenos(), [], [], left)
        arrived += transport.receive()
    return arrived


def hears(sender: Transport, receiver: Transport) -> bool:
    """Send one multicast and say whether this very one arrived within a moment."""
    ping = f"ping {next(PINGS)}".encode()
    sender.send_multicast(ping)
    select.select([receiver.filenos()[0]], [], [], 0.1)
    return (ping, sender.address) in {(d.data, d.address) for d in receiver.receive()}


def at(host: Host, stack: ExitStack, place: Place = PLACE) -> Transport:
    """Open a transport on that host, and close it at the end."""
    with host.entered():
        transport = Transport.open(place)
    stack.callback(transport.close)
    return transport


@pytest.fixture
def lan() -> Iterator[Lan]:
    with Lan(hosts=3) as made:
        yield made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_multicast_reaches_every_host_without_any_route_to_the_group(
    lan: Lan, stack: ExitStack
) -> None:
    transports = [at(host, stack) for host in lan.hosts]
    transports[0].send_multicast(b"hello")
    for transport in transports:
        assert collect(transport, 1) == [Datagram(b"hello", False, transports[0].address)]
    assert transports[0].address[0] == lan.host(1).address


def test_multicast_reaches_several_nodes_on_one_host_and_on_the_other(
    lan: Lan, stack: ExitStack
) -> None:
    first, second = at(lan.host(1), stack), at(lan.host(1), stack)
    remote = at(lan.host(2), stack)
    assert first.address != second.address
    remote.send_multicast(b"from afar")
    for transport in (first, second):
        assert collect(transport, 1)[0].data == b"from afar"
    first.send_multicast(b"from next door")
    assert collect(second, 1) == [Datagram(b"from next door", False, first.address)]
    assert {d.data for d in collect(remote, 2)} == {b"from afar", b"from next door"}


def test_unicast_goes_back_to_the_source_address_and_to_no_other(
    lan: Lan, stack: ExitStack
) -> None:
    asker, neighbour = at(lan.host(1), stack), at(lan.host(1), stack)
    answerer = at(lan.host(2), stack)
    asker.send_multicast(b"who")
    (heard,) = collect(answerer, 1)
    answerer.send_unicast(b"me", heard.address)
    assert {(d.data, d.unicast) for d in collect(asker, 2)} == {(b"who", False), (b"me", True)}
    assert [d.data for d in collect(neighbour, 1)] == [b"who"]
    assert neighbour.receive() == []


def test_foreign_group_on_the_same_port_is_not_received(lan: Lan, stack: ExitStack) -> None:
    ours = at(lan.host(1), stack)
    foreign = at(lan.host(1), stack, Place("eth0", "224.0.0.225", PLACE.port))
    sender = at(lan.host(2), stack, Place("eth0", "224.0.0.225", PLACE.port))
    sender.send_multicast(b"not for us")
    collect(foreign, 1)
    sender.send_unicast(b"for us", ours.address)
    assert [d.data for d in collect(ours, 1)] == [b"for us"]


def test_group_heard_on_another_interface_is_not_received(lan: Lan, stack: ExitStack) -> None:
    """A node speaks on the interface it was given, though the host has joined on two."""
    on_lo = at(lan.host(1), stack, Place("lo", PLACE.group, PLACE.port))
    on_eth0 = at(lan.host(1), stack)
    at(lan.host(2), stack).send_multicast(b"on the wire")
    assert [d.data for d in collect(on_eth0, 1)] == [b"on the wire"]
    on_lo.send_multicast(b"inside")
    assert [d.data for d in collect(on_lo, 1)] == [b"inside"]
    assert on_eth0.receive() == []


def test_link_cut_and_healed_is_heard_again(lan: Lan, stack: ExitStack) -> None:
    here, there = at(lan.host(1), stack), at(lan.host(2), stack)
    until("heard before the cut", lambda: hears(here, there))
    lan.host(2).cut()
    with lan.host(2).entered():
        assert there.rejoin() is False
    assert not hears(here, there)
    there.send_multicast(b"into the cut cable")
    lan.host(2).heal()
    until("heard after the cut", lambda: hears(here, there) and hears(there, here))


def test_interface_that_lost_its_address_is_a_trouble_until_it_is_back(
    lan: Lan, stack: ExitStack
) -> None:
    here, there = at(lan.host(1), stack), at(lan.host(2), stack)
    host, before = lan.host(2), there.filenos()
    host.ip("addr", "flush", "dev", "eth0")
    with host.entered():
        assert there.rejoin() is False
    assert "eth0 has no IPv4 address" in there.trouble
    host.ip("addr", "add", f"{host.address}/24", "dev", "eth0")
    with host.entered():
        assert there.rejoin() is False
    assert there.filenos() == before, "the address is the same: the sockets stay"
    assert there.trouble == ""
    until("heard again", lambda: hears(here, there) and hears(there, here))


def test_interface_with_a_new_address_gets_a_new_socket_there(lan: Lan, stack: ExitStack) -> None:
    here, there = at(lan.host(1), stack), at(lan.host(2), stack)
    host, before = lan.host(2), there.filenos()
    host.ip("addr", "flush", "dev", "eth0")
    host.ip("addr", "add", "10.77.0.99/24", "dev", "eth0")
    with host.entered():
        assert there.rejoin() is True
        assert there.rejoin() is False
    assert there.address[0] == "10.77.0.99"
    assert there.filenos()[0] == before[0], "the group's socket has no reason to change"
    until("heard at the new address", lambda: hears(there, here) and hears(here, there))


@pytest.mark.parametrize("index", [2, 7], ids=["same_index", "other_index"])
def test_interface_removed_and_made_again_is_deaf_until_it_is_joined_again(
    lan: Lan, stack: ExitStack, index: int
) -> None:
    here, there = at(lan.host(1), stack), at(lan.host(2), stack)
    host = lan.host(2)
    host.ip("link", "del", "eth0")
    with host.entered():
        assert there.rejoin() is False
    assert "no interface eth0" in there.trouble
    assert not there.send_multicast(b"nowhere")
    assert there.send_errors
    lan.wire(host, index)
    assert not hears(here, there), "the kernel joins by itself: rejoin is not needed any more"
    with host.entered():
        assert there.rejoin() is False, "the address is the same: the sockets stay"
    until("heard on the new interface", lambda: hears(here, there) and hears(there, here))


def test_interface_down_is_refused_with_the_command_that_helps(lan: Lan, stack: ExitStack) -> None:
    lan.host(1).ip("link", "set", "eth0", "down")
    with pytest.raises(TransportError, match="ip link set eth0 up"):
        at(lan.host(1), stack)


def test_interface_without_address_is_refused_with_the_command_that_helps(
    lan: Lan, stack: ExitStack
) -> None:
    lan.host(1).ip("addr", "flush", "dev", "eth0")
    with pytest.raises(TransportError, match=r"ip addr add .* dev eth0"):
        at(lan.host(1), stack)
    with pytest.raises(TransportError, match=re.escape("eth0 (no address)")):
        at(lan.host(1), stack, Place("wlan0", PLACE.group, PLACE.port))


def test_firewall_that_forbids_sending_is_counted_and_named(lan: Lan, stack: ExitStack) -> None:
    if shutil.which("nft") is None:
        pytest.skip("needs nft: sudo apt install nftables")
    host, transport = lan.host(1), at(lan.host(1), stack)
    rules = "add table ip t; add chain ip t o {type filter hook output priority 0; policy drop;}"
    assert host.run(["nft", rules]).wait(DEADLINE_S) == 0
    assert not transport.send_multicast(b"x")
    assert transport.send_errors == {"EPERM": 1}
    assert "nft list ruleset" in transport.trouble
    assert host.run(["nft", "flush ruleset"]).wait(DEADLINE_S) == 0
    assert transport.send_multicast(b"x")
    assert transport.trouble == ""


LOOPBACK = """
import select
from rackgrid.adapters.multicast import Place, Transport
transport = Transport.open(Place("lo", "224.0.0.224", 8437))
assert transport.send_multicast(b"hello"), transport.trouble
select.select([transport.filenos()[0]], [], [], 10)
print(transport.receive()[0].data.decode())
"""


def test_loopback_alone_is_enough(lan: Lan) -> None:
    """A namespace with nothing but `lo`: no route, no address but its own."""
    lan.host(3).ip("link", "del", "eth0")
    process = lan.host(3).run([sys.executable, "-c", LOOPBACK], stdout=subprocess.PIPE)
    assert process.communicate(timeout=DEADLINE_S)[0] == "hello\n"


def test_endpoints_on_three_hosts_talk(lan: Lan, stack: ExitStack) -> None:
    ends = [
        Endpoint(at(host, stack), RING, NodeId(host.number), BootId(host.number))
        for host in lan.hosts
    ]
    heard: dict[int, list[Received]] = {end.node: [] for end in ends}

    def all_heard(counts: list[int]) -> bool:
        for end in ends:
            heard[end.node] += end.receive()
        return [len(said) for said in heard.values()] == counts

    ends[0].multicast(Leave(1))
    until("the others have heard it", lambda: all_heard([0, 1, 1]))
    for end in ends[1:]:
        assert heard[end.node] == [Received(NodeId(1), BootId(1), False, Leave(1))]
        until("it knows where to answer", lambda end=end: end.unicast(NodeId(1), Leave(2)))
    until("it is answered", lambda: all_heard([2, 1, 1]))
    assert {(r.sender, r.unicast) for r in heard[1]} == {(NodeId(2), True), (NodeId(3), True)}


def test_lan_hosts_are_apart_from_this_machine(lan: Lan) -> None:
    with lan.host(1).entered():
        inside = {name for _, name in socket.if_nameindex()}
    assert inside == {"lo", "eth0"}
    assert lan.host(1).run(["true"]).wait(DEADLINE_S) == 0


def test_lan_leaves_nothing_behind() -> None:
    with Lan(hosts=2) as lan:
        names = [host.namespace for host in lan.hosts] + [lan.bridge]
        sleeper = lan.host(1).run(["sleep", "1000"])
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert not any(name in listed for name in names)
    assert sleeper.returncode == -9
