"""A rack of real daemons: each node in a network namespace of its own, on one bridge.

One plant is the copper of all (a Unix socket is bound to no namespace). Whoever leaves the rig has
had the whole trace checked: the feed was never oversubscribed, no required load was ever off.

    with Rig(3) as rig:
        rig.start()
        rig.wait_for_broker()
        rig.node(3).kill()
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.rack.lan import Host, Lan
from tests.rack.recipe import BOARD, CONFIG
from tests.rack.truth import Draw, Edge, breaches, draws, edges, lines

from rackgrid.adapters import child
from rackgrid.adapters.key_file import new_group_key
from rackgrid_firmware.mock.client import PlantControl

State = dict[str, Any]

DEADLINE_S = 15.0
API_PORT = 8470
FLOOR_W = 6.5
"""Of each node: 2.5 W of electronics and a server of 4 W."""
AMPLE_W_PER_NODE = 30.0
"""Enough for every load, and for a restarted node to count twice for a while."""
FLEXIBLE = ("lamp", "pump")
FLEXIBLE_W = 14.0
"""What these two of a node reserve once they run; a start reserves more."""
QUICK = {"beacon_s": 0.3, "round_s": 0.25, "authority_s": 0.3, "grant_s": 1.4}
"""Timers that are shorter than the defaults, so that a test waits less for the same things."""


def wait_until(what: str, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Look until the condition holds.

    Raises:
        AssertionError: it does not in time.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        select.select([], [], [], 0.04)


class RigNode:
    """One node: its host, its files and its two processes."""

    def __init__(
        self,
        folder: Path,
        host: Host,
        trace: Path,
        plant: Path | None,
        env: Mapping[str, str],
    ) -> None:
        self.env = env
        """What its processes find in their environment beside ours."""
        self.plant = plant
        """Where its copper is; None for the pins of the machine itself."""
        self.name = f"pi-{host.number}"
        self.host = host
        self.folder = folder
        self.config = folder / "rackgrid.toml"
        self.log = folder / "controller.log"
        self.trace = trace.with_name(f"{trace.name}.{self.name}")
        self.firmware: subprocess.Popen[str] | None = None
        self.controller: subprocess.Popen[str] | None = None

    @property
    def running(self) -> bool:
        """Whether the controller runs."""
        return self.controller is not None and self.controller.poll() is None

    def start_firmware(self) -> None:
        """Start the firmware."""
        words = ["--profile", str(self.folder / "board.toml"), "--node", self.name]
        words += ["--socket", f"{self.folder}/run/firmware.sock", "--runtime", f"{self.folder}/run"]
        if self.plant is not None:
            words += ["--plant", str(self.plant)]
        # At the priority that its systemd unit gives it.
        self.firmware = self._run(
            "firmware", ["-m", "rackgrid_firmware.service", *words], ["nice", "-n", "-10"]
        )

    def start(self) -> None:
        """Start the controller."""
        words = ["-m", "rackgrid", "run", "--attach", "--config", str(self.config)]
        self.controller = self._run("controller", words)

    def kill(self) -> None:
        """Kill the controller: no goodbye. The firmware goes on by itself."""
        assert self.controller is not None
        self.controller.send_signal(signal.SIGKILL)
        self.controller.wait(DEADLINE_S)

    def kill_all(self) -> None:
        """Kill both processes: its outputs stay as they are until `make_safe`."""
        started = [process for process in (self.controller, self.firmware) if process]
        for process in started:
            process.kill()
        for process in started:
            process.wait(DEADLINE_S)

    def make_safe(self) -> None:
        """Do what systemd does whenever the firmware has ended: run the unit's helper."""
        words = [str(self.folder / "board.toml"), "--table", str(self.folder / "run/pins")]
        words += ["--plant", str(self.plant), "--node", self.name]
        helper = self._run("safe", ["-m", "rackgrid_firmware.safe", *words], ["nice", "-n", "-10"])
        assert helper.wait(DEADLINE_S) == 0, (self.folder / "safe.log").read_text()

    def state(self) -> State:
        """Ask its API, on its own host; empty while nobody answers."""
        try:
            return self.ask("/api/state")
        except OSError:
            return {}

    def ask(self, path: str, body: object = None) -> State:
        """Get an answer of its API, whatever its status; a body is posted as JSON."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{API_PORT}{path}", data)
        with self.host.entered():
            try:
                with urllib.request.urlopen(asked, timeout=5) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as refusal:
                with refusal:
                    return {"status": refusal.code, **json.load(refusal)}

    def rackgrid(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a `rackgrid` command on this host, to its end."""
        process = self.host.run(
            [sys.executable, "-m", "rackgrid", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
        )
        out, err = process.communicate(timeout=DEADLINE_S)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def said(self, event: str, since_ns: int = 0) -> list[dict[str, Any]]:
        """The lines of that event which the controller has traced since."""
        return [
            x for x in lines(self.trace) if x["event"] == event and int(str(x["t_ns"])) >= since_ns
        ]

    def _run(
        self, name: str, words: Sequence[str], before: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        with (self.folder / f"{name}.log").open("a") as log:
            return self.host.run(
                [*before, sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
                cwd=self.folder,
            )


class Rig:
    """The rack; a context manager that ends every process and checks the whole trace."""

    def __init__(
        self,
        count: int,
        *,
        capacity_w: float | None = None,
        priorities: Mapping[int, int] | None = None,
        rack: Mapping[str, object] = QUICK,
        driver: str = "mock",
        board: str = BOARD,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Choose.

        Args:
            count: of nodes; node n has the name `pi-n`.
            capacity_w: of the feed; None for plenty.
            priorities: by node number; else a node's number is its priority.
            rack: further keys of the table `[rack]`.
            driver: of the boards: "mock", or "pi" for what this machine has.
            board: the profile of each, as in `recipe`.
            env: what every node's processes find in their environment beside ours.
        """
        self.count = count
        self.capacity_w = AMPLE_W_PER_NODE * count if capacity_w is None else capacity_w
        self._priorities = priorities or {}
        self._rack = {"expect": count, **rack}
        self._driver = driver
        self._board = board
        self._env = env or {}
        self._undo = ExitStack()

    def __enter__(self) -> Rig:
        with ExitStack() as undo:
            self.folder = Path(tempfile.mkdtemp(prefix="rg-"))
            undo.callback(shutil.rmtree, self.folder)
            self.trace = self.folder / "trace"
            self.plant = self.folder / "plant.sock"
            self.key_file = self.folder / "rack.key"
            new_group_key(self.key_file)
            world = child.start_plant(
                self.plant, seed=1, trace=self.trace, log=self.folder / "plant.log"
            )
            undo.callback(world.stop)
            child.wait_for_socket(self.plant, world)
            self.control = PlantControl(self.plant)
            undo.callback(self.control.close)
            self.lan = undo.enter_context(Lan(self.count))
            self.nodes = tuple(self._make(host) for host in self.lan.hosts)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.check()
            else:
                self._show_logs()
        finally:
            self._undo.close()

    # --- making it run ---------------------------------------------------------------------------

    def start(self, *numbers: int) -> None:
        """Start these nodes, or all; the last one first, whose quiet time then ends first.

        So it is the first broker, and no test waits for it to preempt another.
        """
        last, *others = reversed([self.node(n) for n in numbers] or self.nodes)
        for node in (last, *others):
            node.start_firmware()
        for node in (last, *others):
            wait_until(f"{node.name}'s firmware", (node.folder / "run/firmware.sock").is_socket)
            node.start()
            if node is last:
                wait_until(f"{node.name}'s API", node.state)

    def start_at_once(self) -> None:
        """Start all nodes as they come, as a power switch does."""
        for node in self.nodes:
            node.start_firmware()
            node.start()

    @contextmanager
    def scene(self) -> Generator[RigNode]:
        """A scene of several on one rack: bring all back, give the broker, check what was drawn."""
        with self.watched():
            yield self._settle()

    @contextmanager
    def watched(self) -> Generator[None]:
        """Check what was drawn at the end; show what the processes said if that is not reached."""
        try:
            yield
        except BaseException:
            self._show_logs()
            raise
        self.check()

    def bring_back(self) -> None:
        """Every cable in, every process running."""
        for node in self.nodes:
            node.host.heal()
            if node.firmware is not None and node.firmware.poll() is not None:
                node.start_firmware()
            if not node.running:
                node.start()

    def _settle(self) -> RigNode:
        """Everything back, one broker, every load on, by a grant for a bid that said so."""
        self.bring_back()
        self.wait_for_broker()
        self.wait_for_loads()

        def is_settled() -> bool:
            state = self.wait_for_broker()
            pledged_w = sum(line["pledged_w"] for line in state["roster"])
            return (state["feed"]["granted_w"], pledged_w) == (FLEXIBLE_W * len(self.nodes), 0)

        wait_until("no start and no pledge is counted any more", is_settled)
        broker = self.wait_for_broker()["broker"]
        return next(node for node in self.nodes if node.name == broker)

    def node(self, number: int) -> RigNode:
        """The node of that number, counted from 1."""
        return self.nodes[number - 1]

    def _make(self, host: Host) -> RigNode:
        folder = self.folder / f"pi-{host.number}"
        (folder / "run").mkdir(parents=True)
        plant = self.plant if self._driver == "mock" else None
        node = RigNode(folder, host, self.trace, plant, self._env)
        (folder / "board.toml").write_text(self._board.format(driver=self._driver))
        node.config.write_text(
            CONFIG.format(
                interface="eth0",
                key_file=self.key_file,
                rack="\n".join(f"{key} = {json.dumps(value)}" for key, value in self._rack.items()),
                capacity_w=self.capacity_w,
                name=node.name,
                priority=self._priorities.get(host.number, host.number),
                api_port=API_PORT,
                plant=self.plant,
                trace=self.trace,
            )
        )
        return node

    # --- looking ---------------------------------------------------------------------------------

    def wait_for_broker(
        self, broker: RigNode | None = None, among: Sequence[RigNode] | None = None
    ) -> State:
        """Wait until these nodes follow one broker at a known price; return the first one's view.

        It is the view that was waited for: another look may find an election, or no answer.
        """
        nodes = list(among or self.nodes)
        states: list[State] = []

        def agreed() -> bool:
            states[:] = [node.state() for node in nodes]
            if not all(states) or any(s["price"]["value"] is None for s in states):
                return False
            pairs = {(s["term"], s["broker_id"]) for s in states}
            names = {s["broker"] for s in states}
            roles = [s["role"] for s in states]
            return (
                len(pairs) == 1
                and roles.count("broker") == 1
                and roles.count("member") == len(nodes) - 1
                and (broker is None or names == {broker.name})
            )

        wait_until(f"one broker among {[n.name for n in nodes]}", agreed)
        return states[0]

    def wait_for_loads(self, nodes: Sequence[RigNode] | None = None, on: bool = True) -> None:
        """Wait until every flexible load of these nodes truly draws, or none does."""
        names = [node.name for node in nodes or self.nodes]

        def followed() -> bool:
            truth = self.control.draws()["nodes"]
            return all((truth[n]["loads"][load] > 0) is on for n in names for load in FLEXIBLE)

        wait_until(f"every flexible load {'on' if on else 'off'} at {names}", followed)

    def others(self, node: RigNode) -> list[RigNode]:
        """Every node but that one."""
        return [other for other in self.nodes if other is not node]

    def draws(self) -> list[Draw]:
        """The truth so far."""
        return draws(self.trace)

    def edges(self, since_ns: int, nodes: Sequence[RigNode]) -> list[Edge]:
        """What was switched since then at these nodes."""
        names = {node.name for node in nodes}
        return [e for e in edges(self.draws()) if e.t_ns >= since_ns and e.node in names]

    def check(self) -> None:
        """Hold the whole trace to the laws: the capacity, and what is required."""
        trace = self.draws()
        found = breaches(trace, self.capacity_w, ["server"])
        assert not found, "\n".join(found)

    def _show_logs(self) -> None:
        """Put what the processes said into the report of the failed test."""
        for path in sorted(self.folder.glob("**/*.log")):
            print(f"--- {path.relative_to(self.folder)}\n{path.read_text()[-4000:]}")
