"""The daemon's words to systemd, received by a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rackgrid.adapters.systemd import STATUS_MAX, Notifier, secret_file


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(5)
        listening.bind(str(tmp_path / "notify"))
        yield listening


@pytest.fixture
def notifier(manager: socket.socket) -> Iterator[Notifier]:
    made = Notifier(str(manager.getsockname()))
    yield made
    made.close()


def test_ready_sent_reaches_manager_in_one_datagram(
    manager: socket.socket, notifier: Notifier
) -> None:
    assert notifier.ready("joining")
    assert manager.recv(4096) == b"READY=1\nSTATUS=joining"


def test_messages_sent_arrive_in_order(manager: socket.socket, notifier: Notifier) -> None:
    assert notifier.watchdog()
    assert notifier.status("broker, 0.250 EUR")
    assert notifier.stopping("detaching")
    received = [manager.recv(4096) for _ in range(3)]
    assert received == [
        b"WATCHDOG=1",
        b"STATUS=broker, 0.250 EUR",
        b"STOPPING=1\nSTATUS=detaching",
    ]


def test_status_with_newline_cannot_smuggle_an_assignment(
    manager: socket.socket, notifier: Notifier
) -> None:
    notifier.status("fine\nMAINPID=1")
    assert manager.recv(4096) == b"STATUS=fine MAINPID=1"


def test_status_too_long_is_cut(manager: socket.socket, notifier: Notifier) -> None:
    notifier.status("x" * 5000)
    assert len(manager.recv(8192)) == len("STATUS=") + STATUS_MAX


def test_abstract_address_is_reached() -> None:
    name = f"rackgrid-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(5)
        listening.bind("\0" + name)
        notifier = Notifier("@" + name)
        assert notifier.watchdog()
        assert listening.recv(64) == b"WATCHDOG=1"
        notifier.close()


def test_nobody_listens_send_reports_failure_and_does_not_raise(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "gone"))
    assert notifier.active
    assert not notifier.watchdog()
    notifier.close()


def test_manager_that_does_not_read_never_blocks_the_daemon(
    manager: socket.socket, notifier: Notifier
) -> None:
    # Blocks for ever (and meets the test's time limit) if the socket were a blocking one.
    outcomes = [notifier.watchdog() for _ in range(10_000)]
    assert outcomes[0]
    assert not outcomes[-1]


def test_no_systemd_everything_is_silent() -> None:
    notifier = Notifier.from_environment({})
    assert not notifier.active
    assert notifier.watchdog_s is None
    assert not notifier.ready("x")
    notifier.close()


def test_closed_twice_stays_silent(notifier: Notifier) -> None:
    notifier.close()
    notifier.close()
    assert not notifier.watchdog()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({}, None),
    ],
)
def test_watchdog_interval_read_from_environment_is_ours_or_none(
    environ: dict[str, str], expected: float | None
) -> None:
    assert Notifier.from_environment(environ).watchdog_s == expected


def test_secret_with_credential_is_read_from_systemd(tmp_path: Path) -> None:
    (tmp_path / "mqtt.password").write_text("s")
    configured = Path("/etc/rackgrid/mqtt.password")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert secret_file(configured, environ) == tmp_path / "mqtt.password"


def test_secret_without_credential_is_read_where_configured(tmp_path: Path) -> None:
    configured = Path("/etc/rackgrid/mqtt.password")
    assert secret_file(configured, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == configured
    assert secret_file(configured, {}) == configured
