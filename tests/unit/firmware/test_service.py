"""Fails if the loop misses a deadline, listens to the wrong controller, or dies of one.

The loop runs in a thread, over a board whose pins and chips are in this process; what it takes real
processes to show is in `tests/rack`.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rackgrid_firmware.board import Board, Ways
from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.guard_rules import LOCKED
from rackgrid_firmware.link import (
    PACKET_MAX,
    VERSION,
    Attach,
    Attached,
    Clear,
    Command,
    Hold,
    Lock,
    MakeSafe,
    Refused,
    Release,
    Report,
    Switched,
    Telemetry,
    decode,
    encode,
)
from rackgrid_firmware.listener import listen_at
from rackgrid_firmware.mock.pins import PlantFactory
from rackgrid_firmware.notify import Notifier
from rackgrid_firmware.output import Outputs
from rackgrid_firmware.profile import OutputMock, OutputProfile, Profile
from rackgrid_firmware.service import LOBBY_MAX, Service, main

S = 1_000_000_000
PATIENCE_S = 10.0
FAN = OutputProfile("fan", 17, True, False, 12.0, 12.0, 0.0, 0.0, 0.0, "", OutputMock(10.0, 0.0))
PROFILE = Profile("bench", "mock", 3.0, 5.0, 0.0, (), (FAN,))
R = TypeVar("R", bound=Report)


class Pins:
    """Levels that can be waited on, and broken."""

    def __init__(self) -> None:
        self.level = True
        self.is_broken = False
        self._news = threading.Condition()

    def modulate(self, gpio: int, duty: float, hz: float) -> None:
        raise AssertionError(f"GPIO {gpio} pulses at {hz} Hz, {duty}: nothing here modulates")

    def drive(self, gpio: int, level: bool) -> None:
        assert gpio == FAN.gpio
        if self.is_broken:
            raise DeviceUnavailable("GPIO 17 is broken")
        with self._news:
            self.level = level
            self._news.notify_all()

    def wait_for(self, level: bool) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.level == level, timeout=PATIENCE_S)


class Link:
    """A controller."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))

    def send(self, command: Command) -> None:
        self.socket.send(encode(command))

    def take(self, kind: type[R]) -> R:
        while True:
            packet = self.socket.recv(PACKET_MAX)
            assert packet, f"hung up before a {kind.__name__}"
            report = decode(packet)
            if isinstance(report, kind):
                return report


class Bench:
    """A running service and all that it stands on."""

    def __init__(self, room: Path, uids: frozenset[int], environ: dict[str, str]) -> None:
        self.path = room / "s"
        self.pins = Pins()
        ways = Ways(lambda: PlantFactory(self.pins), _no_bus, lambda: None)
        self.board = Board(PROFILE, ways)
        self.notifier = Notifier(environ)
        self.service = Service(
            self.board,
            Outputs(PROFILE, self.board.relays),
            listen_at(str(self.path)),
            notifier=self.notifier,
            uids=uids,
            telemetry_ns=S // 50,
        )
        self.fault: Exception | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.links: list[Link] = []

    def connect(self, generation: int | None = None) -> Link:
        link = Link(self.path)
        self.links.append(link)
        if generation is not None:
            link.send(Attach(VERSION, generation))
        return link

    def end(self) -> None:
        self.service.stop("the test ends")
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()

    def close(self) -> None:
        self.end()
        for link in self.links:
            link.socket.close()
        self.service.close()
        self.pins.is_broken = False
        self.board.close()
        self.notifier.close()

    def _run(self) -> None:
        try:
            self.service.run()
        except DeviceUnavailable as fault:
            self.fault = fault


def _no_bus(_: int) -> Any:
    raise AssertionError("there are no meters")


Build = Callable[..., Bench]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    built: list[Bench] = []

    def make(uids: frozenset[int] | None = None, environ: dict[str, str] | None = None) -> Bench:
        allowed = frozenset({os.getuid()}) if uids is None else uids
        built.append(Bench(tmp_path, allowed, environ or {}))
        return built[-1]

    yield make
    for bench in built:
        bench.close()


def test_service_attached_controller_is_told_the_board_and_hears_telemetry(build: Build) -> None:
    link = build().connect(generation=1)
    told = link.take(Attached)
    assert (told.version, told.board) == (VERSION, "bench")
    assert link.take(Telemetry).outputs == told.outputs
    link.send(Attach(VERSION, 1))
    assert link.take(Attached) == told, "asked again, it answers again"


def test_service_hold_switches_and_its_deadline_opens(build: Build) -> None:
    bench = build()
    link = bench.connect(generation=1)
    deadline_ns = time.monotonic_ns() + S // 5
    link.send(Hold(1, "fan", deadline_ns))
    on, off = link.take(Switched), link.take(Switched)
    assert (on.state.on, on.handled) == (True, 1)
    assert (off.state.on, off.state.cause) == (False, "deadline")
    assert off.t_ns >= deadline_ns
    bench.pins.wait_for(False)


def test_service_deadline_is_kept_when_nobody_is_attached(build: Build) -> None:
    bench = build()
    link = bench.connect(generation=1)
    link.send(Hold(1, "fan", time.monotonic_ns() + S // 5))
    assert link.take(Switched).state.on
    link.socket.close()
    bench.pins.wait_for(False)


def test_service_release_and_make_safe_open_at_once(build: Build) -> None:
    link = build().connect(generation=1)
    for seq, command in enumerate((Release(2, "fan", urgent=True), MakeSafe(4))):
        link.send(Hold(2 * seq + 1, "fan", time.monotonic_ns() + 4 * S))
        assert link.take(Switched).state.on
        link.send(command)
        assert not link.take(Switched).state.on


def test_service_locked_output_is_held_by_nobody_until_it_is_unlocked(build: Build) -> None:
    link = build().connect(generation=1)
    link.send(Lock(1, "fan", True))
    link.send(Hold(2, "fan", time.monotonic_ns() + 4 * S))
    assert link.take(Refused).reason == LOCKED
    assert link.take(Telemetry).outputs[0].is_locked
    link.send(Lock(3, "fan", False))
    link.send(Clear(4, "fan"))
    link.send(Hold(5, "fan", time.monotonic_ns() + 4 * S))
    assert link.take(Switched).state.on


def test_service_telemetry_says_what_was_decided_and_forgets_it_with_the_link(
    build: Build,
) -> None:
    bench = build()
    link = bench.connect(generation=1)
    link.send(Hold(41, "oven", time.monotonic_ns() + S))
    assert link.take(Refused).seq == 41
    while link.take(Telemetry).handled != 41:
        pass
    link.socket.close()
    again = bench.connect(generation=2)
    again.take(Attached)
    assert again.take(Telemetry).handled == 0


def test_service_stopped_makes_safe_and_tells_the_controller(build: Build) -> None:
    bench = build()
    link = bench.connect(generation=1)
    link.send(Hold(1, "fan", time.monotonic_ns() + 4 * S))
    assert link.take(Switched).state.on
    bench.end()
    assert link.take(Switched).state.cause == "safe"
    assert bench.pins.level is False


@pytest.mark.parametrize(
    ("attach", "reason"),
    [
        (Attach(VERSION + 1, 2), "version"),
        (Attach(VERSION, 2), "busy"),
        (Attach(VERSION, 1), "busy"),
    ],
)
def test_service_second_controller_is_told_why_not(
    build: Build, attach: Attach, reason: str
) -> None:
    bench = build()
    first = bench.connect(generation=1)
    first.take(Attached)
    second = bench.connect()
    second.send(attach)
    assert second.take(Refused) == Refused(0, "", reason, 0)
    assert second.socket.recv(PACKET_MAX) == b""
    first.take(Telemetry)


def test_service_elder_controller_is_superseded(build: Build) -> None:
    bench = build()
    first = bench.connect(generation=5)
    first.take(Attached)
    first.socket.close()
    assert bench.connect(generation=4).take(Refused).reason == "superseded"
    bench.connect(generation=5).take(Attached)


def test_service_stranger_is_forbidden(build: Build) -> None:
    stranger = build(uids=frozenset({os.getuid() + 1})).connect(generation=1)
    assert stranger.take(Refused).reason == "forbidden"
    assert stranger.socket.recv(PACKET_MAX) == b""


def test_service_commands_from_the_lobby_do_nothing(build: Build) -> None:
    bench = build()
    waiting = bench.connect()
    for seq, command in enumerate(
        (Hold(0, "fan", time.monotonic_ns() + S), Release(1, "fan", False), MakeSafe(2))
    ):
        waiting.send(command)
        assert waiting.take(Refused) == Refused(seq, "", "not attached", 0)
    assert bench.pins.level is False


def test_service_full_lobby_drops_the_one_that_waited_longest(build: Build) -> None:
    bench = build()
    waiting = [bench.connect() for _ in range(LOBBY_MAX + 1)]
    assert waiting[0].socket.recv(PACKET_MAX) == b""
    waiting[-1].send(Attach(VERSION, 1))
    waiting[-1].take(Attached)


def test_service_malformed_packets_are_answered_and_counted_sparsely(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    link = build().connect(generation=1)
    link.take(Attached)
    for _ in range(20):
        link.socket.send(b"\xff")
        assert link.take(Refused).reason.startswith("malformed: not JSON")
    logged = [line for line in capsys.readouterr().err.splitlines() if "malformed" in line]
    assert [line.split("count=")[1].split()[0] for line in logged] == ["1", "2", "4", "8", "16"]


def test_service_pin_that_does_not_follow_ends_it(build: Build) -> None:
    bench = build()
    link = bench.connect(generation=1)
    link.take(Attached)
    bench.pins.is_broken = True
    link.send(Hold(1, "fan", time.monotonic_ns() + S))
    bench.thread.join(PATIENCE_S)
    assert "GPIO 17" in str(bench.fault)


def test_service_watchdog_is_fed_while_the_loop_is_idle(build: Build, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        build(environ={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "80000"})
        heard = [systemd.recv(4096) for _ in range(4)]
    assert heard[0] == b"READY=1\nSTATUS=no controller, 0 of 1 outputs on, 0 troubles"
    assert heard[1:] == [b"WATCHDOG=1"] * 3


MOCK = '[board]\nname = "b"\ndriver = "mock"\nbase_w = 3\n'


@pytest.mark.parametrize(
    ("profile", "more", "code", "says"),
    [
        ("[board]\n", [], 78, "name"),
        (MOCK, [], 1, "add --plant SOCKET"),
        (MOCK, ["--plant", "nowhere"], 1, "no answer from the plant"),
        (MOCK.replace("mock", "pi"), ["--plant", "nowhere"], 1, "leave out --plant"),
    ],
)
def test_main_that_cannot_start_says_why_and_leaves_no_socket(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    profile: str,
    more: list[str],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("board.toml").write_text(profile)
    assert main(["--profile", "board.toml", "--socket", "s", *more]) == code
    assert says in capsys.readouterr().err
    assert not Path("s").exists()


def test_main_bug_is_logged_with_its_place_and_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("rackgrid_firmware.assembly.mock_ways", broken)
    (tmp_path / "board.toml").write_text(MOCK)
    arguments = ["--profile", str(tmp_path / "board.toml"), "--socket", str(tmp_path / "s")]
    assert main([*arguments, "--plant", "p"]) == 1
    logged = capsys.readouterr().err
    assert "ZeroDivisionError" in logged
    assert "broken:" in logged
