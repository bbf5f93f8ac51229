"""The mock world's processes, started as children: a plant, and a firmware for each node.

On a Pi the firmware is a service of its own, supervised by systemd with a watchdog, and is never
started from here. In development and in the demo it is a child; the code that runs in it is the
same.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rackgrid.errors import RackgridError

START_S = 10.0
"""A child must have made its socket within this, s."""
LOOK_S = 0.005
"""Between two looks for a socket, s."""
STOP_S = 3.0
"""A child must have ended within this after SIGTERM, s, or it is killed."""


@dataclass(slots=True)
class Child:
    """A process that this one started."""

    name: str
    process: subprocess.Popen[bytes]

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
    if log is None:
        return Child(name, subprocess.Popen(argv, stdin=subprocess.DEVNULL))  # noqa: S603
    with log.open("ab") as sink:
        return Child(
            name,
            subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink),  # noqa: S603
        )


def start_plant(
    socket: Path, *, seed: int, trace: Path | None, log: Path | None, with_parent: bool = True
) -> Child:
    """Start the plant of a mock rack."""
    arguments = ["--socket", str(socket), "--seed", str(seed)]
    if trace is not None:
        arguments += ["--trace", str(trace)]
    if with_parent:
        arguments.append("--with-parent")
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
        RackgridError: it ended, or took too long.
    """
    deadline = time.monotonic() + START_S
    while not path.is_socket():
        try:
            code = child.process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                fault = f"{child.name} did not make {path} within {START_S:.0f} s"
                raise RackgridError(fault) from None
        else:
            raise RackgridError(f"{child.name} ended with {code} before it made {path}")
