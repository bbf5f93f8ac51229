"""The mock world's processes, started as children: a plant, and a firmware for each node.

On a Pi the firmware is a service of its own, supervised by systemd with a watchdog, and is never
started from here. In development and in the demo it is a child; the code that runs in it is the
same.

A child has a process group of its own, so that Ctrl-C reaches only the parent, which ends its
children in their order (outputs are made safe before the plant goes). A parent that is killed takes
them along: the kernel sends them SIGTERM.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rackgrid.errors import RackgridError

START_S = 10.0
"""A child must serve its socket within this, s."""
LOOK_S = 0.005
"""Between two looks for a socket, s."""
STOP_S = 3.0
"""A child must have ended within this after SIGTERM, s, or it is killed."""
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Child:
    """A process that this one started, and where its stderr goes (None: to ours)."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.running:
            self.process.send_signal(number)

    def stop(self) -> None:
        """End it: politely, then for sure."""
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(name: str, module: str, arguments: list[str], log: Path | None) -> Child:
    """Start a module of ours with this very interpreter.

    Args:
        log: where its stderr goes; None: to ours.
    """
    argv = [sys.executable, "-m", module, *arguments]
    parent, libc = os.getpid(), ctypes.CDLL(None)

    def end_with_parent() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was asked
            os.kill(os.getpid(), signal.SIGTERM)

    with ExitStack() as opened:
        sink = opened.enter_context(log.open("ab")) if log else None
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            process_group=0,
            preexec_fn=end_with_parent,
        )
    return Child(name, process, log)


def start_plant(
    path: Path, *, seed: int, trace: Path | None, log: Path | None, script: Path | None = None
) -> Child:
    """Start the plant of a mock rack.

    Args:
        path: of its socket.
        trace: where it writes the truth.
        script: what happens in it, and when.
    """
    arguments = ["--socket", str(path), "--seed", str(seed)]
    if trace is not None:
        arguments += ["--trace", str(trace)]
    if script is not None:
        arguments += ["--script", str(script)]
    return start("plant", "rackgrid_firmware.mock.process", arguments, log)


def start_firmware(
    profile: Path, runtime_dir: Path, *, node: str, plant: Path, log: Path | None
) -> Child:
    """Start a node's firmware over the mock world."""
    arguments = ["--profile", str(profile), "--socket", str(runtime_dir / "firmware.sock")]
    arguments += ["--node", node, "--plant", str(plant), "--runtime", str(runtime_dir)]
    return start("firmware", "rackgrid_firmware.service", arguments, log)


def wait_for_socket(path: Path, child: Child) -> None:
    """Wait until a child serves its socket.

    Raises:
        RackgridError: it ended, or took too long; the message ends with its last words.
    """
    deadline = time.monotonic() + START_S
    while not _is_served(path):
        try:
            code = child.process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                fault = f"{child.name} did not serve {path} within {START_S:.0f} s"
                raise RackgridError(fault + _last_words(child)) from None
        else:
            fault = f"{child.name} ended with {code} before it served {path}"
            raise RackgridError(fault + _last_words(child))


def _is_served(path: Path) -> bool:
    """Whether somebody listens: the file alone may be what a killed process left behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _last_words(child: Child) -> str:
    if child.log is None:
        return ""
    lines = child.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return f": {lines[-1]}" if lines else ""
