"""The demo's rack: its files, its processes, and what can be done to them."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from rackgrid.adapters import child
from rackgrid.adapters.child import Child
from rackgrid.adapters.key_file import new_group_key
from rackgrid.cli.demo.script import GRID_PRICE, PANEL_W
from rackgrid.errors import RackgridError
from rackgrid_firmware.mock.client import PlantControl

GROUP = "224.0.0.224"
CAPACITY_W_PER_NODE = 17.0
GRID_W_PER_NODE = 9.0
PANEL_NODE = "pi-1"
_PORTS = range(20000, 32000)

_PROFILE = """\
[board]
name = "demo"
driver = "mock"
base_w = 2.5
stagger_s = {stagger_s}

[[meter]]
name = "server"
address = 0x40
shunt_ohms = 0.1

[[meter]]
name = "lamp"
address = 0x41
shunt_ohms = 0.1

[[meter]]
name = "pump"
address = 0x44
shunt_ohms = 0.1
{panel}
[[output]]
name = "server"
gpio = 17
required = true
nominal_w = 4.0
meter = "server"
mock = {{ draw_w = 3.4, noise = 0.05 }}

[[output]]
name = "lamp"
gpio = 22
nominal_w = 6.0
inrush_w = 9.0
inrush_s = 0.05
meter = "lamp"
mock = {{ draw_w = 5.7, noise = 0.02 }}

[[output]]
name = "pump"
gpio = 27
active_high = false
nominal_w = 8.0
inrush_w = 12.0
inrush_s = 0.1
meter = "pump"
mock = {{ draw_w = 7.5, noise = 0.03 }}
"""

_PANEL = """
[[meter]]
name = "panel"
address = 0x45
shunt_ohms = 0.05
mock = {{ source_w = {watts} }}
"""

_CONFIG = """\
[rack]
name = "demo"
group = "{group}"
port = {port}
interface = "{interface}"
key_file = "{folder}/rack.key"
expect = {expect}
heartbeat_s = {heartbeat_s}
authority_s = {authority_s}
preempt_after_s = 5

[feed]
capacity_w = {capacity_w}

[node]
name = "{name}"
priority = {priority}
board = "board.toml"
state_dir = "state"
runtime_dir = "run"

[[source]]
name = "grid"
price = {price}
power_w = {grid_w}
tariff_file = "{folder}/tariff.json"
{solar}
[[load]]
name = "server"
kind = "required"

[[load]]
name = "lamp"
kind = "flexible"
worth = {lamp}

[[load]]
name = "pump"
kind = "flexible"
worth = {pump}

[web]
host = "127.0.0.1"
port = {api_port}

[mock]
plant = "{folder}/plant.sock"
trace = "{folder}/trace"
"""

_SOLAR = """
[[source]]
name = "solar"
price = 0.05
power_w = 60
meter = "panel"
"""


@dataclass(slots=True)
class DemoNode:
    """One node: its files and its two processes."""

    name: str
    folder: Path
    api_port: int
    firmware: Child | None = None
    controller: Child | None = None
    dead: bool = False
    heard_at: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def api(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "rackgrid.toml"


class DemoRack:
    """Makes the rack on entering, and leaves no process and no file on leaving."""

    def __init__(self, count: int, seed: int) -> None:
        """Choose where everything will be.

        Args:
            count: of nodes.
            seed: of the mock world's noise.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="rackgrid-demo-"))
        self.trace = self.folder / "trace"
        self._port, *api_ports = _free_ports(1 + count)
        self.nodes = [
            DemoNode(f"pi-{i}", self.folder / f"pi-{i}", port)
            for i, port in enumerate(api_ports, 1)
        ]
        self._seed = seed
        self._undo = ExitStack()
        self._control: PlantControl | None = None

    def __enter__(self) -> DemoRack:
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._start(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.close()

    def node(self, name: str) -> DemoNode | None:
        """Find a node."""
        return next((n for n in self.nodes if n.name == name), None)

    def set_sun(self, watts: float) -> None:
        """Let the panel give so much."""
        assert self._control is not None, "the rack has started"
        self._control.set_source(PANEL_NODE, "panel", watts)

    def set_load(self, node: str, output: str, watts: float) -> None:
        """Let a load draw so much while it is on."""
        assert self._control is not None, "the rack has started"
        self._control.set_load(node, output, watts)

    def set_tariff(self, price: float) -> None:
        """Change the grid's price, as a provider's file would."""
        fresh = self.folder / "tariff.new"
        fresh.write_text(json.dumps({"price": price}))
        os.replace(fresh, self.folder / "tariff.json")

    def kill(self, node: DemoNode) -> None:
        """Kill a node's controller: SIGKILL, no goodbye. Its firmware goes on by itself."""
        if node.controller is not None:
            node.controller.signal(signal.SIGKILL)
            node.controller.process.wait()
            node.dead = True

    def revive(self, node: DemoNode) -> None:
        """Start a killed node's controller again."""
        if node.dead:
            node.controller = self._controller(node)
            node.dead = False

    # --- starting and ending ---------------------------------------------------------------------

    def _start(self, undo: ExitStack) -> None:
        new_group_key(self.folder / "rack.key")
        self.set_tariff(GRID_PRICE)
        plant_socket = self.folder / "plant.sock"
        plant = child.start_plant(
            plant_socket, seed=self._seed, trace=self.trace, log=self.folder / "plant.log"
        )
        undo.callback(plant.stop)
        child.wait_for_socket(plant_socket, plant)
        self._control = PlantControl(plant_socket)
        undo.callback(self._control.close)
        undo.callback(self._stop_all)
        for index, node in enumerate(self.nodes, 1):
            self._write_files(node, index)
        for node in self.nodes:
            node.firmware = child.start_firmware(
                node.folder / "board.toml",
                node.folder / "run",
                node=node.name,
                plant=plant_socket,
                log=node.folder / "firmware.log",
            )
        for node in self.nodes:
            assert node.firmware is not None, "just started"
            child.wait_for_socket(node.folder / "run" / "firmware.sock", node.firmware)
            node.controller = self._controller(node)

    def _stop_all(self) -> None:
        """End the controllers first (they detach), then the firmwares (they make safe)."""
        for part in (
            [n.controller for n in self.nodes if n.controller],
            [n.firmware for n in self.nodes if n.firmware],
        ):
            for process in part:
                process.signal(signal.SIGCONT)
                process.signal(signal.SIGTERM)
            for process in part:
                process.stop()

    def _controller(self, node: DemoNode) -> Child:
        arguments = ["run", "--attach", "--config", str(node.config)]
        return child.start("controller", "rackgrid", arguments, node.folder / "controller.log")

    def _write_files(self, node: DemoNode, index: int) -> None:
        (node.folder / "run").mkdir(parents=True)
        is_sunny = node.name == PANEL_NODE
        panel = _PANEL.format(watts=PANEL_W) if is_sunny else ""
        (node.folder / "board.toml").write_text(_PROFILE.format(panel=panel, stagger_s=0.2))
        count = len(self.nodes)
        node.config.write_text(
            _CONFIG.format(
                group=GROUP,
                port=self._port,
                interface="lo",
                folder=self.folder,
                expect=count,
                heartbeat_s=0.1,
                authority_s=0.5,
                capacity_w=CAPACITY_W_PER_NODE * count,
                name=node.name,
                priority=index,
                price=GRID_PRICE,
                grid_w=GRID_W_PER_NODE * count,
                solar=_SOLAR if is_sunny else "",
                lamp=f"{0.20 + 0.07 * index:.2f}",
                pump=f"{0.14 + 0.06 * index:.2f}",
                api_port=node.api_port,
            )
        )


def _free_ports(count: int) -> list[int]:
    """Find ports that nobody has, below those that the kernel gives to outgoing connections.

    A node that is killed leaves its port free for a while, and must find it so when it comes back.
    """
    ports: list[int] = []
    with ExitStack() as probes:
        for port in random.sample(_PORTS, len(_PORTS)):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                probe = probes.enter_context(socket.socket(socket.AF_INET, kind))
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    break
            else:
                ports.append(port)
            if len(ports) == count:
                return ports
    raise RackgridError(f"no {count} free ports on 127.0.0.1 from {_PORTS[0]} to {_PORTS[-1]}")
