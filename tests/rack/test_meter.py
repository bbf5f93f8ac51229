"""A meter's accuracy from the board profile to the person who asks: one real node on loopback.

Plant, firmware and daemon are processes of their own, started as `rackgrid run` starts them.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.rack.rig import wait_until

from rackgrid_firmware.mock.client import PlantControl

DEADLINE_S = 30.0
RACKGRID = (sys.executable, "-m", "rackgrid")
PROFILE = """\
[board]
name = "bench"
driver = "mock"
base_w = 1.0
[[meter]]
name = "lamp"
address = 0x40
amps_max = 1.5
profile = "fast"
shunt_tolerance_percent = 0.5
[[output]]
name = "lamp"
gpio = 17
required = true
nominal_w = 15.0
meter = "lamp"
mock = { draw_w = 12.0, noise = 0.0 }
"""
CONFIG = """\
[rack]
name = "bench"
interface = "lo"
port = {port}
key_file = "key"
expect = 1
[feed]
capacity_w = 60
[node]
name = "n1"
board = "board.toml"
runtime_dir = "run"
state_dir = "state"
[[load]]
name = "lamp"
kind = "required"
[web]
port = {web}
"""


@dataclass
class Node:
    """A running node, and the command that asks it."""

    folder: Path
    api: str

    def meter(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*RACKGRID, "meter", *words], capture_output=True, text=True, check=False
        )


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    tmp_path = tmp_path_factory.mktemp("node")
    web = free_port(socket.SOCK_STREAM)
    (tmp_path / "board.toml").write_text(PROFILE)
    config = tmp_path / "rackgrid.toml"
    config.write_text(CONFIG.format(port=free_port(socket.SOCK_DGRAM), web=web))
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    subprocess.run([*RACKGRID, "key", "new", tmp_path / "key"], check=True, capture_output=True)
    daemon = subprocess.Popen([*RACKGRID, "run", "--config", config], stderr=subprocess.DEVNULL)
    try:
        yield Node(tmp_path, f"http://127.0.0.1:{web}")
    finally:
        daemon.terminate()
        daemon.wait(DEADLINE_S)


def test_reading_of_a_running_node_says_how_far_it_may_be_believed(node: Node) -> None:
    """Fails if firmware, link, core, API or command loses or invents an uncertainty."""

    meter: dict[str, Any] = {}

    def is_read() -> bool:
        done = node.meter("read", "lamp", "--json", "--api", node.api)
        if done.returncode == 0:
            (found,) = json.loads(done.stdout)
            meter.update(found)
        return meter.get("quality") == "fresh"

    wait_until("the lamp is metered", is_read, DEADLINE_S)
    assert meter["calibrated"] is None
    # 2/√3 of 1 % (chip) and 0.5 % (shunt); 152.5 µV of offset and 40 µV of step at 0.1 ohm.
    expected = ((0.0129 * meter["amps"]) ** 2 + 0.00178**2) ** 0.5
    assert meter["uncertainty_a"] == pytest.approx(expected, rel=0.01)
    verify = ("verify", "lamp", "--api", node.api, "--samples", "5", "--reference")
    assert node.meter(*verify, "1.0").returncode == 0
    assert node.meter(*verify, "1.2").returncode == 1


def test_chips_are_read_beside_the_firmware_in_the_plant_and_no_load_notices(node: Node) -> None:
    """Fails if a tool at the plant takes the firmware's pins with it when it ends."""
    plant = node.folder / "run" / "plant.sock"
    wait_until(
        "the node answers",
        lambda: node.meter("read", "--api", node.api).returncode == 0,
        DEADLINE_S,
    )
    control = PlantControl(plant)
    done = node.meter(
        *("read", "--json", "--profile", str(node.folder / "board.toml")),
        *("--plant", str(plant), "--node", "n1"),
    )
    assert done.returncode == 0, done.stderr
    (meter,) = json.loads(done.stdout)
    assert meter["amps"] == pytest.approx(1.0, abs=0.01)
    assert control.levels("n1") == {17: True}
    control.close()
    assert os.path.exists(node.folder / "run" / "firmware.sock")
