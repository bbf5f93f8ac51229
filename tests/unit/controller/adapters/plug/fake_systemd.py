"""A stand-in for systemd: `systemctl` and `systemd-run` on the PATH, units and timers in a process.

It does what those two do for the words that `unit.py` says, timers included, and outlives whoever
says them. What it cannot show is that systemd itself understands these words in the same way.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

CLIENT = """#!{python} -I
import socket, sys, json
with socket.socket(socket.AF_UNIX) as link:
    link.connect({path!r})
    link.sendall(json.dumps([{tool!r}, *sys.argv[1:]]).encode())
    link.shutdown(socket.SHUT_WR)
    code, out, err = json.load(link.makefile())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


class Unit:
    """A service: what it is, and when it was active."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.load_state = "loaded"
        self.file_state = "static"
        self.stop_s = 0.0
        self.stop_timeout = "100ms"
        self.can_freeze = "yes"
        self.is_active = False
        self.is_frozen = False
        self.spans: list[tuple[float, float]] = []
        self._since = 0.0

    @property
    def draws(self) -> bool:
        return self.is_active and not self.is_frozen

    def start(self) -> None:
        self._change(lambda: setattr(self, "is_active", True))

    def stop(self) -> None:
        def ended() -> None:
            self.is_active = self.is_frozen = False

        self._change(ended)

    def freeze(self, frozen: bool) -> None:
        self._change(lambda: setattr(self, "is_frozen", frozen))

    def _change(self, what: object) -> None:
        drew, now = self.draws, time.monotonic()
        assert callable(what)
        what()
        if self.draws and not drew:
            self._since = now
        if drew and not self.draws:
            self.spans.append((self._since, now))


class Timer:
    """A transient timer."""

    def __init__(self, at_s: float, verb: str, unit: str) -> None:
        self.at_s, self.verb, self.unit = at_s, verb, unit


class FakeSystemd:
    """The manager."""

    def __init__(self, folder: Path) -> None:
        self.units: dict[str, Unit] = {}
        self.timers: dict[str, Timer] = {}
        self.said: list[list[str]] = []
        self.refuses: set[str] = set()
        self.hangs: set[str] = set()
        self.offset_s = 0.0
        self.bin = folder / "bin"
        self.bin.mkdir()
        path = str(folder / "systemd.sock")
        for tool in ("systemctl", "systemd-run"):
            script = self.bin / tool
            script.write_text(CLIENT.format(python=sys.executable, path=path, tool=tool))
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen(32)
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._serve, self._tick)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.bin}:{os.environ['PATH']}"}

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(5)

    def add(self, name: str) -> Unit:
        self.units[name] = Unit(name)
        return self.units[name]

    def _tick(self) -> None:
        while not self._ended.wait(0.002):
            with self._lock:
                due = [n for n, t in self.timers.items() if t.at_s <= time.monotonic()]
                for name in due:
                    timer = self.timers.pop(name)
                    self._do(timer.verb, timer.unit)

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        with link:
            argv: list[str] = json.load(link.makefile())
            self.said.append(argv)
            verbs = {word for word in argv if not word.startswith("-")}
            if verbs & self.hangs:
                self._ended.wait(30)
                return
            if verbs & self.refuses:
                answer: tuple[int, str, str] = (1, "", "Interactive authentication required.\n")
            else:
                with self._lock:
                    answer = self._systemctl(argv) if argv[0] == "systemctl" else self._run(argv)
            try:
                link.sendall(json.dumps(answer).encode())
            except BrokenPipeError:
                return  # the client was killed, as systemctl may be

    def _systemctl(self, argv: Sequence[str]) -> tuple[int, str, str]:
        words = [word for word in argv[1:] if not word.startswith("-")]
        if words[0] == "show":
            return 0, "\n".join(self._shown(name) for name in words[1:]), ""
        return self._do(words[0], words[1])

    def _do(self, verb: str, name: str) -> tuple[int, str, str]:
        if name.endswith(".timer"):
            self.timers.pop(name, None)
            return 0, "", ""
        unit = self.units[name]
        match verb:
            case "start":
                unit.start()
            case "stop":
                unit.stop()
            case "freeze" | "thaw":
                if not unit.is_active:
                    return 1, "", f"Unit {name} is not active.\n"
                unit.freeze(verb == "freeze")
            case _:
                return 1, "", f"Unknown command verb {verb}.\n"
        return 0, "", ""

    def _run(self, argv: Sequence[str]) -> tuple[int, str, str]:
        parts = [w[2:].partition("=") for w in argv[1:] if w.startswith("--")]
        options = {name: value for name, _, value in parts}
        properties = [w.partition("=")[2] for w in argv if w.startswith("--timer-property=")]
        name = options["unit"] + ".timer"
        if name in self.timers:
            return 1, "", f"Unit {name} was already loaded.\n"
        assert "AccuracySec=10ms" in properties, "a minute, else"
        words = [word for word in argv[1:] if not word.startswith("--")]
        assert words[0] == "systemctl"
        assert options["on-boot"].endswith("us")
        at_s = int(options["on-boot"].removesuffix("us")) / 1e6 + self.offset_s
        for each in properties:
            if each.startswith("Wants="):
                assert f"Before={each.partition('=')[2]}" in properties
                self.units[each.partition("=")[2]].start()
        self.timers[name] = Timer(at_s, words[1], words[2])
        return 0, "", ""

    def _shown(self, name: str) -> str:
        if name.endswith(".timer"):
            timer = self.timers.get(name)
            lines = [f"Id={name}", f"LoadState={'loaded' if timer else 'not-found'}"]
            lines += [f"ActiveState={'active' if timer else 'inactive'}"]
            lines += [f"SubState={'waiting' if timer else 'dead'}"]
            lines += [f"NextElapseUSecMonotonic={_span(timer.at_s) if timer else ''}"]
            return "\n".join(lines) + "\n"
        unit = self.units.get(name)
        if unit is None:
            return f"Id={name}\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n"
        return (
            f"Id={name}\nLoadState={unit.load_state}\n"
            f"ActiveState={'active' if unit.is_active else 'inactive'}\n"
            f"SubState={'running' if unit.is_active else 'dead'}\n"
            f"FreezerState={'frozen' if unit.is_frozen else 'running'}\n"
            f"CanFreeze={unit.can_freeze}\nUnitFileState={unit.file_state}\n"
            f"TimeoutStopUSec={unit.stop_timeout}\n"
        )


def _span(seconds: float) -> str:
    """Write a span as systemctl does."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join([*parts, f"{rest:.6f}s"])


def works(systemd: FakeSystemd) -> bool:
    """Say whether the two programs are found and answered."""
    done = subprocess.run(
        ["systemctl", "show", "x.service"],
        env=systemd.environment,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0
