"""Fails if a controller can make the firmware wait, grow or crash by what it sends or leaves."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rackgrid_firmware.link import (
    PACKET_MAX,
    Attach,
    Hold,
    Malformed,
    Refused,
    Telemetry,
    decode,
    encode,
)
from rackgrid_firmware.peer import QUEUE_MAX, Peer

TELEMETRY = Telemetry(5, (), ())


class Pair:
    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.theirs.settimeout(5)
        self.peer = Peer(ours)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.peer.close()
    made.theirs.close()


def test_peer_says_who_it_is(pair: Pair) -> None:
    assert (pair.peer.uid, pair.peer.pid) == (os.getuid(), os.getpid())
    assert pair.peer.fileno() >= 0


def test_peer_hands_over_what_was_sent_and_then_nothing(pair: Pair) -> None:
    pair.theirs.send(encode(Attach(1, 2)))
    assert pair.peer.receive() == Attach(1, 2)
    assert pair.peer.receive() is None
    assert not pair.peer.is_gone


def test_peer_packet_too_long_is_malformed(pair: Pair) -> None:
    pair.theirs.send(b"{" + b" " * PACKET_MAX)
    message = pair.peer.receive()
    assert isinstance(message, Malformed)
    assert "more than" in message.reason


def test_peer_report_from_a_controller_is_malformed(pair: Pair) -> None:
    pair.theirs.send(encode(Refused(1, "", "", 0)))
    assert isinstance(pair.peer.receive(), Malformed)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=200))
def test_peer_random_bytes_never_raise(pair: Pair, noise: bytes) -> None:
    pair.theirs.send(noise)
    assert pair.peer.receive() is not None


def test_peer_that_hung_up_is_gone_after_its_last_word(pair: Pair) -> None:
    pair.theirs.send(encode(Hold(1, "fan", 5)))
    assert not pair.peer.has_hung_up()
    pair.theirs.close()
    assert pair.peer.has_hung_up()
    assert pair.peer.receive() == Hold(1, "fan", 5)
    assert pair.peer.receive() is None
    assert pair.peer.is_gone


def test_peer_send_to_one_that_hung_up_marks_it_gone(pair: Pair) -> None:
    pair.theirs.close()
    pair.peer.send(TELEMETRY)
    assert pair.peer.is_gone


def test_peer_reset_connection_is_gone(pair: Pair) -> None:
    pair.peer.send(TELEMETRY)
    pair.theirs.close()  # with our packet unread: the kernel resets the connection
    assert pair.peer.receive() is None
    assert pair.peer.is_gone


def test_peer_telemetry_waits_until_the_last_one_was_read(pair: Pair) -> None:
    assert pair.peer.offer(TELEMETRY)
    assert not pair.peer.offer(TELEMETRY)
    pair.theirs.recv(PACKET_MAX)
    assert pair.peer.offer(TELEMETRY)


def test_peer_that_does_not_read_gets_the_newest_reports_in_order(pair: Pair) -> None:
    count = 0
    while not pair.peer.has_queued:
        count += 1
        pair.peer.send(Refused(count, "", "", 0))
    for _ in range(2 * QUEUE_MAX):
        count += 1
        pair.peer.send(Refused(count, "", "", 0))
    assert not pair.peer.offer(TELEMETRY)
    seen: list[int] = []
    while not seen or seen[-1] < count:
        message = decode(pair.theirs.recv(PACKET_MAX))
        assert isinstance(message, Refused)
        seen.append(message.seq)
        pair.peer.flush()
    assert seen == sorted(set(seen))
    assert len(seen) == count - QUEUE_MAX - 1, "the oldest of the queue were dropped"
    assert not pair.peer.has_queued


def test_peer_last_word_before_the_close_arrives_though_more_was_sent(pair: Pair) -> None:
    for seq in range(3):
        pair.theirs.send(encode(Hold(seq, "fan", 5)))
    pair.peer.send(Refused(0, "", "busy", 0))
    pair.peer.close()
    assert decode(pair.theirs.recv(PACKET_MAX)) == Refused(0, "", "busy", 0)
    assert pair.theirs.recv(PACKET_MAX) == b""
