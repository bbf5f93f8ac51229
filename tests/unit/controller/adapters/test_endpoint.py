"""Whole endpoints over real loopback multicast: seal, codec and transport together."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from rackgrid.adapters.endpoint import JOINS_BURST, JUNK_PER_S, Endpoint, Received
from rackgrid.adapters.multicast import Place, Transport
from rackgrid.core.view import SuspectView
from rackgrid.identity import BootId, NodeId, Pair, RackId, Round, Term
from rackgrid.wire.codec import encode
from rackgrid.wire.message import Heartbeat, Join, Leave
from rackgrid.wire.opener import SENDERS_MAX
from rackgrid.wire.peer import MESSAGES_BURST
from rackgrid.wire.post import Kind, Post
from rackgrid.wire.post import encode as encode_post
from rackgrid.wire.seal import Keyring
from rackgrid.wire.vocabulary import RejectReason

A, B, C = NodeId(0xA), NodeId(0xB), NodeId(0xC)
BOOT, NEXT = BootId(7), BootId(8)
RING = Keyring(1, {1: bytes(range(32))})
PAIR = Pair(Term(1), A, BOOT)
HEARTBEAT = Heartbeat(PAIR, 1, RackId(2), False, 3, 3, Round(0))
DEADLINE_S = 5.0


class Rack:
    """Endpoints in one group of their own, each read as a running node reads it."""

    def __init__(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("", 0))
            self._place = Place("lo", "224.0.0.224", sock.getsockname()[1])
        self._heard: dict[Endpoint, list[Received]] = {}

    def open(self, node: NodeId, ring: Keyring = RING, boot: BootId = BOOT) -> Endpoint:
        """Open an endpoint."""
        endpoint = Endpoint(Transport.open(self._place), ring, node, boot)
        self._heard[endpoint] = []
        return endpoint

    def until(self, condition: Callable[[], object]) -> None:
        """Let all of them receive until the condition holds."""
        end = time.monotonic() + DEADLINE_S
        while not condition():
            left = end - time.monotonic()
            assert left > 0, [(heard, e.rejected) for e, heard in self._heard.items()]
            watched = [number for endpoint in self._heard for number in endpoint.filenos()]
            select.select(watched, [], [], min(left, 0.05))
            for endpoint, heard in self._heard.items():
                heard += endpoint.receive()

    def hear(self, endpoint: Endpoint, count: int) -> list[Received]:
        """Return the next so many messages that one of them hears."""
        heard = self._heard[endpoint]
        self.until(lambda: len(heard) >= count)
        taken, self._heard[endpoint] = heard[:count], heard[count:]
        return taken

    def meet(self, a: Endpoint, b: Endpoint) -> None:
        """Let two get to know each other, and forget what else was heard."""
        a.multicast(Leave(0))
        b.multicast(Leave(0))
        self.until(lambda: a.address_of(b.node) and b.address_of(a.node))
        for heard in self._heard.values():
            heard.clear()

    def silent(self, endpoint: Endpoint) -> bool:
        """Whether it has heard nothing that was not taken."""
        return not self._heard[endpoint]

    def end(self, endpoint: Endpoint) -> None:
        """Close one."""
        endpoint.close()
        del self._heard[endpoint]

    def close(self) -> None:
        """Close them all."""
        for endpoint in self._heard:
            endpoint.close()


@pytest.fixture
def rack() -> Iterator[Rack]:
    made = Rack()
    yield made
    made.close()


def test_endpoint_first_multicast_reaches_whoever_does_not_know_its_sender(rack: Rack) -> None:
    """Its sender proves itself and restates it: no beacon has to be waited for."""
    a, b = rack.open(A), rack.open(B)
    assert a.multicast(HEARTBEAT)
    assert rack.hear(b, 1) == [Received(A, BOOT, False, HEARTBEAT)]
    rack.until(lambda: a.rejected[RejectReason.OWN_ECHO] == 1)
    assert b.rejected == {RejectReason.UNPROVEN: 1}
    assert a.address_of(A) is None
    rack.until(lambda: a.address_of(B))
    assert a.unicast(B, Leave(1)), "and the other is known by then as well"
    assert rack.hear(b, 1) == [Received(A, BOOT, True, Leave(1))]


def test_endpoint_restates_nothing_old(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rackgrid.adapters.endpoint.RESTATE_NS", -1)
    a, b = rack.open(A), rack.open(B)
    a.multicast(Leave(1))
    rack.until(lambda: b.address_of(A))
    a.multicast(Leave(2))
    assert rack.hear(b, 1) == [Received(A, BOOT, False, Leave(2))]


def test_endpoint_answers_by_unicast_whoever_it_has_heard(rack: Rack) -> None:
    a, b = rack.open(A), rack.open(B)
    assert not b.unicast(A, Leave(1)), "nobody told it where that node is"
    rack.meet(a, b)
    assert b.address_of(A) == a.transport.address
    assert b.unicast(A, Leave(1))
    assert rack.hear(a, 1) == [Received(B, BOOT, True, Leave(1))]


def test_endpoint_finds_a_node_again_that_came_back_elsewhere(rack: Rack) -> None:
    a, b = rack.open(A), rack.open(B)
    rack.meet(a, b)
    rack.end(a)
    reborn = rack.open(A, boot=NEXT)
    reborn.multicast(HEARTBEAT)
    assert rack.hear(b, 1)[0].boot == NEXT
    assert b.address_of(A) == reborn.transport.address
    assert b.suspects() == (), "a restart is no clone"


def cloned(endpoint: Endpoint) -> list[SuspectView]:
    return [one for one in endpoint.suspects() if one.fault == "cloned"]


def test_endpoint_two_machines_of_one_identity_are_named_and_not_heard(
    rack: Rack, caplog: pytest.LogCaptureFixture
) -> None:
    one, two, b = rack.open(A), rack.open(A, boot=NEXT), rack.open(B)
    end = time.monotonic() + DEADLINE_S
    while not (cloned(b) and cloned(one)):
        assert time.monotonic() < end
        rack.until(lambda: True)
        one.multicast(Leave(1))
        two.multicast(Leave(2))
        for endpoint in (one, two, b):
            select.select(endpoint.filenos(), [], [], 0.01)
            endpoint.receive()
    (suspect,) = cloned(b)
    assert suspect.id == f"{A:016x}"
    assert f"{BOOT:016x}" in suspect.detail
    assert "delete `identity`" in suspect.detail
    assert "this node's identity" in cloned(one)[0].detail
    said = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert sum("is cloned: two machines run with its identity" in line for line in said) == 1
    one.multicast(Leave(3))
    refused = b.rejected[RejectReason.CLONED]
    while b.rejected[RejectReason.CLONED] == refused:
        select.select(b.filenos(), [], [], DEADLINE_S)
        assert b.receive() == []


def test_endpoint_stranger_is_counted_and_neither_heard_nor_answered(
    rack: Rack, caplog: pytest.LogCaptureFixture
) -> None:
    b, stranger = rack.open(B), rack.open(A, Keyring(1, {1: bytes(32)}))
    for _ in range(3):
        stranger.multicast(HEARTBEAT)
    rack.until(lambda: b.rejected[RejectReason.BAD_MAC] == 3)
    assert rack.silent(b)
    assert b.address_of(A) is None
    assert [r.levelno for r in caplog.records if "bad_mac" in r.message] == [logging.WARNING]


def test_endpoint_garbage_of_every_sort_is_counted_by_reason(rack: Rack) -> None:
    a, b = rack.open(A), rack.open(B)
    rack.meet(a, b)
    b.rejected.clear()
    there, sealer = b.transport.address, a._sealer
    a.transport.send_unicast(b"", there)
    a.transport.send_unicast(bytes(45), there)
    a.transport.send_unicast(bytes(9000), there)
    a.transport.send_unicast(sealer.seal_multicast(b"x"), there)
    a.transport.send_unicast(sealer.seal_unicast(b"\xee", B), there)
    a.transport.send_unicast(sealer.seal_unicast(b"\x09\x00", B), there)
    rack.until(lambda: b.rejected.total() == 6)
    assert rack.silent(b)
    assert b.rejected == {
        RejectReason.TOO_SHORT: 1,
        RejectReason.FOREIGN_MAGIC: 1,
        RejectReason.TOO_LONG: 1,
        RejectReason.WRONG_DIRECTION: 1,
        RejectReason.UNKNOWN_KIND: 1,
        RejectReason.MALFORMED: 1,
    }


def test_endpoint_replayed_datagram_does_not_move_a_node(rack: Rack) -> None:
    """Whoever throws a recorded datagram back does not get the answers."""
    a, b, thief = rack.open(A), rack.open(B), rack.open(C)
    rack.meet(a, b)
    record = a._sealer.seal_unicast(encode(Leave(1)), B)
    a.transport.send_unicast(record, b.transport.address)
    rack.hear(b, 1)
    thief.transport.send_unicast(record, b.transport.address)
    rack.until(lambda: b.rejected[RejectReason.REPLAYED] == 1)
    assert b.address_of(A) == a.transport.address


def test_endpoint_recorded_datagram_means_nothing_to_a_rebooted_node(rack: Rack) -> None:
    """Fails if a grant, a price or a command of before could be played to it."""
    a, b, thief = rack.open(A), rack.open(B), rack.open(C)
    rack.meet(a, b)
    rack.meet(thief, b)
    record = a._sealer.seal_unicast(encode(Leave(1)), B)
    rack.end(b)
    reborn = rack.open(B, boot=NEXT)
    thief.transport.send_unicast(record, reborn.transport.address)
    rack.until(lambda: reborn.rejected[RejectReason.UNPROVEN] == 1)
    # It was asked where the thief is; a heartbeat later, there is another question for it.
    rack.until(lambda: a.multicast(HEARTBEAT) and reborn.address_of(A))
    rack.hear(reborn, 1)
    reborn.rejected.clear()
    thief.transport.send_unicast(record, reborn.transport.address)
    rack.until(lambda: reborn.rejected[RejectReason.REPLAYED] == 1)
    assert Received(A, BOOT, True, Leave(1)) not in rack._heard[reborn]
    assert reborn.address_of(A) == a.transport.address


def test_endpoint_that_floods_is_throttled_and_named(
    rack: Rack, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = rack.open(A), rack.open(B), rack.open(C)
    rack.meet(a, b)
    rack.meet(c, b)
    for burst in range(2 * MESSAGES_BURST // 50):
        for _ in range(50):
            a.unicast(B, Leave(burst))
        for _ in range(2):
            b.receive()
    rack.until(lambda: b.rejected[RejectReason.THROTTLED])
    (suspect,) = b.suspects()
    assert suspect == SuspectView(f"{A:016x}", "throttled", suspect.detail)
    assert [r for r in caplog.records if f"node {A:016x} is throttled" in r.message]
    c.unicast(B, Leave(9))
    rack.until(lambda: Received(C, BOOT, True, Leave(9)) in rack._heard[b])


def test_endpoint_rotation_is_noticed_by_nobody(rack: Rack) -> None:
    both, new = Keyring(2, {**RING.keys, 2: bytes(32)}), Keyring(2, {2: bytes(32)})
    a, b = rack.open(A), rack.open(B)
    rack.meet(a, b)
    b.rejected.clear()
    a.use(Keyring(1, both.keys))
    b.use(both)
    assert b.unicast(A, Leave(1))
    assert rack.hear(a, 1)[0].message == Leave(1)
    a.use(new)
    assert a.unicast(B, Leave(2))
    assert rack.hear(b, 1)[0].message == Leave(2)
    assert b.sealed_with() == {A: 2}
    assert not b.rejected


def test_endpoint_address_book_is_bounded(rack: Rack) -> None:
    b = rack.open(B)
    for number in range(SENDERS_MAX + 5):
        b._locate(NodeId(1000 + number), ("127.0.0.1", 1), key=1)
    assert len(b._addresses) == SENDERS_MAX
    assert b.address_of(NodeId(1000)) is None
    assert b.address_of(NodeId(1000 + SENDERS_MAX + 4)) is not None


def test_endpoint_rejoin_with_nothing_wrong_keeps_its_sockets(rack: Rack) -> None:
    a = rack.open(A)
    before = a.filenos()
    assert a.rejoin() is False
    assert a.filenos() == before


def test_post_goes_to_the_clerk_and_never_to_what_decides(rack: Rack) -> None:
    """Fails if a copy of a bill can reach the path that keeps loads on, or is lost beside it."""
    a, b = rack.open(A), rack.open(B)
    rack.meet(a, b)
    posts: list[tuple[NodeId, bytes]] = []
    post = encode_post(Post(Kind.SEARCH, A))
    b.post = lambda sender, payload: posts.append((sender, payload))
    b.send_post(C, post)
    a.send_post(None, post)
    assert a.multicast(HEARTBEAT)
    assert rack.hear(b, 1) == [Received(A, BOOT, False, HEARTBEAT)]
    assert posts == [(A, post)]
    b.send_post(A, post)
    rack.until(lambda: a.rejected[RejectReason.UNKNOWN_KIND] == 1)


def test_endpoint_under_a_flood_of_garbage_raises_its_shield_and_lowers_it_again(
    rack: Rack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = rack.open(A), rack.open(B)
    rack.meet(a, b)
    there, sent = b.transport.address, 0
    while not b.transport.dropped:
        assert sent < 100 * JUNK_PER_S
        a.transport.send_unicast(bytes(100), there)
        sent += 1
        b.receive()
    assert b.rejected[RejectReason.FOREIGN_MAGIC] <= 3 * JUNK_PER_S
    assert a.unicast(B, Leave(1))
    assert rack.hear(b, 1) == [Received(A, BOOT, True, Leave(1))]
    b.rejoin()
    assert b.rejected[RejectReason.FILTERED] == b.transport.dropped
    assert sum("a flood of datagrams" in r.message for r in caplog.records) == 1
    monkeypatch.setattr("rackgrid.adapters.endpoint.SHIELD_NS", -1)
    b.rejoin()
    counted = b.rejected[RejectReason.FOREIGN_MAGIC]
    a.transport.send_unicast(bytes(100), there)
    rack.until(lambda: b.rejected[RejectReason.FOREIGN_MAGIC] == counted + 1)


def test_endpoint_hears_so_many_joins_and_no_more(rack: Rack) -> None:
    """Of all senders together: none of these two says more than it may."""
    a, b, c = rack.open(A), rack.open(B), rack.open(C)
    for one in (a, c):
        rack.meet(one, b)
    for one in (a, c):
        for seq in range(JOINS_BURST):
            one.unicast(B, Join(1, "pi", 5, 1000, False, 2, PAIR, RackId(2), seq))
        one.unicast(B, Leave(7))
    for sender in (A, C):
        rack.until(lambda sender=sender: Received(sender, BOOT, True, Leave(7)) in rack._heard[b])
    joins = sum(isinstance(one.message, Join) for one in rack._heard[b])
    assert JOINS_BURST <= joins < 2 * JOINS_BURST
    assert b.rejected[RejectReason.THROTTLED] == 2 * JOINS_BURST - joins
    assert b.suspects() == (), "no sender is blamed for what all have said"
