"""A local network in a box: a bridge and N hosts, each in a network namespace of its own.

Real daemons meet over a real (virtual) Ethernet here, with real IGMP, real carriers and real cuts,
and nothing of it is seen by the machine that runs the tests. Every process that was started inside
is ended, and every namespace removed, whatever happens to the test; namespaces that a killed run
left behind are swept by the next one.

    with Lan(hosts=3) as lan:
        daemon = lan.host(1).run(["rackgrid", "run", "--config", "pi1.toml"])
        lan.host(2).cut()
        lan.host(2).heal()

A test says `from tests.rack.lan import Lan`. A script (a bench) puts the folder `tests` in front of
`sys.path` and says `from rack.lan import Lan`: outside pytest, a dependency that installs a package
named `tests` would hide ours.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

HOSTS_MAX = 250
NETNS_DIR = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_END_S = 5.0
_serial = itertools.count()


@functools.cache
def unavailable() -> str:
    """Say why no namespace can be made here, or "" if one can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need `ip` (iproute2)"
    probe = f"rgprobe{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode != 0:
        return f"no network namespace can be made here: {made.stderr.strip()}"
    _ip("netns", "del", probe)
    return ""


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _batch(namespace: str, lines: Sequence[str]) -> None:
    done = subprocess.run(
        ["ip", "-n", namespace, "-batch", "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"ip -n {namespace}: {done.stderr.strip()}")


def _sweep() -> None:
    """Remove the namespaces of runs that were killed before they could."""
    for path in NETNS_DIR.glob("rg*-*"):
        owner = path.name[2:].split("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True)


class Host:
    """One machine on the network: its interface is `eth0`, its address `10.77.0.<number>`."""

    def __init__(self, number: int, namespace: str, bridge: str) -> None:
        self.number = number
        self.namespace = namespace
        self.address = f"10.77.0.{number}"
        self._bridge = bridge
        self._started: list[subprocess.Popen[str]] = []

    @property
    def port(self) -> str:
        """The bridge's end of this host's cable, inside `Lan.bridge`."""
        return f"port{self.number}"

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[str] | None = None,
        stdout: int | IO[str] | None = None,
        stderr: int | IO[str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Start a program on this host; its pid is the program's own, so signals reach it."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            text=True,
        )
        self._started.append(process)
        return process

    def ip(self, *words: str) -> None:
        """Run `ip` on this host."""
        _ip("-n", self.namespace, *words)

    def cut(self) -> None:
        """Pull the cable: the carrier goes away at both ends."""
        _ip("-n", self._bridge, "link", "set", self.port, "down")

    def heal(self) -> None:
        """Plug the cable in again."""
        _ip("-n", self._bridge, "link", "set", self.port, "up")

    @contextmanager
    def entered(self) -> Generator[None, None, None]:
        """Run a piece of this very thread on the host: a socket made here stays on the host."""
        libc = ctypes.CDLL(None, use_errno=True)
        with (
            Path("/proc/thread-self/ns/net").open("rb") as home,
            (NETNS_DIR / self.namespace).open("rb") as there,
        ):
            _setns(libc, there.fileno())
            try:
                yield
            finally:
                _setns(libc, home.fileno())

    def end(self) -> None:
        """Kill whatever still runs on this host, also what its programs started themselves."""
        for process in self._started:
            process.kill()  # by pid: it may not have entered the namespace yet
            process.wait(_END_S)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        deadline = time.monotonic() + _END_S
        while pids := self._pids():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.namespace}: {pids} cannot be killed")
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _pids(self) -> list[int]:
        """Who is on this host. A zombie is nowhere any more; this process only visits."""
        listed = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True
        )
        return [pid for pid in map(int, listed.stdout.split()) if pid != os.getpid()]


def _setns(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns failed")


class Lan:
    """The network; a context manager. Skips the test, with the reason, where it cannot be made."""

    def __init__(self, hosts: int) -> None:
        assert 1 <= hosts <= HOSTS_MAX
        name = f"rg{os.getpid()}-{next(_serial)}"
        self.bridge = f"{name}-br"
        """Namespace of the bridge `br0`."""
        self.hosts = tuple(Host(n, f"{name}-h{n}", self.bridge) for n in range(1, hosts + 1))

    def host(self, number: int) -> Host:
        """The host with that number, counted from 1."""
        return self.hosts[number - 1]

    def __enter__(self) -> Lan:
        reason = unavailable()
        if reason and "PYTEST_CURRENT_TEST" in os.environ:
            import pytest

            pytest.skip(reason)
        if reason:
            raise RuntimeError(reason)
        _sweep()
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for host in self.hosts:
            host.end()
        self._remove()

    def wire(self, host: Host, index: int = 2) -> None:
        """Give a host its interface: a cable to the bridge, up, with the host's address."""
        far_end = f"name eth0 index {index} netns {host.namespace}"
        _batch(
            self.bridge,
            [
                f"link add {host.port} type veth peer {far_end}",
                f"link set {host.port} master br0 addrgenmode none up",
            ],
        )
        _batch(
            host.namespace,
            [
                "link set eth0 addrgenmode none up",
                f"addr add {host.address}/24 brd + dev eth0",
            ],
        )

    def _build(self) -> None:
        _ip("netns", "add", self.bridge)
        _batch(
            self.bridge,
            ["link add br0 type bridge mcast_snooping 0 stp_state 0", "link set br0 up"],
        )
        for host in self.hosts:
            _ip("netns", "add", host.namespace)
            host.ip("link", "set", "lo", "up")
            self.wire(host)

    def _remove(self) -> None:
        for name in (*(host.namespace for host in self.hosts), self.bridge):
            if (NETNS_DIR / name).exists():
                _ip("netns", "del", name)
