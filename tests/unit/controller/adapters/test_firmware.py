"""The controller's end of the link, over real sockets; the other end is played by the test."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rackgrid.adapters.firmware import PACKETS_MAX, FirmwareLink
from rackgrid_firmware.device import Verdict
from rackgrid_firmware.link import (
    PACKET_MAX,
    VERSION,
    Attach,
    Attached,
    Hold,
    OutputState,
    Refused,
    Switched,
    Telemetry,
    decode,
    encode,
)

ATTACHED = Attached(VERSION, "demo", 2500, 6_000_000_000, 50_000_000, (), ())
TELEMETRY = Telemetry(1, (), ())
SWITCHED = Switched(2, OutputState("lamp", True, 1, 9, 0, "held", Verdict.OK))
REFUSED = Refused(3, "lamp", "busy", 0)


class Firmware:
    """A listening socket and the one connection that was accepted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen()
        self.peer: socket.socket | None = None

    def accept(self) -> socket.socket:
        self.peer, _ = self.listener.accept()
        return self.peer

    def close(self) -> None:
        self.listener.close()
        if self.peer is not None:
            self.peer.close()


@pytest.fixture
def firmware(tmp_path: Path) -> Iterator[Firmware]:
    made = Firmware(tmp_path / "firmware.sock")
    yield made
    made.close()


@pytest.fixture
def link(firmware: Firmware) -> Iterator[FirmwareLink]:
    made = FirmwareLink(firmware.path, 42)
    yield made
    made.close()


def attached(link: FirmwareLink, firmware: Firmware) -> socket.socket:
    assert link.connect()
    peer = firmware.accept()
    peer.recv(PACKET_MAX)
    return peer


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno >= logging.WARNING]


def test_link_introduces_itself_when_it_connects(link: FirmwareLink, firmware: Firmware) -> None:
    assert not link.connected
    assert link.fileno() == -1
    assert link.connect()
    assert link.connect(), "it is connected already, and nothing is sent twice"
    peer = firmware.accept()
    assert decode(peer.recv(PACKET_MAX)) == Attach(VERSION, 42)
    assert link.connected
    assert link.fileno() >= 0
    assert not os.get_blocking(link.fileno())
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(PACKET_MAX)


def test_link_carries_commands_out_and_reports_in_in_their_order(
    link: FirmwareLink, firmware: Firmware
) -> None:
    peer = attached(link, firmware)
    for report in (ATTACHED, TELEMETRY, SWITCHED, REFUSED):
        peer.send(encode(report))
    assert link.receive() == [ATTACHED, TELEMETRY, SWITCHED, REFUSED]
    assert link.receive() == []
    link.send(Hold(1, "lamp", 99))
    assert decode(peer.recv(PACKET_MAX)) == Hold(1, "lamp", 99)


def test_link_takes_a_limited_number_at_once(link: FirmwareLink, firmware: Firmware) -> None:
    peer = attached(link, firmware)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    peer.setblocking(False)
    sent = 0
    try:
        while sent < PACKETS_MAX + 3:
            peer.send(encode(TELEMETRY))
            sent += 1
    except BlockingIOError:
        pass  # the kernel's queue (net.unix.max_dgram_qlen) is shorter here
    taken = [len(link.receive()), len(link.receive())]
    assert max(taken) <= PACKETS_MAX
    assert sum(taken) == sent


def test_link_packet_that_is_no_message_is_dropped_and_said_once(
    link: FirmwareLink, firmware: Firmware, caplog: pytest.LogCaptureFixture
) -> None:
    peer = attached(link, firmware)
    caplog.clear()
    for _ in range(3):
        peer.send(b"{]")
    peer.send(encode(TELEMETRY))
    assert link.receive() == [TELEMETRY]
    assert link.connected
    assert len(warnings(caplog)) == 1
    assert "not a message" in warnings(caplog)[0]


def test_link_packet_that_is_cut_short_is_dropped_whole(
    link: FirmwareLink, firmware: Firmware, caplog: pytest.LogCaptureFixture
) -> None:
    """What is left of it may be JSON of its own, so the kernel's flag decides."""
    peer = attached(link, firmware)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    whole = encode(TELEMETRY)
    peer.send(whole + b" " * (PACKET_MAX - len(whole) + 1))
    peer.send(encode(SWITCHED))
    assert link.receive() == [SWITCHED]
    assert f"longer than {PACKET_MAX} bytes" in warnings(caplog)[-1]


def test_link_command_from_the_firmware_is_dropped(
    link: FirmwareLink, firmware: Firmware, caplog: pytest.LogCaptureFixture
) -> None:
    peer = attached(link, firmware)
    peer.send(encode(Hold(1, "lamp", 99)))
    assert link.receive() == []
    assert "sent a command" in warnings(caplog)[-1]
    assert link.connected


def test_link_that_the_firmware_closes_is_lost_after_what_was_still_in_it(
    link: FirmwareLink, firmware: Firmware
) -> None:
    peer = attached(link, firmware)
    peer.send(encode(SWITCHED))
    peer.close()
    assert link.receive() == [SWITCHED]
    assert link.lost
    assert not link.connected
    assert link.receive() == []


def test_link_that_is_lost_is_attached_anew(link: FirmwareLink, firmware: Firmware) -> None:
    attached(link, firmware).close()
    link.receive()
    link.lost = False
    peer = attached(link, firmware)
    peer.send(encode(ATTACHED))
    assert link.receive() == [ATTACHED]
    assert not link.lost


def test_link_whose_firmware_is_gone_is_lost_by_the_next_command(
    link: FirmwareLink, firmware: Firmware, caplog: pytest.LogCaptureFixture
) -> None:
    attached(link, firmware).close()
    link.send(Hold(1, "lamp", 99))
    assert link.lost
    assert "takes no command" in warnings(caplog)[-1]
    link.lost = False
    link.send(Hold(2, "lamp", 99))
    assert not link.lost, "what was lost once is not lost again"


def test_link_whose_firmware_does_not_read_is_lost_and_nothing_blocks(
    link: FirmwareLink, firmware: Firmware
) -> None:
    attached(link, firmware)
    for number in range(100_000):
        link.send(Hold(number, "lamp", 99))
        if not link.connected:
            break
    assert link.lost


@pytest.mark.parametrize(
    ("listening", "advice"),
    [(False, "start rackgrid-firmware.service"), (True, "attached")],
)
def test_link_attempt_is_said_once(
    tmp_path: Path, listening: bool, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "firmware.sock"
    firmware = Firmware(path)
    if not listening:
        firmware.listener.close()
    link = FirmwareLink(path, 1)
    with caplog.at_level(logging.INFO):
        assert [link.connect() for _ in range(3)] == [listening] * 3
    link.close()
    firmware.close()
    (line,) = [r.message for r in caplog.records]
    assert advice in line
    assert str(path) in line


def test_link_to_no_socket_at_all_is_advised_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not FirmwareLink(tmp_path / "none.sock", 1).connect()
    assert "it is not running" in warnings(caplog)[-1]


def test_link_to_a_path_that_no_socket_can_have_says_what_is_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not FirmwareLink(tmp_path / ("x" * 200), 1).connect()
    assert "path too long" in warnings(caplog)[-1]


def test_link_closed_detaches_without_a_word(link: FirmwareLink, firmware: Firmware) -> None:
    peer = attached(link, firmware)
    link.close()
    link.close()
    assert peer.recv(PACKET_MAX) == b""
    assert not link.lost
