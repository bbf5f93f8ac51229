"""Fails if the plant's process loses a change of the truth, a pin's state or a client."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.mock.client import PlantControl, RemotePins
from rackgrid_firmware.mock.node import Draw
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.process import PlantProcess, main, trace_line
from rackgrid_firmware.mock.wiring import LoadWiring, NodeWiring

NODE = NodeWiring(
    "n1", 3.0, (LoadWiring("fan", 17, True, False, 12.0, 20.0, 0.05, 10.0, 0.0, ""),), ()
)
Start = Callable[..., PlantProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[tuple[PlantProcess, threading.Thread]] = []

    def run(**options: Any) -> PlantProcess:
        process = PlantProcess(Plant(), str(tmp_path / "plant"), **options)
        thread = threading.Thread(target=process.run)
        thread.start()
        running.append((process, thread))
        return process

    yield run
    for process, thread in running:
        process.stop()
        thread.join(5)
        assert not thread.is_alive()
        process.close()


class Trace(io.StringIO):
    """A trace that one can wait on."""

    def __init__(self) -> None:
        super().__init__()
        self.grown = threading.Condition()

    def flush(self) -> None:
        with self.grown:
            self.grown.notify_all()

    def lines(self, count: int) -> list[dict[str, Any]]:
        with self.grown:
            assert self.grown.wait_for(lambda: self.getvalue().count("\n") >= count, timeout=5)
        return [json.loads(line) for line in self.getvalue().splitlines()]


def test_trace_line_has_the_fields_of_the_contract() -> None:
    line = trace_line(Draw(5, "n1", 13.0, 3.0, 10.0, {"fan": 10.0}))
    assert line.endswith("\n")
    assert json.loads(line) == {
        "t_ns": 5,
        "node": "n1",
        "event": "draw",
        "watts": 13.0,
        "required_w": 3.0,
        "flexible_w": 10.0,
        "loads": {"fan": 10.0},
    }


def test_process_writes_every_change_the_end_of_the_inrush_included(
    start: Start, tmp_path: Path
) -> None:
    trace = Trace()
    start(trace=trace)
    pins = RemotePins(tmp_path / "plant", NODE)
    pins.drive(17, True)
    assert [line["flexible_w"] for line in trace.lines(3)] == [0.0, 20.0, 10.0]
    on, steady = trace.lines(3)[1:]
    assert steady["t_ns"] - on["t_ns"] == 50_000_000
    pins.drive(17, False)
    assert trace.lines(4)[-1]["flexible_w"] == 0.0
    pins.close()


@pytest.mark.parametrize(("strict", "level"), [(False, True), (True, None)])
def test_process_firmware_gone_leaves_its_pins_as_the_kernel_would(
    start: Start, tmp_path: Path, strict: bool, level: bool | None
) -> None:
    start(strict_gpiod=strict)
    path = tmp_path / "plant"
    pins, control = RemotePins(path, NODE), PlantControl(path)
    pins.drive(17, True)
    pins.close()
    # A plug-in after the hang-up is served after it, so the loop has seen the end of the pins.
    RemotePins(path, NodeWiring("other", 1.0, (), ())).close()
    assert control.levels("n1") == {17: level}
    control.close()


def test_process_firmware_gone_while_it_pulsed_a_pin_leaves_the_load_at_full_power(
    start: Start, tmp_path: Path
) -> None:
    start()
    path = tmp_path / "plant"
    wiring = replace(NODE, loads=(replace(NODE.loads[0], inrush_w=12.0, inrush_s=0.0),))
    pins, control = RemotePins(path, wiring), PlantControl(path)
    pins.modulate(17, 0.25, 100.0)
    assert control.draws()["nodes"]["n1"]["loads"] == {"fan": 2.5}
    pins.close()
    RemotePins(path, NodeWiring("other", 1.0, (), ())).close()
    assert control.draws()["nodes"]["n1"]["loads"] == {"fan": 10.0}
    control.close()


def test_process_node_that_loses_its_power_is_hung_up_on(start: Start, tmp_path: Path) -> None:
    """Its firmware loses its pins, as a Pi does that goes down."""
    start()
    path = tmp_path / "plant"
    pins, control = RemotePins(path, NODE), PlantControl(path)
    pins.drive(17, True)
    control.do("cut", node="n1")
    with pytest.raises((DeviceUnavailable, ValueError)):
        pins.drive(17, True)
    assert control.draws()["nodes"]["n1"]["watts"] == 0.0
    control.do("restore", node="n1")
    RemotePins(path, NODE).close()
    control.close()


def test_process_plays_a_script_and_says_what_it_cannot_do(tmp_path: Path) -> None:
    path, script = tmp_path / "plant", tmp_path / "script.toml"
    script.write_text(
        '[[event]]\nat_s = 0\ndo = "set-feed"\nvolts = 11\n'
        '[[event]]\nat_s = 0\ndo = "cut"\nnode = "nobody"\n'
    )
    words = ["--socket", str(path), "--script", str(script)]
    with subprocess.Popen(
        [sys.executable, "-m", "rackgrid_firmware.mock.process", *words],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        control = PlantControl(path)
        assert control.draws()["feed"]["volts"] == 11.0
        control.close()
        process.terminate()
    assert "script.toml: cut: the plant knows no node 'nobody'" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--amps-max", "-1"], "at most -1.0 A"), (["--script", "nowhere.toml"], "cannot be read")],
)
def test_process_world_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["--socket", str(tmp_path / "plant"), *words]) == 1
    assert said in capsys.readouterr().err


def test_process_client_that_talks_nonsense_is_dropped_and_others_go_on(
    start: Start, tmp_path: Path
) -> None:
    start()
    path = str(tmp_path / "plant")
    control = PlantControl(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.settimeout(5)
        stranger.connect(path)
        stranger.send(b"\x00garbage")
        assert b"error" in stranger.recv(4096)
        assert stranger.recv(4096) == b""
    assert control.draws()["nodes"] == {}
    control.close()


def ended(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


def wait_for_line(process: subprocess.Popen[str], path: Path) -> PlantControl:
    while process.poll() is None:
        if path.is_socket():
            return PlantControl(path)
        os.sched_yield()
    raise AssertionError(process.communicate())


def test_main_serves_until_sigterm_and_removes_its_socket(tmp_path: Path) -> None:
    path, trace = tmp_path / "plant", tmp_path / "trace"
    argv = ["--socket", str(path), "--trace", str(trace), "--volts", "5", "--seed", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rackgrid_firmware.mock.process", *argv],
        stderr=subprocess.PIPE,
        text=True,
    )
    control = wait_for_line(process, path)
    assert control.draws()["feed"] == {"volts": 5.0, "watts": 0.0}
    pins = RemotePins(path, NODE)
    assert json.loads(trace.read_text())["watts"] == 3.0
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert process.communicate() == (None, "")
    assert not path.exists()
    pins.close()
    control.close()


def test_main_with_parent_ends_when_the_parent_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "plant"
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'rackgrid_firmware.mock.process',"
        f" '--socket', {str(path)!r}, '--with-parent'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        plant = int(parent.stdout.readline())
        while not path.is_socket():
            assert parent.poll() is None
            os.sched_yield()
        parent.kill()
        parent.wait(10)
        assert ended(plant)


def test_main_without_a_place_to_listen_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--socket", str(tmp_path / "no" / "plant")]) == 1
    assert "cannot start" in capsys.readouterr().err
