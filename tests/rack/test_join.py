"""One line puts a second node into a rack: the operator's own steps, on two hosts of a LAN."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.rack.lan import Host, Lan
from tests.rack.rig import State, wait_until

pytestmark = pytest.mark.root

DEADLINE_S = 30.0


def rackgrid(host: Host, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on a host, with a text on its stdin."""
    process = host.run(
        [sys.executable, "-m", "rackgrid", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate(said, timeout=DEADLINE_S)
    assert process.returncode == 0, err
    return subprocess.CompletedProcess(words, process.returncode, out, err)


@contextmanager
def running(host: Host, folder: Path) -> Generator[None]:
    """Run a node of mock hardware on a host."""
    words = [sys.executable, "-m", "rackgrid", "run", "--config", str(folder / "rackgrid.toml")]
    with (folder / "log").open("w") as log:
        process = host.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)


def state(host: Host) -> State:
    """Ask a node's API; empty while nobody answers."""
    try:
        with (
            host.entered(),
            urllib.request.urlopen("http://127.0.0.1:8470/api/state", timeout=5) as answer,
        ):
            return json.load(answer)
    except OSError:
        return {}


def test_second_node_joins_by_the_one_line_that_the_first_prints(tmp_path: Path) -> None:
    """Fails if anything but the token has to be carried from one node to the other."""
    one, two = tmp_path / "one", tmp_path / "two"
    with Lan(2) as lan, ExitStack() as nodes:
        first, second = lan.hosts
        where = ["--interface", "eth0", "--board", "mock-demo"]
        words = ["--rack", "shed", "--capacity", "90", "--node", "pi-1", *where]
        rackgrid(first, "setup", "--dir", str(one), *words)
        nodes.enter_context(running(first, one))
        wait_until("a rack of one", lambda: state(first).get("role") == "broker", DEADLINE_S)
        token = rackgrid(first, "key", "token", "--config", str(one / "rackgrid.toml")).stdout
        assert token.count("\n") == 1
        words = ["--join", "-", "--node", "pi-2", *where]
        rackgrid(second, "setup", "--dir", str(two), *words, said=token)
        nodes.enter_context(running(second, two))
        found: State = {}

        def is_member() -> bool:
            found.update(state(second))
            return found.get("role") == "member"

        wait_until("it is a member", is_member, DEADLINE_S)
        assert (found["rack"], found["broker"]) == ("shed", "pi-1")
        assert {line["name"] for line in found["roster"]} == {"pi-1", "pi-2"}
        for host, folder in ((first, one), (second, two)):
            assert not {"bad_mac", "unknown_key"} & set(state(host)["rejected"])
            assert token.strip() not in (folder / "log").read_text()
