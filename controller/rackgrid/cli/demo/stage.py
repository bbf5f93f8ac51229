"""Plays a script on the demo's rack and tells an audience: a screen, lines, or a program."""

from __future__ import annotations

import json
import select
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from types import FrameType

from rackgrid.cli import say
from rackgrid.cli.demo.rack import DemoNode, DemoRack
from rackgrid.cli.demo.script import Deed
from rackgrid.cli.demo.tail import Line, Tail
from rackgrid.cli.exit import Exit

START_S = 30.0
"""The script begins with the rack's first broker, and no later than this."""
LOOK_S = 0.25
ASK_S = 1.0
EVENTS_SHOWN = 8


class Stage:
    """One performance."""

    def __init__(
        self, rack: DemoRack, deeds: Sequence[Deed], seconds: float, audience: str
    ) -> None:
        """Prepare.

        Args:
            seconds: how long; 0 for ever.
            audience: "screen", "lines" or "json".
        """
        self._rack = rack
        self._deeds = list(deeds)
        self._seconds = seconds
        self._audience = audience
        self._tails = [Tail(rack.trace.with_name(f"trace.{n.name}")) for n in rack.nodes]
        self._killed: DemoNode | None = None
        self._stopping = False
        self._said: list[str] = []

    def run(self) -> int:
        """Perform until the end; a signal ends it cleanly."""
        # Not an Event: its lock is taken in `wait`, and a signal's handler would wait for it there.
        waker, wake_end = socket.socketpair()

        def stop(_number: int, _frame: FrameType | None) -> None:
            if not self._stopping:
                self._stopping = True
                wake_end.send(b"x")

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)
        with waker, wake_end:
            if self._audience == "screen":
                self._run_on_screen(waker)
            else:
                self._announce()
                self._play(self._look, waker)
            self._stopping = True  # whatever signal comes now, the rack is being ended already
        return Exit.OK

    def _announce(self) -> None:
        nodes = [
            {
                "name": node.name,
                "api": node.api,
                "controller_pid": node.controller.pid if node.controller else None,
                "firmware_pid": node.firmware.pid if node.firmware else None,
                "trace": str(self._rack.trace.with_name(f"trace.{node.name}")),
                "config": str(node.config),
            }
            for node in self._rack.nodes
        ]
        if self._audience == "json":
            self._emit({"nodes": nodes, "trace": str(self._rack.trace)})
            return
        for node in self._rack.nodes:
            say(f"{node.name}: {node.api}/api/state")

    def _run_on_screen(self, waker: socket.socket) -> None:
        from rackgrid.cli.demo.screen import Screen

        with Screen(self._rack) as screen:
            self._play(lambda: screen.show(self.state(), self._said[-EVENTS_SHOWN:]), waker)

    def _play(self, look: Callable[[], None], waker: socket.socket) -> None:
        start = time.monotonic()
        up_s: float | None = None
        while not self._stopping:
            elapsed = time.monotonic() - start
            if self._seconds and elapsed >= self._seconds:
                return
            if up_s is None and (elapsed >= START_S or (self.state() or {}).get("broker")):
                up_s = elapsed
            while up_s is not None and self._deeds and self._deeds[0].at_s <= elapsed - up_s:
                self._do(self._deeds.pop(0), elapsed)
            self._follow(elapsed)
            look()
            select.select([waker], [], [], LOOK_S)

    def _look(self) -> None:
        """Lines and programs are told as things happen."""

    # --- what happens ----------------------------------------------------------------------------

    def _do(self, deed: Deed, elapsed: float) -> None:
        node = self._target(deed)
        try:
            self._carry_out(deed, node)
        except ValueError as fault:
            self._tell(elapsed, f"{deed.do}: {fault}", {})
            return
        name = f" ({node.name})" if node else ""
        pid = node.controller.pid if node and node.controller else None
        details: Line = {"do": deed.do, "node": node.name if node else deed.node}
        if deed.do == "start":
            details["controller_pid"] = pid
        self._tell(elapsed, f"{deed.say}{name}", details)

    def _carry_out(self, deed: Deed, node: DemoNode | None) -> None:
        """Do it.

        Raises:
            ValueError: the rack has nothing to do it to; says what.
        """
        match deed.do:
            case "sun":
                self._rack.set_sun(deed.watts)
            case "tariff":
                self._rack.set_tariff(deed.price)
            case "load" if node is not None:
                self._rack.set_load(node.name, deed.output, deed.watts)
            case "kill" if node is not None:
                self._rack.kill(node)
                self._killed = node
            case "start" if node is not None:
                self._rack.revive(node)
            case _:
                raise ValueError(f"there is no node {deed.node!r} to do it to")

    def _target(self, deed: Deed) -> DemoNode | None:
        if deed.do == "start" and not deed.node:
            return self._killed
        if deed.node == "broker":
            name = (self.state() or {}).get("broker")
            return self._rack.node(str(name))
        return self._rack.node(deed.node)

    def _follow(self, elapsed: float) -> None:
        for tail in self._tails:
            for line in tail.lines():
                if self._audience == "json":
                    self._emit(line)
                elif line["event"] == "role" and line["role"] == "broker":
                    text = f"{line['node']} is the broker of term {line['term']}"
                    self._tell(elapsed, text, {})
                elif line["event"] == "switch" and self._audience == "lines":
                    on = "on" if line["on"] else "off"
                    self._tell(elapsed, f"{line['node']} {line['load']} {on}: {line['why']}", {})

    def _tell(self, elapsed: float, text: str, details: Line) -> None:
        self._said.append(f"{elapsed:6.1f} s  {text}")
        if self._audience == "json":
            self._emit({"t_ns": time.monotonic_ns(), "event": "demo", "say": text, **details})
        elif self._audience == "lines":
            print(self._said[-1], flush=True)

    def _emit(self, line: Line) -> None:
        print(json.dumps(line), flush=True)

    def state(self) -> Line | None:
        """Ask the first living node for its view of the rack."""
        for node in self._rack.nodes:
            if node.dead:
                continue
            try:
                with urllib.request.urlopen(f"{node.api}/api/state", timeout=ASK_S) as answer:  # noqa: S310 - our own loopback address
                    state: Line = json.load(answer)
            except (urllib.error.URLError, OSError, ValueError):
                continue  # it is starting or ending: the next one is asked
            return state
        return None
