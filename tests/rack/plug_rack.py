"""Two nodes on one feed on loopback, the first of which has a load that no pin switches.

What truly flows is the plant's trace and the plug's own record together.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.rack.patience import DEADLINE_S
from tests.rack.recipe import BOARD, CONFIG
from tests.rack.truth import draws

from rackgrid.adapters import child
from rackgrid.adapters.key_file import new_group_key

GRANT_S = 5.0
"""Long enough for a plug of a known make."""
CAPACITY_W = 24.0
"""Two floors of 6.5 W leave 11 W: the plug's 8 W, and no lamp or pump beside it."""
PLUG_W = 8.0
S = 1_000_000_000


class Node:
    """A node on loopback: its files, its firmware and its controller."""

    def __init__(self, rack: Rack, number: int, plug: str) -> None:
        self.name = f"pi-{number}"
        self.folder = rack.folder / self.name
        self.log = self.folder / "controller.log"
        self.config = self.folder / "rackgrid.toml"
        self.controller: subprocess.Popen[bytes] | None = None
        self._rack = rack
        (self.folder / "state").mkdir(parents=True)
        (self.folder / "run").mkdir()
        (self.folder / "board.toml").write_text(BOARD.format(driver="mock"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        timers = f"port = {rack.port}\nexpect = 2\ngrant_s = {rack.grant_s}"
        text = CONFIG.format(
            interface="lo",
            key_file=rack.key,
            rack=timers,
            capacity_w=CAPACITY_W,
            name=self.name,
            priority=number,
            api_port=self.port,
            plant=rack.plant,
            trace=rack.trace,
        )
        self.config.write_text(text + plug)
        self.firmware = rack.stack.enter_context(
            _ended(
                child.start_firmware(
                    self.folder / "board.toml",
                    self.folder / "run",
                    node=self.name,
                    plant=rack.plant,
                    log=self.folder / "firmware.log",
                )
            )
        )
        child.wait_for_socket(self.folder / "run/firmware.sock", self.firmware)

    def start(self) -> None:
        words = ["-m", "rackgrid", "run", "--attach", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.controller = subprocess.Popen(
                [sys.executable, *words], stderr=log, stdout=log, env=self._rack.env
            )

    def end(self, number: signal.Signals) -> int:
        assert self.controller is not None
        self.controller.send_signal(number)
        return self.controller.wait(DEADLINE_S)

    def state(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/state") as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return {}

    def load(self, name: str) -> dict[str, Any]:
        loads = self.state().get("loads", [])
        return next((x for x in loads if x["name"] == name and x["node"] == self.name), {})

    def said(self) -> str:
        return self.log.read_text()


class _ended:  # noqa: N801 - a context manager
    def __init__(self, process: child.Child) -> None:
        self._process = process

    def __enter__(self) -> child.Child:
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.stop()


class Rack:
    """Two nodes; the first has the plug."""

    def __init__(
        self, folder: Path, plug: str, env: dict[str, str], grant_s: float = GRANT_S
    ) -> None:
        self.folder = folder
        self.grant_s = grant_s
        folder.mkdir(exist_ok=True)
        self.env = {**os.environ, **env}
        self.trace = folder / "trace"
        self.plant = folder / "plant.sock"
        self.key = folder / "rack.key"
        new_group_key(self.key)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.stack = ExitStack()
        plant = child.start_plant(self.plant, seed=1, trace=self.trace, log=folder / "plant.log")
        self.stack.enter_context(_ended(plant))
        child.wait_for_socket(self.plant, plant)
        load = f'\n[[load]]\nname = "plug"\nworth = 0.60\nnominal_w = {PLUG_W}\n{plug}\n'
        self.nodes = [Node(self, 1, load), Node(self, 2, "")]

    @property
    def node(self) -> Node:
        return self.nodes[0]

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def close(self) -> None:
        for node in self.nodes:
            if node.controller is not None and node.controller.poll() is None:
                node.end(signal.SIGKILL)
        self.stack.close()

    def peak_w(self, spans: list[tuple[float, float]]) -> float:
        """The most that truly flowed, plug and plant together."""
        changes = [(round(a * S), "plug", PLUG_W) for a, _ in spans]
        changes += [(round(b * S), "plug", 0.0) for _, b in spans]
        changes += [(draw.t_ns, draw.node, draw.watts) for draw in draws(self.trace)]
        watts: dict[str, float] = {}
        peak = 0.0
        for _, moment in itertools.groupby(sorted(changes), lambda change: change[0]):
            watts.update((who, power) for _, who, power in moment)
            peak = max(peak, sum(watts.values()))
        return peak
