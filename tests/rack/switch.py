"""A switch that doubles, delays, overtakes and loses frames, by a seeded chance.

It takes the place of a LAN's bridge: each host's `eth0` becomes a TAP device whose other end is a
descriptor of the switch, a process of its own. A frame to a known address leaves by one port,
all others by every port, and each copy has its own fate: so frames overtake one another, and two
hosts hear the same multicasts in different orders. (A TAP device, unlike a veth, completes the
checksums before it hands a frame over.)

    with Rig(5) as rig, Switch(rig.lan, Weather(doubled=0.2, delay_s=0.08), seed=1) as switch:
        rig.start()
        print(switch.count())

Once it is left the hosts have no cable at all.
"""

from __future__ import annotations

import dataclasses
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rack.lan import Host, Lan

FRAME_MAX = 2048
ADDRESS = 6
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_END_S = 10.0


@dataclass(frozen=True, slots=True)
class Weather:
    """What becomes of frames.

    Attributes:
        doubled, lost: shares of the copies, each from 0 to 1.
        delay_s: every copy is late by between nothing and this, s.
    """

    doubled: float = 0.0
    lost: float = 0.0
    delay_s: float = 0.0


@dataclass(slots=True)
class Count:
    """What has become of frames so far; a copy is a frame on its way out of one port.

    Attributes:
        overtaken: copies that left after one that had come in later by the same port.
    """

    frames: int = 0
    copies: int = 0
    doubled: int = 0
    lost: int = 0
    overtaken: int = 0


@dataclass(order=True, slots=True)
class Copy:
    """A frame on its way: when it leaves, its number, by which ports it came in and leaves."""

    due_ns: int
    number: int
    source: int = field(compare=False)
    port: int = field(compare=False)
    frame: bytes = field(compare=False)


class Fate:
    """Decides for every frame; pure, and the same for the same seed and the same frames."""

    def __init__(self, ports: int, weather: Weather, seed: int) -> None:
        self.weather = weather
        self.count = Count()
        self._ports = ports
        self._chance = random.Random(seed)
        self._homes: dict[bytes, int] = {}
        self._waiting: list[Copy] = []
        self._newest: dict[tuple[int, int], int] = {}

    def take(self, now_ns: int, source: int, frame: bytes) -> None:
        """Take a frame that came in by a port."""
        self.count.frames += 1
        self._homes[frame[ADDRESS : 2 * ADDRESS]] = source
        known = self._homes.get(frame[:ADDRESS])
        ports = range(self._ports) if known is None else (known,)
        for port in ports:
            if port != source:
                for due_ns in self._dues_ns(now_ns):
                    copy = Copy(due_ns, self.count.frames, source, port, frame)
                    heapq.heappush(self._waiting, copy)

    def give(self, now_ns: int) -> Iterator[Copy]:
        """Hand out the copies that leave by now."""
        while self._waiting and self._waiting[0].due_ns <= now_ns:
            copy = heapq.heappop(self._waiting)
            newest = self._newest.get((copy.source, copy.port), 0)
            self.count.overtaken += copy.number < newest
            self._newest[copy.source, copy.port] = max(copy.number, newest)
            yield copy

    def due_ns(self) -> int | None:
        """When the next copy leaves."""
        return self._waiting[0].due_ns if self._waiting else None

    def _dues_ns(self, now_ns: int) -> Iterator[int]:
        """When the copies of one frame leave by one port: none, one, or two."""
        doubled = self._chance.random() < self.weather.doubled
        self.count.doubled += doubled
        for _ in range(1 + doubled):
            self.count.copies += 1
            if self._chance.random() < self.weather.lost:
                self.count.lost += 1
            else:
                yield now_ns + round(self._chance.uniform(0, self.weather.delay_s) * 1e9)


def serve(fate: Fate, taps: Sequence[int], orders: IO[str], answers: IO[str]) -> None:
    """Forward until the orders end; each is a weather as a line of JSON, answered by the count."""
    ports = {tap: port for port, tap in enumerate(taps)}
    while True:
        due_ns = fate.due_ns()
        patience = None if due_ns is None else max(0, due_ns - time.monotonic_ns()) / 1e9
        ready, _, _ = select.select([orders.fileno(), *taps], [], [], patience)
        for tap in ready:
            if tap in ports:
                fate.take(time.monotonic_ns(), ports[tap], os.read(tap, FRAME_MAX))
        for copy in fate.give(time.monotonic_ns()):
            _write(taps[copy.port], copy.frame)
        if orders.fileno() in ready:
            order = orders.readline()
            if not order:
                return
            if given := json.loads(order):
                fate.weather = Weather(**given)
            answers.write(json.dumps(dataclasses.asdict(fate.count)) + "\n")
            answers.flush()


def _write(tap: int, frame: bytes) -> None:
    try:
        os.write(tap, frame)
    except OSError:
        return  # that host's interface is down: there is no carrier, and the frame is lost


class Switch:
    """The switch's process, and the cables of a LAN's hosts to it; a context manager."""

    def __init__(self, lan: Lan, weather: Weather, *, seed: int) -> None:
        self._hosts = lan.hosts
        self._weather = weather
        self._seed = seed
        self._undo = ExitStack()

    def __enter__(self) -> Switch:
        with ExitStack() as opened:
            taps = [_plug(host, opened) for host in self._hosts]
            weather = json.dumps(dataclasses.asdict(self._weather))
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(self._seed), weather, *map(str, taps)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=taps,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        finally:
            self._process.kill()
            self._process.wait(_END_S)
            self._process.stdout.close()

    def count(self) -> Count:
        """What has become of frames so far."""
        return self._order({})

    def set(self, weather: Weather) -> Count:
        """Change the weather; what is on its way keeps its fate."""
        return self._order(dataclasses.asdict(weather))

    def _order(self, order: Mapping[str, float]) -> Count:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Count(**json.loads(self._process.stdout.readline()))


def _plug(host: Host, opened: ExitStack) -> int:
    """Give a host a TAP device as its `eth0`, in place of its cable; return the other end."""
    host.ip("link", "del", "eth0")
    with host.entered():  # a TAP device belongs to where its descriptor was opened
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        opened.callback(os.close, tap)
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", b"eth0", _IFF_TAP | _IFF_NO_PI))
    host.ip("link", "set", "eth0", "addrgenmode", "none", "up")
    host.ip("addr", "add", f"{host.address}/24", "brd", "+", "dev", "eth0")
    return tap


def main(argv: Sequence[str]) -> None:
    """Be the switch: a seed, a weather as JSON, and the descriptors of its ports."""
    seed, weather, *taps = argv
    fate = Fate(len(taps), Weather(**json.loads(weather)), int(seed))
    serve(fate, [int(tap) for tap in taps], sys.stdin, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
