"""The plant as a process: one for a mock rack, and it outlives every firmware.

    python -m rackgrid_firmware.mock.process --socket S [--trace F] [--seed N] [--volts 12]
        [--ohms 0.02] [--amps-max A] [--script F] [--strict-gpiod] [--with-parent]

It holds the registers, the pins and the feed, so that all loads sag together, and a firmware that
is killed leaves its pins as the kernel of a Pi would: at their last level, or with
`--strict-gpiod` as inputs (a Raspberry Pi kernel with `dtparam=strict_gpiod`). What a firmware
pulsed ends at the level that gives power: a Pi's pin would stop at either. And it writes the truth:
a JSON line for every change of a node's draw, flushed at once.

One thread: a select loop over the clients and the next change of the world. A request is stamped
when it is read, so time in the plant never goes back.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import math
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.listener import listen_at
from rackgrid_firmware.mock.client import PACKET_MAX
from rackgrid_firmware.mock.desk import Clerk, Desk
from rackgrid_firmware.mock.node import Draw
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.script import load_script

CLIENTS_MAX = 1024
_PR_SET_PDEATHSIG = 1


def trace_line(draw: Draw) -> str:
    """Write a draw as a line of the truth trace."""
    record = asdict(draw)
    line = {"t_ns": record.pop("t_ns"), "node": record.pop("node"), "event": "draw", **record}
    return json.dumps(line) + "\n"


class _Client:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.clerk: Clerk | None = None
        self.node = ""


class PlantProcess:
    """Serves a plant on a socket.

    Args:
        plant: the world.
        path: of the socket; an old one is replaced.
        trace: where the truth is written, or None.
        strict_gpiod: whether the pins of a firmware that is gone become inputs.
    """

    def __init__(
        self, plant: Plant, path: str, *, trace: TextIO | None = None, strict_gpiod: bool = False
    ) -> None:
        self._listener = listen_at(path)
        self._plant = plant
        self._desk = Desk(plant)
        self._trace = trace
        self._strict_gpiod = strict_gpiod
        self._selector = selectors.DefaultSelector()
        self._clients: set[_Client] = set()
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._stop_reader, selectors.EVENT_READ, None)

    def stop(self) -> None:
        """End `run`, from a signal handler or another thread."""
        self._stop_writer.send(b"x")

    def run(self) -> None:
        """Serve until `stop`."""
        while True:
            events = self._selector.select(self._patience_s())
            self._plant.advance(time.monotonic_ns())
            self._look_after()
            for key, _ in events:
                if key.fileobj is self._stop_reader:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif key.data in self._clients:  # not one that was hung up on just now
                    self._serve(key.data)
            self._write_truth()

    def close(self) -> None:
        """Hang up on everybody."""
        for client in list(self._clients):
            self._drop(client)
        self._selector.close()
        for each in (self._listener, self._stop_reader, self._stop_writer):
            each.close()

    def _patience_s(self) -> float | None:
        next_ns = self._plant.next_change_ns
        return None if next_ns is None else max(0.0, (next_ns - time.monotonic_ns()) / 1e9)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if len(self._clients) >= CLIENTS_MAX:
            connection.close()
            return
        connection.setblocking(False)
        client = _Client(connection)
        self._clients.add(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _serve(self, client: _Client) -> None:
        try:
            packet = client.connection.recv(PACKET_MAX)
            if not packet:
                self._drop(client)
                return
            now_ns = time.monotonic_ns()
            if client.clerk is not None:
                answer = client.clerk(now_ns, packet)
            else:
                answer, client.clerk, client.node = self._desk.introduce(now_ns, packet)
            self._write_truth()  # before the answer: who asks sees a trace that has it
            client.connection.send(answer)
        except BlockingIOError:
            return  # nothing there after all, or a client that does not read its answers
        except OSError:
            self._drop(client)
            return
        if client.clerk is None:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.connection)
        client.connection.close()
        self._clients.discard(client)
        still_there = any(other.node == client.node for other in self._clients)
        if client.node and not still_there:
            self._abandon(client.node)

    def _abandon(self, node: str) -> None:
        """Leave a node's pins as its kernel would; what pulsed stops at the worse of its levels."""
        now_ns = time.monotonic_ns()
        for gpio, level in self._plant.levels(node).items():
            self._plant.drive(now_ns, node, gpio, None if self._strict_gpiod else level)
        self._write_truth()

    def _look_after(self) -> None:
        """Hang up on nodes that lost their power, and say what the script could not do."""
        for name in self._plant.take_fallen():
            for client in [each for each in self._clients if each.node == name]:
                self._drop(client)
        for complaint in self._plant.take_complaints():
            print(f"plant: {complaint}", file=sys.stderr, flush=True)

    def _write_truth(self) -> None:
        draws = self._plant.take_draws()
        if self._trace is not None and draws:
            for draw in draws:
                self._trace.write(trace_line(draw))
                self._trace.flush()


def end_with_parent(parent: int) -> None:
    """Get SIGTERM when the process that started us ends.

    Args:
        parent: its id, taken before the call, so that a parent that ends meanwhile is noticed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rackgrid_firmware.mock.process",
        description="The electrical world of one mock rack.",
    )
    parser.add_argument("--socket", required=True, metavar="S", help="where to listen")
    parser.add_argument("--trace", metavar="F", help="append the truth to this file, as JSON lines")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all chance")
    parser.add_argument("--volts", type=float, default=12.0, help="of the feed without load")
    parser.add_argument("--ohms", type=float, default=0.02, help="between the feed and the rail")
    parser.add_argument("--amps-max", type=float, default=math.inf, help="the feed's limit")
    parser.add_argument("--script", type=Path, metavar="F", help="what happens when, in TOML")
    parser.add_argument(
        "--strict-gpiod",
        action="store_true",
        help="pins of a firmware that is gone become inputs (dtparam=strict_gpiod)",
    )
    parser.add_argument("--with-parent", action="store_true", help="end when the parent ends")
    return parser.parse_args(argv)


def _plant(arguments: argparse.Namespace) -> Plant:
    """Make the world, and let its script begin.

    Raises:
        ProfileError: the script cannot be used.
        ValueError: no feed is like that.
    """
    plant = Plant(
        seed=arguments.seed,
        volts=arguments.volts,
        ohms=arguments.ohms,
        amps_max=arguments.amps_max,
    )
    if arguments.script is not None:
        plant.follow(load_script(arguments.script, time.monotonic_ns()))
    return plant


def main(argv: Sequence[str] | None = None) -> int:
    """Run the plant until SIGTERM or SIGINT."""
    parent = os.getppid()
    arguments = _arguments(argv)
    try:
        plant = _plant(arguments)
    except (ProfileError, ValueError) as fault:
        print("\n".join(map(str, fault.args)), file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        trace = None
        try:
            if arguments.trace:
                path = Path(arguments.trace)
                trace = stack.enter_context(path.open("a", encoding="utf-8"))
            process = PlantProcess(
                plant, arguments.socket, trace=trace, strict_gpiod=arguments.strict_gpiod
            )
        except OSError as fault:
            print(f"plant: cannot start: {fault}", file=sys.stderr)
            return 1
        stack.callback(process.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: process.stop())
        if arguments.with_parent:
            end_with_parent(parent)
        process.run()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(arguments.socket)
    return 0


if __name__ == "__main__":
    sys.exit(main())
