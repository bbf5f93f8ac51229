"""Fails if systemd hears something else than sd_notify(3) says."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rackgrid_firmware.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        yield receiver


def test_notifier_says_what_systemd_understands(systemd: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "2000000"})
    assert notifier.watchdog_ns == 2_000_000_000
    notifier.ready("2 outputs")
    notifier.status("3 outputs")
    notifier.ping()
    notifier.stopping()
    heard = [systemd.recv(4096) for _ in range(4)]
    assert heard == [
        b"READY=1\nSTATUS=2 outputs",
        b"STATUS=3 outputs",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]
    notifier.close()
    notifier.ping()
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(4096)


def test_notifier_abstract_address_is_reached() -> None:
    name = f"rackgrid-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        receiver.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": f"@{name}"})
        notifier.ping()
        assert receiver.recv(4096) == b"WATCHDOG=1"
        notifier.close()


def test_notifier_nobody_listens_is_no_error(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notifier.ready("up")
    notifier.close()
    Notifier({}).ready("up")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"},
    ],
)
def test_notifier_without_a_watchdog_for_us_has_none(
    systemd: socket.socket, environ: dict[str, str]
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd.getsockname()} | environ)
    assert notifier.watchdog_ns is None
    notifier.close()
