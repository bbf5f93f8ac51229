"""One plant and one node's firmware as real processes, and a controller's end of the link.

What really happened is read from the plant's trace of the truth.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from rackgrid_firmware.link import PACKET_MAX, VERSION, Attach, Command, Report, decode, encode
from rackgrid_firmware.mock.client import PlantControl

PATIENCE_S = 15.0
"""Within this everything that is waited for has happened; a lapse is a failure, not a figure."""
S = 1_000_000_000
PROFILE = """
[board]
name = "bench"
driver = "mock"
base_w = 3.0
hold_max_s = 5.0
stagger_s = 0.0

[[meter]]
name = "m1"
address = 0x40

[[meter]]
name = "m2"
address = 0x41

[[output]]
name = "fan"
gpio = 17
nominal_w = 12.0
min_off_s = {min_off_s}
meter = "m1"
mock = {{ draw_w = 10.0, noise = 0.0 }}

[[output]]
name = "switch"
gpio = 18
active_high = false
required = true
nominal_w = 4.0
meter = "m2"
mock = {{ draw_w = 4.0, noise = 0.0 }}
"""


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition that only time and other processes can bring about."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        select.select([], [], [], 0.005)
    raise AssertionError(f"still not so after {PATIENCE_S} s: {condition}")


class Link:
    """A controller's end."""

    def __init__(self, path: Path, generation: int = 1) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))
        self.send(Attach(VERSION, generation))

    def send(self, command: Command) -> None:
        self.socket.send(encode(command))

    def take(self) -> Report:
        packet = self.socket.recv(PACKET_MAX)
        assert packet, "the firmware has hung up"
        message = decode(packet)
        assert isinstance(message, Report), message
        return message


R = TypeVar("R", bound=Report)


def anything(_: object) -> bool:
    return True


def take(link: Link, kind: type[R], wanted: Callable[[R], bool] = anything) -> R:
    """Read reports until the wanted one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        report = link.take()
        if isinstance(report, kind) and wanted(report):
            return report
    raise AssertionError(f"no such {kind.__name__} within {PATIENCE_S} s")


class World:
    """One plant, one node."""

    def __init__(self, room: Path, *plant_options: str, min_off_s: float = 0.0) -> None:
        self.room = room
        self.profile = room / "board.toml"
        self.profile.write_text(PROFILE.format(min_off_s=min_off_s))
        self.trace = room / "trace"
        self.plant_socket = room / "plant"
        self.socket = room / "firmware"
        self.log = room / "log"
        self.children: list[subprocess.Popen[bytes]] = []
        self.plant = self.start(
            "rackgrid_firmware.mock.process",
            *("--socket", str(self.plant_socket), "--trace", str(self.trace), "--with-parent"),
            *plant_options,
        )
        until(self.plant_socket.is_socket)
        self.control = PlantControl(self.plant_socket)

    def start(
        self, module: str, *arguments: str, stderr: IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as sink:
            command = [sys.executable, "-m", module, *arguments]
            child = subprocess.Popen(command, stderr=stderr or sink)
        self.children.append(child)
        return child

    def start_firmware(
        self, *options: str, stderr: IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        self.socket.unlink(missing_ok=True)
        child = self.start(
            "rackgrid_firmware.service",
            *("--profile", str(self.profile), "--socket", str(self.socket), "--node", "n1"),
            *("--plant", str(self.plant_socket), "--runtime", str(self.room / "run"), *options),
            stderr=stderr,
        )
        until(lambda: self.socket.is_socket() or child.poll() is not None)
        assert child.poll() is None, self.log.read_text()
        return child

    def truth(self) -> list[dict[str, Any]]:
        *whole, _ = self.trace.read_text().split("\n")  # The last may be half written.
        return [json.loads(line) for line in whole]

    def loads(self) -> dict[str, float]:
        return dict(self.control.draws()["nodes"]["n1"]["loads"])

    def fan_ends_ns(self) -> list[int]:
        """Say when the fan's draw ended, in truth."""
        lines = [line for line in self.truth() if line["node"] == "n1"]
        return [
            after["t_ns"]
            for before, after in itertools.pairwise(lines)
            if before["loads"]["fan"] > 0 and after["loads"]["fan"] == 0
        ]

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Stop a child, and wait until it stands still; `close` ends it all the same."""
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def close(self) -> None:
        self.control.close()
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.kill()
            child.wait(PATIENCE_S)
