"""The demo as a user meets it: real processes on this machine's loopback, and none left over."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.rack.rig import wait_until

Line = dict[str, Any]
DEMO = [sys.executable, "-m", "rackgrid", "demo"]
DEADLINE_S = 20.0
FAILOVER_S = 5.0
"""The outermost bound of a failover on a busy machine: whoever was killed comes back after it."""


class Demo:
    """A demo in JSON, read line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        self._out = process.stdout.fileno()
        self._rest = b""
        self.nodes: list[Line] = self.line()["nodes"]
        self.events: list[Line] = []

    def line(self) -> Line:
        """The next line, which comes soon."""
        while b"\n" not in self._rest:
            assert select.select([self._out], [], [], DEADLINE_S)[0], "the demo says nothing"
            data = os.read(self._out, 65536)
            assert data, f"the demo has ended with {self.process.wait(DEADLINE_S)}"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\n")
        return json.loads(text)

    def last_lines(self) -> list[Line]:
        """Everything up to the end."""
        while data := os.read(self._out, 65536):
            self._rest += data
        return [json.loads(line) for line in self._rest.splitlines()]

    def until(self, **wanted: object) -> Line:
        """Read events up to the one that has all of this."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            self.events.append(self.line())
            if wanted.items() <= self.events[-1].items():
                return self.events[-1]
        raise AssertionError(f"no event with {wanted}")

    def pids(self) -> set[int]:
        """The demo and all that it has started."""
        found, fresh = {self.process.pid}, [self.process.pid]
        while fresh:
            parent = fresh.pop()
            with suppress(FileNotFoundError, ProcessLookupError):  # It has ended meanwhile.
                listing = Path(f"/proc/{parent}/task/{parent}/children").read_text()
                fresh += map(int, listing.split())
            found |= set(fresh)
        return found


@contextmanager
def demo(*words: str) -> Generator[Demo]:
    """Run one; whatever happens, it ends and nothing of it is left."""
    process = subprocess.Popen(
        [*DEMO, "--json", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        try:
            yield Demo(process)
        finally:
            process.kill()


def running(pids: set[int]) -> set[int]:
    """Those which still run; a zombie does not."""
    found: set[int] = set()
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat.rpartition(") ")[2][0] != "Z":
            found.add(pid)
    return found


def heard(api: str) -> int:
    """How many nodes a node knows of, itself included; 0 while it does not answer."""
    try:
        with urllib.request.urlopen(f"{api}/api/state", timeout=5) as answer:
            return len(json.load(answer)["members"])
    except OSError:
        return 0


def end(show: Demo, number: signal.Signals, pids: set[int]) -> None:
    """End it by a signal: exit 0, no process, no file."""
    show.process.send_signal(number)
    assert all(show.last_lines())
    _, err = show.process.communicate(timeout=DEADLINE_S)
    assert (show.process.returncode, err) == (0, b"")
    wait_until("every process has ended", lambda: not running(pids))
    assert not Path(show.nodes[0]["config"]).exists()


def test_demo_as_json_names_its_nodes_first_then_tells_events_and_ends_on_ctrl_c() -> None:
    with demo("--nodes", "3") as show:
        assert [node["name"] for node in show.nodes] == ["pi-1", "pi-2", "pi-3"]
        keys = {"name", "api", "controller_pid", "firmware_pid", "trace", "config"}
        assert all(set(node) == keys for node in show.nodes)
        pids = show.pids()
        named = {node[key] for node in show.nodes for key in ("controller_pid", "firmware_pid")}
        assert len(named) == 6
        assert named <= pids
        show.until(event="role", role="broker")
        show.until(event="price")
        with urllib.request.urlopen(f"{show.nodes[0]['api']}/api/state", timeout=5) as answer:
            assert json.load(answer)["rack"] == "demo"
        assert all({"t_ns", "event"} <= set(event) for event in show.events)
        end(show, signal.SIGINT, pids)


def test_demo_script_kills_the_broker_and_brings_it_back(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text(
        "".join(
            f'[[event]]\nat_s = {at}\ndo = "{do}"\n{more}\n'
            for at, do, more in (
                (2.5, "kill", 'node = "broker"'),
                (2.5 + FAILOVER_S, "start", ""),
                (2.6 + FAILOVER_S, "load", 'node = "pi-1"\noutput = "no-such"\nwatts = 1.0'),
                (2.7 + FAILOVER_S, "sun", "watts = 0.0"),
                (2.7 + FAILOVER_S, "tariff", "price = 0.99"),
            )
        )
    )
    with demo("--nodes", "3", "--script", str(script)) as show:
        show.until(event="role", role="broker")
        killed = show.until(event="demo", do="kill")
        # On a slow machine others may have led before all had started.
        leaders = [each for each in show.events if each.get("role") == "broker"]
        first = leaders[-1]
        assert killed["node"] == first["node"]
        second = show.until(event="role", role="broker")
        assert second["node"] != first["node"]
        assert second["term"] > first["term"]
        started = show.until(event="demo", do="start")
        assert started["node"] == killed["node"]
        assert started["controller_pid"] in show.pids()
        assert "no output 'no-such'" in show.until(event="demo")["say"]
        show.until(event="price", value=0.99)
        end(show, signal.SIGTERM, show.pids())


def test_demo_two_at_once_do_not_meet() -> None:
    with demo("--nodes", "2") as one, demo("--nodes", "2") as other:
        for show in (one, other):
            show.until(event="role", role="broker")
        apis = [node["api"] for show in (one, other) for node in show.nodes]
        assert len(set(apis)) == 4
        wait_until("each hears its own", lambda: all(heard(api) >= 2 for api in apis))
        assert all(heard(api) <= 2 for api in apis)
        for show in (one, other):
            end(show, signal.SIGINT, show.pids())


def test_demo_killed_leaves_no_process() -> None:
    with demo("--nodes", "2") as show:
        show.until(event="role", role="broker")
        pids = show.pids()
        show.process.kill()
        wait_until("every process has ended", lambda: not running(pids - {show.process.pid}))
        shutil.rmtree(Path(show.nodes[0]["config"]).parents[1])  # nobody was left to do it


def test_demo_stopped_while_it_starts_leaves_no_process() -> None:
    process = subprocess.Popen([*DEMO, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until("its plant runs", children.read_text)
        pids = {process.pid, *map(int, children.read_text().split())}
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, err) == (0, b"")
        wait_until("every process has ended", lambda: not running(pids))


def test_demo_into_a_pipe_prints_lines_without_escape_codes_and_ends_after_its_seconds() -> None:
    done = subprocess.run(
        [*DEMO, "--nodes", "2", "--seconds", "8"],
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert re.search(rb"^ +\d+\.\d s  pi-\d is the broker of term \d$", done.stdout, re.MULTILINE)
    assert re.search(rb"^pi-1: http://127.0.0.1:\d+/api/state$", done.stderr, re.MULTILINE)


def test_demo_in_a_terminal_shows_the_rack_and_ends_on_ctrl_c() -> None:
    """Ctrl-C as a terminal sends it: to the whole foreground group."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", COLUMNS="120", LINES="50")
        os.execv(sys.executable, [*DEMO, "--nodes", "2"])
    shown = b""
    try:
        end_s = time.monotonic() + DEADLINE_S
        while not (b"broker pi-" in shown and b"look further" in shown):
            assert time.monotonic() < end_s, shown[-2000:]
            if select.select([terminal], [], [], 0.5)[0]:
                shown += os.read(terminal, 65536)
        os.write(terminal, b"\x03")
        code = None
        while code is None:
            assert time.monotonic() < end_s + DEADLINE_S, shown[-2000:]
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    shown += os.read(terminal, 65536)
                except OSError:  # the other end is closed
                    break
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, shown[-2000:]
        assert b"Traceback" not in shown
    finally:
        os.close(terminal)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--nodes", "0"], 2, "allowed: 1 to 12"),
        (["--nodes", "13"], 2, "allowed: 1 to 12"),
        (["--script", "/nowhere.toml"], 78, "/nowhere.toml"),
    ],
)
def test_demo_bad_argument_is_refused_in_a_line(words: list[str], code: int, said: str) -> None:
    done = subprocess.run([*DEMO, *words], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
