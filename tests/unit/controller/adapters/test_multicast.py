"""Real sockets on loopback: what they take, what they refuse, and what they say about it."""

from __future__ import annotations

import errno
import logging
import select
import socket
import time
from collections.abc import Iterator

import pytest

from rackgrid.adapters import multicast
from rackgrid.adapters.multicast import Datagram, Place, Transport
from rackgrid.errors import TransportError
from rackgrid.wire.message import DATAGRAM_MAX

GROUP = "224.0.0.224"
DEADLINE_S = 5.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        port: int = sock.getsockname()[1]
        return port


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


@pytest.fixture
def place() -> Place:
    return Place("lo", GROUP, free_port())


@pytest.fixture
def transport(place: Place) -> Iterator[Transport]:
    opened = Transport.open(place)
    yield opened
    opened.close()


def test_transport_own_multicast_comes_back_from_the_own_address(transport: Transport) -> None:
    assert transport.send_multicast(b"hello")
    assert collect(transport, 1) == [Datagram(b"hello", False, transport.address)]


def test_transport_reply_to_the_source_of_a_multicast_is_a_unicast(
    place: Place, transport: Transport
) -> None:
    other = Transport.open(place)
    try:
        transport.send_multicast(b"who is there")
        (heard,) = collect(other, 1)
        assert other.send_unicast(b"me", heard.address)
        answers = [d for d in collect(transport, 2) if d.unicast]
        assert answers == [Datagram(b"me", True, other.address)]
    finally:
        other.close()


def test_receive_nothing_there_returns_at_once_with_nothing(transport: Transport) -> None:
    assert transport.receive() == []


def test_receive_batch_is_a_bound_per_socket(transport: Transport) -> None:
    for number in range(5):
        transport.send_multicast(bytes((number,)))
        transport.send_unicast(bytes((number,)), transport.address)
    select.select([transport.filenos()[0]], [], [], DEADLINE_S)
    select.select([transport.filenos()[1]], [], [], DEADLINE_S)
    first = transport.receive(batch=2)
    assert [d.unicast for d in first] == [True, True, False, False]
    assert len(first) + len(collect(transport, 6)) == 10


def test_receive_datagram_that_was_cut_is_longer_than_any_may_be(transport: Transport) -> None:
    transport.send_unicast(bytes(DATAGRAM_MAX), transport.address)
    transport.send_unicast(bytes(9000), transport.address)
    sizes = [len(d.data) for d in collect(transport, 2)]
    assert sizes == [DATAGRAM_MAX, DATAGRAM_MAX + 1]


def test_transport_keeps_multicasts_on_the_link_and_has_room_for_a_burst(
    transport: Transport,
) -> None:
    own, group = transport._own, transport._group
    assert own.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1
    assert group.getsockopt(socket.IPPROTO_IP, 49) == 0, "IP_MULTICAST_ALL is on"
    for sock in (own, group):
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 256 * 1024


def test_open_interface_missing_lists_those_that_exist(place: Place) -> None:
    with pytest.raises(TransportError, match=r"no interface eth99.* lo \(127\.0\.0\.1\)"):
        Transport.open(Place("eth99", GROUP, place.port))


@pytest.mark.parametrize("group", ["10.0.0.1", "ff02::1", "somewhere"])
def test_open_address_that_is_no_group_is_refused(place: Place, group: str) -> None:
    with pytest.raises(TransportError, match="no IPv4 multicast group"):
        Transport.open(Place("lo", group, place.port))


def test_open_port_held_by_another_program_says_how_to_find_it(place: Place) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hog:
        hog.bind(("", place.port))
        with pytest.raises(TransportError, match=f"ss -ulpn sport = :{place.port}") as caught:
            Transport.open(place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EPERM, "firewall"),
        (errno.EACCES, "CAP_NET_BIND_SERVICE"),
        (errno.ENETUNREACH, "ip link set lo up"),
        (errno.ENETDOWN, "ip route add"),
        (errno.ENOBUFS, "too many groups"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_advice_each_cause_has_its_remedy_in_one_line(
    place: Place, number: int, advice: str
) -> None:
    text = multicast._advice(place, OSError(number, "Input/output error"))
    assert advice in text
    assert "\n" not in text


def test_send_that_fails_is_counted_said_once_and_said_when_over(
    transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rackgrid")
    too_long = bytes(70_000)
    assert not transport.send_unicast(too_long, transport.address)
    assert not transport.send_unicast(too_long, transport.address)
    assert transport.send_errors == {"EMSGSIZE": 2}
    assert "Message too long" in transport.trouble
    assert len(caplog.records) == 1
    assert transport.send_unicast(b"short", transport.address)
    assert transport.trouble == ""
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]


def test_rejoin_nothing_changed_keeps_the_sockets(transport: Transport) -> None:
    before = transport.filenos()
    assert transport.rejoin() is False
    assert transport.filenos() == before
    assert transport.trouble == ""


def test_rejoin_membership_lost_is_joined_again() -> None:
    """What the interface does to a socket when its last address goes, done to the socket."""
    port = free_port()
    group = f"239.255.{port >> 8}.{port & 255}"  # nobody else on this machine is in it
    index = socket.if_nametoindex("lo")
    transport = Transport.open(Place("lo", group, port))
    try:
        multicast._membership(transport._group, socket.IP_DROP_MEMBERSHIP, group, index)
        assert not multicast._joined(index, group)
        assert transport.rejoin() is False
        assert multicast._joined(index, group)
        transport.send_multicast(b"heard again")
        assert collect(transport, 1)[0].data == b"heard again"
    finally:
        transport.close()


def test_rejoin_interface_gone_is_a_trouble_and_no_exception(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(transport, "place", Place("eth99", GROUP, transport.place.port))
        assert transport.rejoin() is False
        assert "no interface eth99" in transport.trouble
    transport.rejoin()
    assert transport.trouble == ""


def test_place_shown_names_group_port_and_interface() -> None:
    assert str(Place("eth0", GROUP, 8437)) == "224.0.0.224:8437 on eth0"
