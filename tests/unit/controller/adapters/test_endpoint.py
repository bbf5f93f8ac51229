"""Whole endpoints over real loopback multicast: seal, codec and transport together."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from rackgrid.adapters.endpoint import Endpoint, Received
from rackgrid.adapters.multicast import Place, Transport
from rackgrid.identity import BootId, NodeId, Pair, RackId, Round, Term
from rackgrid.wire.codec import encode
from rackgrid.wire.message import Heartbeat, Leave
from rackgrid.wire.seal import SENDERS_MAX, Keyring, Sealer
from rackgrid.wire.vocabulary import RejectReason

A, B = NodeId(0xA), NodeId(0xB)
BOOT = BootId(7)
RING = Keyring(1, {1: bytes(range(32))})
PAIR = Pair(Term(1), A, BOOT)
HEARTBEAT = Heartbeat(PAIR, 1, RackId(2), False, 3, 3, Round(0))
DEADLINE_S = 5.0

Make = Callable[..., Endpoint]


@pytest.fixture
def make() -> Iterator[Make]:
    """Open endpoints in one group of their own, and close them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        place = Place("lo", "224.0.0.224", sock.getsockname()[1])
    made: list[Endpoint] = []

    def open_one(node: NodeId, ring: Keyring = RING, boot: BootId = BOOT) -> Endpoint:
        made.append(Endpoint(Transport.open(place), ring, node, boot))
        return made[-1]

    yield open_one
    for endpoint in made:
        endpoint.close()


def hear(endpoint: Endpoint, done: Callable[[list[Received]], bool]) -> list[Received]:
    """Receive until the condition holds."""
    heard: list[Received] = []
    end = time.monotonic() + DEADLINE_S
    while not done(heard):
        left = end - time.monotonic()
        assert left > 0, f"heard {heard}, rejected {endpoint.rejected}"
        select.select(endpoint.filenos(), [], [], left)
        heard += endpoint.receive()
    return heard


def test_endpoint_multicast_reaches_the_others_and_its_own_echo_is_counted(make: Make) -> None:
    a, b = make(A), make(B)
    assert a.multicast(HEARTBEAT)
    assert hear(b, lambda heard: len(heard) == 1) == [Received(A, BOOT, False, HEARTBEAT)]
    assert hear(a, lambda _: a.rejected[RejectReason.OWN_ECHO] == 1) == []
    assert a.address_of(A) is None


def test_endpoint_answers_by_unicast_whoever_it_has_heard(make: Make) -> None:
    a, b = make(A), make(B)
    assert not b.unicast(A, Leave(1)), "nobody told it where that node is"
    a.multicast(HEARTBEAT)
    hear(b, lambda heard: len(heard) == 1)
    assert b.address_of(A) == a.transport.address
    assert b.unicast(A, Leave(1))
    assert hear(a, lambda heard: len(heard) == 1) == [Received(B, BOOT, True, Leave(1))]


def test_endpoint_finds_a_node_again_that_came_back_elsewhere(make: Make) -> None:
    a, b = make(A), make(B)
    a.multicast(HEARTBEAT)
    hear(b, lambda heard: len(heard) == 1)
    reborn = make(A, boot=BootId(8))
    reborn.multicast(HEARTBEAT)
    assert hear(b, lambda heard: len(heard) == 1)[0].boot == BootId(8)
    assert b.address_of(A) == reborn.transport.address


def test_endpoint_stranger_is_counted_and_neither_heard_nor_answered(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    b, stranger = make(B), make(A, Keyring(1, {1: bytes(32)}))
    for _ in range(3):
        stranger.multicast(HEARTBEAT)
    assert hear(b, lambda _: b.rejected[RejectReason.BAD_MAC] == 3) == []
    assert b.address_of(A) is None
    assert [r.levelno for r in caplog.records if "bad_mac" in r.message] == [logging.WARNING]


def test_endpoint_garbage_of_every_sort_is_counted_by_reason(make: Make) -> None:
    a, b = make(A), make(B)
    there = b.transport.address
    sealed = Sealer(RING, A, BOOT)
    a.transport.send_unicast(b"", there)
    a.transport.send_unicast(bytes(45), there)
    a.transport.send_unicast(bytes(9000), there)
    a.transport.send_unicast(sealed.seal_multicast(b"x"), there)
    a.transport.send_unicast(sealed.seal_unicast(b"\xee", B), there)
    a.transport.send_unicast(sealed.seal_unicast(b"\x09\x00", B), there)
    assert hear(b, lambda _: b.rejected.total() == 6) == []
    assert b.rejected == {
        RejectReason.TOO_SHORT: 1,
        RejectReason.FOREIGN_MAGIC: 1,
        RejectReason.TOO_LONG: 1,
        RejectReason.WRONG_DIRECTION: 1,
        RejectReason.UNKNOWN_KIND: 1,
        RejectReason.MALFORMED: 1,
    }


def test_endpoint_replayed_datagram_does_not_move_a_node(make: Make) -> None:
    """Whoever throws a recorded datagram back does not get the answers."""
    a, b, thief = make(A), make(B), make(NodeId(0xC))
    record = Sealer(RING, A, BOOT).seal_unicast(encode(Leave(1)), B)
    a.transport.send_unicast(record, b.transport.address)
    hear(b, lambda heard: len(heard) == 1)
    thief.transport.send_unicast(record, b.transport.address)
    hear(b, lambda _: b.rejected[RejectReason.REPLAYED] == 1)
    assert b.address_of(A) == a.transport.address


def test_endpoint_address_book_is_bounded(make: Make) -> None:
    b = make(B)
    sock = make(NodeId(0xC)).transport
    for number in range(SENDERS_MAX + 5):
        sealed = Sealer(RING, NodeId(1000 + number), BOOT)
        sock.send_unicast(sealed.seal_unicast(encode(Leave(1)), B), b.transport.address)
        hear(b, lambda heard: len(heard) == 1)
    assert len(b._addresses) == SENDERS_MAX
    assert b.address_of(NodeId(1000)) is None
    assert b.address_of(NodeId(1000 + SENDERS_MAX + 4)) is not None


def test_endpoint_rejoin_with_nothing_wrong_keeps_its_sockets(make: Make) -> None:
    a = make(A)
    before = a.filenos()
    assert a.rejoin() is False
    assert a.filenos() == before
