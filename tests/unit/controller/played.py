"""A node's surroundings for the tests of its daemon: its files, and a firmware to play with."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from pathlib import Path

from rackgrid.adapters.key_file import new_group_key
from rackgrid_firmware.device import Verdict
from rackgrid_firmware.link import (
    PACKET_MAX,
    VERSION,
    Attach,
    Attached,
    Command,
    Hold,
    MakeSafe,
    OutputSpec,
    OutputState,
    Release,
    Report,
    Switched,
    decode,
    encode,
)

BOARD = """\
[board]
name = "tiny"
driver = "mock"
base_w = 2.0

[[meter]]
name = "panel"
address = 0x40
shunt_ohms = 0.1

[[output]]
name = "lamp"
gpio = 17
nominal_w = 5.0
mock = { draw_w = 4.5 }
"""
CONFIG = """\
[rack]
name = "test"
interface = "lo"
port = PORT
key_file = "rack.key"
authority_s = 0.3

[feed]
capacity_w = 50

[node]
name = "pi-1"
priority = 1
board = "board.toml"
state_dir = "state"
runtime_dir = "run"

[[source]]
name = "solar"
price = 0.05
meter = "panel"

[[source]]
name = "grid"
price = 0.25

[[load]]
name = "lamp"
kind = "flexible"
worth = 0.4

[web]
port = 0

[mock]
trace = "trace"
"""


def write_config(folder: Path) -> Path:
    """Write a whole node's files, with a group port that nobody else has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    new_group_key(folder / "rack.key")
    (folder / "run").mkdir()
    (folder / "board.toml").write_text(BOARD)
    (folder / "rackgrid.toml").write_text(CONFIG.replace("PORT", str(port)))
    return folder / "rackgrid.toml"


class PlayedFirmware:
    """Listens as a firmware does, confirms every hold and release, and keeps what it was told."""

    def __init__(self, path: Path, meter: str = "") -> None:
        self.path = path
        self.meter = meter
        self.commands: list[Command] = []
        self.attached = 0
        self._on = False
        self._peer: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.setblocking(False)
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._listener, self._accept)

    def send(self, report: Report) -> None:
        if self._peer is not None:
            with suppress(BrokenPipeError):  # it was detached meanwhile
                self._peer.send(encode(report))

    def hang_up(self) -> None:
        if self._peer is not None:
            self._loop.remove_reader(self._peer)
            self._peer.close()
            self._peer = None

    def close(self) -> None:
        self.hang_up()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        self.hang_up()
        self._peer, _ = self._listener.accept()
        self._peer.setblocking(False)
        self._loop.add_reader(self._peer, self._take)

    def _take(self) -> None:
        assert self._peer is not None
        packet = self._peer.recv(PACKET_MAX)
        if not packet:
            self.hang_up()
            return
        message = decode(packet)
        assert isinstance(message, Attach | Hold | Release | MakeSafe)
        self.commands.append(message)
        match message:
            case Attach():
                self.attached += 1
                spec = OutputSpec("lamp", False, 5000, 5000, 0, 0, 0, self.meter)
                state = self._state(0)
                self.send(Attached(VERSION, "tiny", 2000, 10**10, 10**7, (spec,), (state,)))
            case Hold():
                self._switch(True, message.deadline_ns, message.seq)
            case Release() | MakeSafe():
                self._switch(False, 0, message.seq)

    def _switch(self, on: bool, deadline_ns: int, seq: int) -> None:
        self._on = on
        self.send(Switched(time.monotonic_ns(), self._state(deadline_ns), seq))

    def _state(self, deadline_ns: int) -> OutputState:
        return OutputState("lamp", self._on, 1, deadline_ns, 0, "held", Verdict.UNKNOWN)
