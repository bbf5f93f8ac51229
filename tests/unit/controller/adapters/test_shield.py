"""The filter on real sockets of loopback: what it lets through, and what it turns away."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from rackgrid.adapters import shield
from rackgrid.adapters.multicast import Place, Transport
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import DATAGRAM_MAX
from rackgrid.wire.proof import Proof
from rackgrid.wire.seal import PAYLOAD_MAX, Keyring, Sealer

HERE = NodeId(1)
SEALER = Sealer(Keyring(1, {1: bytes(32)}), HERE, BootId(2))
MULTICASTS = [SEALER.seal_multicast(b""), SEALER.seal_multicast(bytes(PAYLOAD_MAX))]
UNICASTS = [SEALER.seal_unicast(bytes(PAYLOAD_MAX), HERE), SEALER.seal_proof(Proof(HERE, 1))]
JUNK = [
    b"",
    b"RG\x01\x01",
    MULTICASTS[0][:-1],
    MULTICASTS[1] + b"x",
    bytes(DATAGRAM_MAX),
    bytes(9000),
    b"RG\x02" + MULTICASTS[1][3:],
    b"GR" + UNICASTS[0][2:],
    UNICASTS[0][:4] + b"\x03" + UNICASTS[0][5:],
]


@pytest.fixture
def transport() -> Iterator[Transport]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        place = Place("lo", "224.0.0.224", probe.getsockname()[1])
    opened = Transport.open(place)
    yield opened
    opened.close()


def arrived(transport: Transport, count: int) -> list[tuple[bytes, bool]]:
    """Take what has come; on loopback, what was sent has arrived."""
    found: list[tuple[bytes, bool]] = []
    while len(found) < count:
        ready, _, _ = select.select(transport.filenos(), [], [], 5)
        assert ready, f"{len(found)} of {count} came"
        found += [(d.data, d.unicast) for d in transport.receive()]
    return found


def send_all(transport: Transport) -> int:
    """Send junk and what is ours to both sockets, each also to the wrong one."""
    sent = [*JUNK, *MULTICASTS, *UNICASTS]
    for datagram in sent:
        assert transport.send_multicast(datagram)
        assert transport.send_unicast(datagram, transport.address)
    return 2 * len(sent)


def test_shield_lets_through_what_may_be_ours_and_the_kernel_counts_the_rest(
    transport: Transport,
) -> None:
    transport.shield(True)
    transport.shield(True)
    total = send_all(transport)
    passed = [(each, False) for each in MULTICASTS] + [(each, True) for each in UNICASTS]
    assert sorted(arrived(transport, len(passed))) == sorted(passed)
    assert transport.dropped == total - len(passed)
    assert transport.trouble == ""


def test_shield_taken_away_lets_everything_through_again(transport: Transport) -> None:
    transport.shield(True)
    transport.shield(False)
    total = send_all(transport)
    assert len(arrived(transport, total)) == total
    assert transport.dropped == 0


@pytest.fixture
def plain() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


def test_shield_that_is_not_there_cannot_be_taken_away(plain: socket.socket) -> None:
    with pytest.raises(FileNotFoundError):
        shield.detach(plain)


def test_shield_that_is_no_program_is_refused_by_the_kernel(plain: socket.socket) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        shield.attach(plain, b"\xff" * 8)
