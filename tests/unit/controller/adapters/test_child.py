"""Children are real processes here: a plant, a firmware over it, and programs that behave badly."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rackgrid.adapters import child
from rackgrid.adapters.child import Child
from rackgrid.errors import RackgridError
from rackgrid_firmware.mock.client import PlantControl

DEADLINE_S = 15.0
BOARD = """\
[board]
name = "tiny"
driver = "mock"
base_w = 2.5

[[output]]
name = "server"
gpio = 17
required = true
nominal_w = 4.0
mock = { draw_w = 3.5 }
"""


def until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, what
        select.select([], [], [], 0.005)


def is_running(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(") ")[2][0] != "Z"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def program(text: str, stack: ExitStack, log: Path | None = None) -> Child:
    """A child that runs this program."""
    folder = Path(os.environ["PYTEST_PROGRAMS"])
    (folder / "program_of_a_test.py").write_text(text)
    made = child.start("program", "program_of_a_test", [], log)
    stack.callback(made.process.wait)
    stack.callback(made.process.kill)
    return made


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_PROGRAMS", str(tmp_path))
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)


def test_child_plant_and_firmware_are_started_served_and_stopped(
    tmp_path: Path, stack: ExitStack
) -> None:
    plant_socket, trace = tmp_path / "plant.sock", tmp_path / "trace"
    plant = child.start_plant(plant_socket, seed=1, trace=trace, log=tmp_path / "plant.log")
    stack.callback(plant.stop)
    child.wait_for_socket(plant_socket, plant)
    (tmp_path / "board.toml").write_text(BOARD)
    firmware = child.start_firmware(
        tmp_path / "board.toml", tmp_path, node="n", plant=plant_socket, log=tmp_path / "f.log"
    )
    stack.callback(firmware.stop)
    child.wait_for_socket(tmp_path / "firmware.sock", firmware)
    control = PlantControl(plant_socket)
    assert control.draws()["nodes"]["n"]["loads"] == {"server": pytest.approx(3.5, rel=0.2)}
    control.close()
    firmware.stop()
    plant.stop()
    assert (firmware.process.returncode, plant.process.returncode) == (0, 0)
    assert '"server"' in trace.read_text()


def test_child_that_ends_before_it_serves_is_named_with_its_last_words(
    tmp_path: Path, stack: ExitStack
) -> None:
    log = tmp_path / "log"
    made = program("import sys; print('first'); sys.exit('no copper here')", stack, log)
    with pytest.raises(RackgridError, match=r"program ended with 1 before .*: no copper here$"):
        child.wait_for_socket(tmp_path / "s", made)


def test_child_that_ends_without_a_log_is_named_without_last_words(
    tmp_path: Path, stack: ExitStack
) -> None:
    made = program("raise SystemExit(3)", stack)
    with pytest.raises(RackgridError, match=r"program ended with 3 before it served .*/s$"):
        child.wait_for_socket(tmp_path / "s", made)


def test_child_that_never_serves_is_given_up_on(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "START_S", 0.1)
    made = program("import signal; signal.pause()", stack, tmp_path / "log")
    with pytest.raises(RackgridError, match=r"did not serve .* within 0 s$"):
        child.wait_for_socket(tmp_path / "s", made)


def test_child_socket_that_a_killed_process_left_behind_does_not_count(
    tmp_path: Path, stack: ExitStack
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    made = program("raise SystemExit(1)", stack)
    with pytest.raises(RackgridError, match="ended with 1"):
        child.wait_for_socket(path, made)


def test_child_that_does_not_take_sigterm_is_killed(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "STOP_S", 0.1)
    text = (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\n"
    )
    log = tmp_path / "log"
    made = program(f"{text}while True: signal.pause()", stack, log)
    until("it is deaf", lambda: "deaf" in log.read_text())
    made.stop()
    assert made.process.returncode == -signal.SIGKILL
    made.stop()
    made.signal(signal.SIGTERM)
    assert not made.running


def test_child_is_out_of_reach_of_ctrl_c(stack: ExitStack) -> None:
    made = program("import signal; signal.pause()", stack)
    until("it is in its group", lambda: os.getpgid(made.pid) == made.pid)
    assert os.getpgid(made.pid) != os.getpgid(0)
    assert made.running


def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "idle.py").write_text("import signal; signal.pause()")
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal\nfrom rackgrid.adapters import child\n"
            "print(child.start('idle', 'idle', [], None).pid, flush=True)\nsignal.pause()",
        ],
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
        until("the child has ended too", lambda: not is_running(pid))
