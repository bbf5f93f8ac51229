"""A firmware as a real process: what holds when everything above it fails.

Fails if a load stays on past its deadline for whatever its controller does, or if a pin changes
that nobody switched. Needs no root.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rack.bench import PATIENCE_S, PROFILE, Link, S, World, take, until

from rackgrid_firmware.device import Quality
from rackgrid_firmware.link import Attached, Hold, Lock, Refused, Switched, Telemetry
from rackgrid_firmware.pin_table import read_table, stamp_of

CONTROLLER = """
import socket, sys, time
from rackgrid_firmware.link import VERSION, Attach, Hold, encode
link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
link.connect(sys.argv[1])
link.send(encode(Attach(VERSION, 1)))
deadline_ns = time.monotonic_ns() + int(sys.argv[2])
link.send(encode(Hold(1, "fan", deadline_ns)))
print(deadline_ns, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("fate", ["killed", "stopped", "hung"])
def test_dead_man_controller_is_gone_the_load_ends_at_its_deadline(
    build: Callable[..., World], fate: str
) -> None:
    world = build()
    firmware = world.start_firmware()
    with subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, str(world.socket), str(S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as controller:
        world.children.append(controller)
        assert controller.stdout is not None
        deadline_ns = int(controller.stdout.readline())
        until(lambda: world.loads()["fan"] == 10.0)
        if fate != "hung":
            controller.send_signal(signal.SIGKILL if fate == "killed" else signal.SIGSTOP)
        (end_ns,) = until(world.fan_ends_ns)
        controller.send_signal(signal.SIGCONT)
        controller.kill()
    assert end_ns >= deadline_ns, "it ran for its whole hold"
    assert world.loads() == {"fan": 0.0, "switch": 4.0}
    until(lambda: world.says("output=fan on=0 cause=deadline"))
    assert firmware.poll() is None


def test_dead_man_controller_that_renews_keeps_the_load_on(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    world.start_firmware()
    link = link_to(world)
    end_ns = time.monotonic_ns() + 2 * S
    seq = deadline_ns = 0
    while time.monotonic_ns() < end_ns:
        seq += 1
        deadline_ns = time.monotonic_ns() + S
        link.send(Hold(seq, "fan", deadline_ns))
        take(link, Telemetry)
    (off_ns,) = until(world.fan_ends_ns)
    assert off_ns >= deadline_ns


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_makes_safe_and_exits_0(
    build: Callable[..., World], link_to: Callable[..., Link], number: signal.Signals
) -> None:
    world = build()
    firmware = world.start_firmware()
    link = link_to(world)
    link.send(Hold(1, "fan", time.monotonic_ns() + 4 * S))
    assert take(link, Switched).state.on
    firmware.send_signal(number)
    assert take(link, Switched).state.cause == "safe"
    assert firmware.wait(PATIENCE_S) == 0
    assert world.control.levels("n1") == {17: False, 18: False}, "driven, each at its safe level"
    assert world.loads() == {"fan": 0.0, "switch": 4.0}
    assert not world.socket.exists()


@pytest.mark.parametrize(
    ("options", "fan_w"), [((), 10.0), (("--strict-gpiod",), 0.0)], ids=["keeps", "strict"]
)
def test_killed_firmware_leaves_its_pins_to_the_kernel(
    build: Callable[..., World],
    link_to: Callable[..., Link],
    options: tuple[str, ...],
    fan_w: float,
) -> None:
    world = build(*options)
    firmware = world.start_firmware()
    link = link_to(world)
    link.send(Hold(1, "fan", time.monotonic_ns() + S))
    deadline_ns = take(link, Switched).state.deadline_ns
    firmware.kill()
    firmware.wait(PATIENCE_S)
    until(lambda: time.monotonic_ns() > deadline_ns)
    until(lambda: world.loads()["fan"] == fan_w)


def test_restarted_firmware_starts_safe_and_keeps_min_off(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build(min_off_s=1.5)
    firmware = world.start_firmware()
    link = link_to(world)
    link.send(Hold(1, "fan", time.monotonic_ns() + 5 * S))
    on = take(link, Switched).state
    firmware.kill()
    firmware.wait(PATIENCE_S)
    assert world.loads()["fan"] == 10.0
    world.start_firmware()
    until(lambda: world.loads()["fan"] == 0.0)
    (off_ns,) = until(world.fan_ends_ns)
    again = link_to(world, generation=2)
    first = take(again, Attached).outputs[0]
    assert (first.on, first.cause) == (False, "boot")
    again.send(Hold(1, "fan", time.monotonic_ns() + 4 * S))
    on_again = take(again, Switched).state
    assert on_again.on
    assert on_again.since_ns - off_ns >= 1.5 * S, "min-off counts from the restart, not before"
    assert on_again.since_ns > on.since_ns


def test_safe_helper_after_a_kill_opens_every_flexible_output(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    firmware = world.start_firmware()
    link = link_to(world)
    link.send(Hold(1, "fan", time.monotonic_ns() + 5 * S))
    assert take(link, Switched).state.on
    firmware.kill()
    firmware.wait(PATIENCE_S)
    assert helped(world) == (0, "safe: 2 outputs of board bench\n")
    assert world.loads() == {"fan": 0.0, "switch": 4.0}


def helped(world: World) -> tuple[int, str]:
    """Run what systemd runs when the firmware has ended."""
    helper = subprocess.run(
        [
            *(sys.executable, "-m", "rackgrid_firmware.safe", str(world.profile)),
            *("--table", str(world.room / "run" / "pins"), "--state", str(world.room / "state")),
            *("--plant", str(world.plant_socket), "--node", "n1"),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return helper.returncode, helper.stdout


@pytest.mark.parametrize("is_changed", [False, True])
def test_safe_helper_gives_a_locked_required_load_no_power(
    build: Callable[..., World], link_to: Callable[..., Link], is_changed: bool
) -> None:
    """Fails if a killed firmware, or a profile that was edited, undoes a lockout."""
    world = build()
    firmware = world.start_firmware("--state", str(world.room / "state"))
    link = link_to(world)
    link.send(Lock(1, "switch", True))
    assert not take(link, Switched).state.on
    record = world.room / "state" / "outputs.json"
    until(lambda: record.exists() and '"is_locked": true' in record.read_text())
    firmware.kill()
    firmware.wait(PATIENCE_S)
    if is_changed:
        world.profile.write_text(world.profile.read_text() + "# nothing but a comment\n")
    assert helped(world)[0] == 0
    assert world.loads() == {"fan": 0.0, "switch": 0.0}
    world.start_firmware("--state", str(world.room / "state"))
    assert world.loads() == {"fan": 0.0, "switch": 0.0}


def test_log_that_nobody_reads_keeps_no_deadline_waiting(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    """Fails if a journal whose card stalls leaves a load on: its pipe is full here."""
    world = build()
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "wb", buffering=0) as full:
        os.set_blocking(writer, False)
        while full.write(b"x" * 64) is not None:
            pass
        os.set_blocking(writer, True)
        world.start_firmware(stderr=full)
        link = link_to(world)
        for seq in range(1, 20, 2):
            deadline_ns = time.monotonic_ns() + S // 5
            link.send(Hold(seq, "fan", deadline_ns))
            assert take(link, Switched).state.on
            off = take(link, Switched).state
            assert (off.on, off.cause) == (False, "deadline")
        assert world.loads()["fan"] == 0.0


def test_firmware_leaves_the_helper_a_table_of_its_own_profile(build: Callable[..., World]) -> None:
    world = build()
    world.start_firmware()
    table = read_table(str(world.room / "run" / "pins"))
    assert (table.board, table.driver) == ("bench", "mock")
    assert table.pins == {"fan": (17, False), "switch": (18, False)}
    assert table.stamp == stamp_of(world.profile.read_bytes())


AUDIT = """
import os, sys, threading, time
_sink = os.open(os.environ["AUDIT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def _hear(event, args):
    if event == "open" or event in ("os.rename", "os.remove", "os.mkdir", "os.listdir"):
        whose = "loop" if threading.current_thread() is threading.main_thread() else "thread"
        os.write(_sink, f"{time.monotonic_ns()} {whose} {event} {args[0]!r}\\n".encode())
sys.addaudithook(_hear)
"""


def test_loop_opens_no_file_while_it_serves(
    build: Callable[..., World],
    link_to: Callable[..., Link],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A disk that hangs holds up whoever opens, writes or removes a file: the loop does neither."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(AUDIT)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'hook'}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("AUDIT", str(tmp_path / "audit"))
    world = build()
    profile = world.profile.read_text()
    world.profile.write_text(profile.replace("gpio = 17", "gpio = 17\nrating_a = 2.0"))
    firmware = world.start_firmware("--state", str(world.room / "state"))
    link = link_to(world)
    take(link, Attached)
    start_ns = time.monotonic_ns()
    for seq in range(1, 4):
        link.send(Hold(seq, "fan", time.monotonic_ns() + S // 4))
        assert take(link, Switched, lambda s: s.state.on)
        assert take(link, Switched).state.cause == "deadline"
    assert take(link_to(world), Refused).reason == "busy"
    take(link, Telemetry)
    end_ns = time.monotonic_ns()
    firmware.send_signal(signal.SIGTERM)
    assert firmware.wait(PATIENCE_S) == 0
    lines = [line.split(" ", 2) for line in (tmp_path / "audit").read_text().splitlines()]
    touched = [(int(at), whose, what) for at, whose, what in lines]
    assert any(at < start_ns for at, _, _ in touched), "the hook hears"
    assert any("dwell" in what for at, _, what in touched if at > end_ns), "it hears to the end"
    serving = [(whose, what) for at, whose, what in touched if start_ns <= at <= end_ns]
    assert any("heat" in what for _, what in serving), "files are written meanwhile"
    assert not [what for whose, what in serving if whose == "loop"]


def test_crash_loop_does_not_pass_the_budget_of_starts(
    build: Callable[..., World], link_to: Callable[..., Link], tmp_path: Path
) -> None:
    """Fails if a firmware that is killed after each start forgets that it has started."""
    world = build()
    text, fan = world.profile.read_text(), 'name = "fan"'
    world.profile.write_text(text.replace(fan, f"{fan}\nswitches_per_day = 2"))
    state, starts = tmp_path / "state", world.room / "run" / "starts.json"
    state.mkdir()

    def kept(output: str) -> int:
        return int(json.loads(starts.read_text().split(" ", 1)[1])["outputs"][output]["switches"])

    for count in (1, 2):
        firmware = world.start_firmware("--state", str(state))
        link = link_to(world)
        link.send(Hold(1, "fan", time.monotonic_ns() + S))
        assert take(link, Switched).state.switches == count
        until(lambda: kept("fan") == count)  # noqa: B023 - at once
        firmware.kill()
        firmware.wait(PATIENCE_S)
    world.start_firmware("--state", str(state))
    link = link_to(world)
    link.send(Hold(1, "fan", time.monotonic_ns() + S))
    refused = take(link, Refused)
    assert refused.reason == "switch budget spent"
    assert refused.retry_ns > time.monotonic_ns() + 3600 * S


def test_second_firmware_on_the_same_socket_is_refused_and_touches_no_pin(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    world.start_firmware()
    link = link_to(world)
    link.send(Hold(1, "fan", time.monotonic_ns() + 4 * S))
    assert take(link, Switched).state.on
    second = world.start(
        "rackgrid_firmware.service",
        *("--profile", str(world.profile), "--socket", str(world.socket), "--node", "n1"),
        *("--plant", str(world.plant_socket)),
    )
    assert second.wait(PATIENCE_S) == 1
    assert world.says("another firmware serves")
    assert world.loads()["fan"] == 10.0


def test_bus_that_hangs_keeps_no_deadline_waiting(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    world.start_firmware()
    link = link_to(world)
    world.control.fault("n1", 1, "timeout", count=-1)
    take(link, Telemetry, lambda t: t.readings[0].quality is Quality.STALE)
    deadline_ns = time.monotonic_ns() + S // 2
    link.send(Hold(1, "fan", deadline_ns))
    assert take(link, Switched).state.on
    assert take(link, Switched).state.cause == "deadline"
    (end_ns,) = until(world.fan_ends_ns)
    assert end_ns >= deadline_ns


def test_plant_gone_the_firmware_says_so_and_exits_1(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    firmware = world.start_firmware()
    link = link_to(world)
    take(link, Attached)
    world.plant.kill()
    world.plant.wait(PATIENCE_S)
    link.send(Hold(1, "fan", time.monotonic_ns() + S))
    assert firmware.wait(PATIENCE_S) == 1
    assert world.says("no answer from the plant")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("[board]\nname = 3\n", 78, "name"),
        (PROFILE.format(min_off_s=0).replace('"mock"', '"pi"', 1), 1, "has no plant"),
    ],
)
def test_profile_that_cannot_be_used_ends_it_with_a_reason(
    build: Callable[..., World], text: str, code: int, says: str
) -> None:
    world = build()
    world.profile.write_text(text)
    child = world.start(
        "rackgrid_firmware.service",
        *("--profile", str(world.profile), "--socket", str(world.socket)),
        *("--plant", str(world.plant_socket)),
    )
    assert child.wait(PATIENCE_S) == code
    assert world.says(says)


def test_systemd_hears_ready_and_the_watchdog_as_long_as_the_loop_turns(
    build: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        world = build()
        firmware = world.start_firmware()
        assert systemd.recv(4096).startswith(b"READY=1\nSTATUS=no controller, 1 of 2 outputs on")
        for _ in range(5):
            assert systemd.recv(4096) == b"WATCHDOG=1"
        world.stop(firmware)
        systemd.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # what was sent before it stopped may wait
            while True:
                assert systemd.recv(4096) == b"WATCHDOG=1"
        systemd.settimeout(1.0)
        with pytest.raises(TimeoutError):
            systemd.recv(4096)
        systemd.settimeout(PATIENCE_S)
        os.kill(firmware.pid, signal.SIGCONT)
        firmware.send_signal(signal.SIGTERM)
        heard = b""
        while b"STOPPING=1" not in heard:
            heard = systemd.recv(4096)
        assert firmware.wait(PATIENCE_S) == 0
