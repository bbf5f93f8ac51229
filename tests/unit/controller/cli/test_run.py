"""The verb `run`: what it starts beside the daemon, as real processes."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rackgrid import cli
from rackgrid.adapters.key_file import new_group_key

DEADLINE_S = 15.0
BOARD = """\
[board]
name = "tiny"
driver = "mock"
base_w = 2.0

[[output]]
name = "server"
gpio = 17
required = true
nominal_w = 4.0
mock = { draw_w = 3.5 }
"""
CONFIG = """\
[rack]
name = "test"
interface = "lo"
port = PORT
key_file = "rack.key"

[feed]
capacity_w = 50

[node]
name = "pi-1"
priority = 1
board = "board.toml"
state_dir = "state"
runtime_dir = "run"

[[source]]
name = "grid"
price = 0.25

[[load]]
name = "server"
kind = "required"

[web]
port = API

[mock]
trace = "trace"
"""


def until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, what
        select.select([], [], [], 0.01)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("", 0))
        tcp.bind(("127.0.0.1", 0))
        ports = udp.getsockname()[1], tcp.getsockname()[1]
    new_group_key(tmp_path / "rack.key")
    (tmp_path / "board.toml").write_text(BOARD)
    text = CONFIG.replace("PORT", str(ports[0])).replace("API", str(ports[1]))
    (tmp_path / "rackgrid.toml").write_text(text)
    return tmp_path / "rackgrid.toml"


@contextmanager
def run(config: Path, *words: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "rackgrid", "run", "--config", str(config), *words],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(") ")[2][0] != "Z"


def has_firmware(config: Path) -> bool:
    """Whether its API says that a firmware is attached."""
    port = config.read_text().split("[web]\nport = ")[1].split()[0]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/state", timeout=5) as answer:
            return json.load(answer)["firmware"]
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_of_a_mock_board_starts_its_world_and_ends_it_with_itself(
    config: Path, number: signal.Signals
) -> None:
    with run(config) as process:
        until("attached", lambda: has_firmware(config))
        world = children(process.pid)
        assert len(world) == 2, "a plant and a firmware"
        assert '"server"' in (config.parent / "trace").read_text()
        process.send_signal(number)
        assert process.wait(DEADLINE_S) == 0
        until("its world has ended", lambda: not any(map(is_running, world)))


def test_run_that_is_killed_takes_its_world_along_and_starts_anew(config: Path) -> None:
    with run(config) as process:
        until("attached", lambda: has_firmware(config))
        world = children(process.pid)
        process.kill()
        until("its world has ended", lambda: not any(map(is_running, world)))
    with run(config) as process:
        until("attached again", lambda: has_firmware(config))


def test_run_that_only_attaches_starts_nothing(config: Path) -> None:
    with run(config, "--attach") as process:
        assert process.stderr is not None
        said = process.stderr.readline
        until("it says so", lambda: "no firmware at" in said())
        assert children(process.pid) == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


def test_run_of_a_real_board_starts_nothing_either(config: Path) -> None:
    board = config.parent / "board.toml"
    board.write_text(board.read_text().replace('"mock"', '"pi"').replace("mock = {", "# {"))
    with run(config) as process:
        assert process.stderr is not None
        said = process.stderr.readline
        until("it says so", lambda: "no firmware at" in said())
        assert children(process.pid) == []


def test_run_without_its_configuration_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--config", str(tmp_path / "none.toml")]) == 78
    assert len(capsys.readouterr().err.splitlines()) == 1
