"""Virtual Raspberry Pis on one network, and the bench that they stand on.

A Pi is a User-Mode-Linux kernel, so a process of this machine, with systemd, `/dev/i2c-1`, a
gpiochip and two network cards: `eth0` on the rack's bridge, `bench0` on the bench's own, by which
scripts come in. The bench's namespace is in no way connected to the machine's network.

    with Bench(tmp_path, pis=1) as bench:
        pi = bench.boot(1)
        pi.run("systemctl start rackgrid-firmware")
        pi.cut()                      # pulls the plug
        bench.boot(1)                 # with the same SD card
"""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from tests.rack.lan import Host
from tests.vpi.plant import Plant

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rackgrid-vpi"
BOOT_S = 240.0
SCRIPT_S = 120.0
END_S = 60.0
"""Generous: a machine with other work boots a Pi in a minute and not in nine seconds."""
SHELL_PORT = 2323
API_PORT = 8470
CHIPS = "0x40,0x41"
RAISED = "27"
"""The board: its meters, and the lines that it pulls up: their relays close at a low level."""
_serial = itertools.count()
T = TypeVar("T")


class ScriptFailed(AssertionError):
    """A script did not exit 0."""


def wait_until(what: str, look: Callable[[], T], patience_s: float = SCRIPT_S) -> T:
    """Look until there is something to see, and return it.

    Raises:
        AssertionError: there is nothing in time.
    """
    end = time.monotonic() + patience_s
    while not (seen := look()):
        assert time.monotonic() < end, f"not within {patience_s:g} s: {what}"
        select.select([], [], [], 0.05)
    return seen


class Pi:
    """One virtual Pi, running or not; its SD card stays."""

    def __init__(self, number: int, bench: Host, folder: Path) -> None:
        self.number = number
        self.name = f"pi-{number}"
        self.address = f"10.77.0.{number}"
        self.bench_address = f"10.99.0.{number}"
        self.card = folder / f"{self.name}.cow"
        self.log = folder / f"{self.name}.log"
        self._folder = folder
        self._bench = bench
        self._kernel: subprocess.Popen[str] | None = None
        self._boots = itertools.count(1)
        self.plant = Plant(self.run)

    @property
    def is_on(self) -> bool:
        """Whether its kernel runs."""
        return self._kernel is not None and self._kernel.poll() is None

    def power_on(self) -> None:
        """Let the power come; `wait_for_boot` says when it is up."""
        assert not self.is_on, f"{self.name} runs already"
        with self.log.open("a") as console:
            self._kernel = self._bench.run(
                self._command(), stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )

    def wait_for_boot(self) -> None:
        """Wait until systemd has started all it is to start.

        Raises:
            AssertionError: it is not up in time, or a unit failed.
        """
        state = wait_until(f"{self.name} is up", self._boot_state, BOOT_S)
        assert state == "running", self.run("systemctl --failed --no-legend; journalctl -b -p 4")

    def run(self, script: str, patience_s: float = SCRIPT_S) -> str:
        """Run a shell script on the Pi as root, and return what it says.

        Raises:
            ScriptFailed: its exit code was not 0.
            OSError: the Pi does not answer.
        """
        said, code = self._ask(script, patience_s)
        if code:
            raise ScriptFailed(f"{self.name}: exit {code}: {script}\n{said}")
        return said

    def state(self) -> dict[str, Any]:
        """The state of the rack, as the API of this Pi tells it; empty while it does not answer."""
        try:
            with (
                self._bench.entered(),
                urllib.request.urlopen(
                    f"http://{self.bench_address}:{API_PORT}/api/state", timeout=10
                ) as answer,
            ):
                return json.load(answer)
        except OSError:
            return {}

    def write(self, path: str, text: str) -> None:
        """Put a file onto the Pi, and onto its card."""
        assert "\nEND-OF-FILE\n" not in text
        self.run(f"cat >{path} <<'END-OF-FILE'\n{text}\nEND-OF-FILE\nsync {path}")

    def power_off(self) -> None:
        """Shut down in order."""
        with suppress(OSError):  # the shell goes down with the rest
            self._ask("systemctl poweroff", SCRIPT_S)
        assert self._kernel is not None
        self._kernel.wait(END_S)

    def cut(self) -> None:
        """Pull the plug: nothing is written any more, nobody is told."""
        assert self._kernel is not None
        with suppress(ProcessLookupError):
            os.killpg(self._kernel.pid, signal.SIGKILL)
        self._kernel.wait(END_S)

    def _boot_state(self) -> str:
        assert self.is_on, f"{self.name}: the kernel ended: {self.log.read_text()[-2000:]}"
        with suppress(OSError):
            said, _ = self._ask("systemctl is-system-running", 10.0)
            if said.strip() in ("running", "degraded"):
                return said.strip()
        return ""

    def _ask(self, script: str, patience_s: float) -> tuple[str, int]:
        address = (self.bench_address, SHELL_PORT)
        with self._bench.entered():
            link = socket.create_connection(address, timeout=min(patience_s, 10.0))
        with link:
            link.settimeout(patience_s)
            link.sendall(script.encode())
            link.shutdown(socket.SHUT_WR)
            heard = b""
            while piece := link.recv(65536):
                heard += piece
        said, end, code = heard.rpartition(b"\0")
        if not end:
            raise ConnectionResetError(f"{self.name}: hung up in {script!r}")
        return said.decode(errors="replace"), int(code)

    def _command(self) -> list[str]:
        """The kernel's command line; a session of its own, so that `cut` reaches all of it."""
        memory = self._folder / f"{self.name}.{next(self._boots)}"
        memory.mkdir()
        mac = f"02:52:47:00:{self.number:02x}"
        kernel = CACHE / "kernel"
        return [
            *("setsid", "taskset", "-c", str(_cpu(self.number))),
            *("env", "TMPDIR=/dev/shm", str(kernel / "linux")),
            *("mem=192M", f"umid={self.name}", f"uml_dir={memory}"),
            f"ubd0={self.card},{CACHE / 'image/rootfs.ext4'}",
            *("root=/dev/ubda", "rw", f"dtb={kernel / 'pi4.dtb'}"),
            f"vec0:transport=tap,ifname=lan{self.number},mac={mac}:01,depth=64",
            f"vec1:transport=tap,ifname=ben{self.number},mac={mac}:02,depth=64",
            *("con=null", "con0=null,fd:1", "ssl=null", "quiet", "panic=-1"),
            *("systemd.show_status=0", f"systemd.hostname={self.name}"),
            f"vpi.lan={self.address}/24",
            f"vpi.bench={self.bench_address}/24",
            f"vpi.chips={CHIPS}",
            f"vpi.raised={RAISED}",
        ]


class Bench:
    """The Pis and their two bridges, in a namespace of their own; a context manager."""

    def __init__(self, folder: Path, pis: int = 1) -> None:
        name = f"rg{os.getpid()}-vpi{next(_serial)}"
        self._host = Host(254, name, name)
        self.pis = tuple(Pi(number, self._host, folder) for number in range(1, pis + 1))

    def __enter__(self) -> Bench:
        subprocess.run(["ip", "netns", "add", self._host.namespace], check=True)
        with ExitStack() as stack:
            stack.callback(self._remove)
            self._host.ip("link", "set", "lo", "up")
            for kind, net in (("lan", "10.77.0"), ("ben", "10.99.0")):
                bridge = f"br-{kind}"
                self._host.ip("link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
                self._host.ip("address", "add", f"{net}.254/24", "dev", bridge)
                self._host.ip("link", "set", bridge, "up")
                for pi in self.pis:
                    tap = f"{kind}{pi.number}"
                    self._host.ip("tuntap", "add", tap, "mode", "tap")
                    self._host.ip("link", "set", tap, "master", bridge, "up")
            stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def boot(self, *numbers: int) -> Pi:
        """Let the power of these Pis come together, wait until they are up; return the first."""
        started = [self.pis[number - 1] for number in numbers]
        for pi in started:
            pi.power_on()
        for pi in started:
            pi.wait_for_boot()
        return started[0]

    def unplug(self, pi: Pi) -> None:
        """Pull the cable of a Pi's eth0; its carrier does not tell, frames are lost.

        Out of the bridge, and not down: UML's card hears nothing any more once its tap was down.
        """
        self._host.ip("link", "set", f"lan{pi.number}", "nomaster")

    def plug_in(self, pi: Pi) -> None:
        """Plug that cable in again."""
        self._host.ip("link", "set", f"lan{pi.number}", "master", "br-lan")

    def _remove(self) -> None:
        self._host.end()
        subprocess.run(["ip", "netns", "del", self._host.namespace], check=True)


def _cpu(number: int) -> int:
    """Spread the Pis over the processors: one that wanders between two boots at half the speed."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[number % len(usable)]
