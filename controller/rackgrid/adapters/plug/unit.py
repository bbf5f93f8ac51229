"""A systemd unit of this node as a load: started and stopped, or frozen and thawed.

Its dead-man is a transient timer that stops (or freezes) it, made with `systemd-run` and kept by
systemd itself, so it does its work whatever became of us.

- Its end is absolute (`--on-boot`: since the kernel's start, which on the machine itself is
  CLOCK_MONOTONIC), so no delay between us and systemd moves it; one that is made too late elapses
  at once. What systemd made of it is read back (`NextElapseUSecMonotonic`) before it is believed.
- `AccuracySec` is a minute unless it is said otherwise.
- A start is one word to systemd: the timer *wants* the unit and stands *before* it. A word that is
  held up starts nothing that has no end. A thaw has no job to stand behind the timer; it is said
  after the timer was read back, and not when its end is near.
- Renewing makes a second timer and then takes the first away: there is no moment without one, and
  if we end in between, the first and earlier one is what counts.
- A stop takes up to `TimeoutStopSec` twice (its own commands, then SIGTERM) until SIGKILL, so the
  timer ends that much earlier; a unit that may take longer than the rack's grants has room for has
  no dead-man. Freezing takes no time, and needs a kernel with the unified cgroup hierarchy.

Sources: systemd-run(1), systemd.timer(5) (OnBootSec, AccuracySec, RemainAfterElapse),
systemd.service(5) (TimeoutStopSec), systemctl(1) (freeze, thaw).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

from rackgrid.adapters.plug.actuator import Held, Sight
from rackgrid.adapters.plug.command import run
from rackgrid.deadman import FOREVER_NS, MS_NS, SECOND_NS, TIMERS, Timer
from rackgrid.errors import TransportError

WORD_S = 2.0
"""How long systemd may take for a word that it answers at once, s."""
NEAR_NS = 300 * MS_NS
"""So near to its end a timer is not made: the word itself takes a while."""
READ_NS = 20 * MS_NS
"""How far what is read back may lie beyond what was asked for: AccuracySec, and rounding."""
_SHOWN = (
    *("Id", "LoadState", "ActiveState", "SubState", "FreezerState", "CanFreeze"),
    *("UnitFileState", "TimeoutStopUSec", "NextElapseUSecMonotonic"),
)
_SPANS_US = {
    "us": 1,
    "ms": 1000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
    "month": 2_629_800_000_000,
    "y": 31_557_600_000_000,
}
_AT_BOOT = ("enabled", "enabled-runtime")


class Unit:
    """A systemd unit.

    Args:
        name: with its ".service".
        freezes: whether it is frozen in place of stopped.
        spare_ns: how long stopping it may take in all under the rack's grants, ns.
        clock: CLOCK_MONOTONIC in ns.
        of_user: whether it is a unit of our user's own systemd.
    """

    def __init__(
        self,
        name: str,
        freezes: bool,
        spare_ns: int,
        clock: Callable[[], int],
        *,
        of_user: bool = False,
    ) -> None:
        self._name = name
        self._manager = ("--user",) if of_user else ("--system",)
        self._freezes = freezes
        self._spare_ns = spare_ns
        self._clock = clock
        self._timers = tuple(f"{_deadman(name)}-{letter}" for letter in "ab")
        self._stop_ns = spare_ns

    @property
    def timer(self) -> Timer:
        """What a transient timer can."""
        return TIMERS["unit"]

    async def prove(self) -> str:
        """Look whether the unit is there, can be ended in time, and is not started at boot."""
        shown = (await self._show())[self._name]
        if shown.get("LoadState") != "loaded":
            return f"systemd has no unit {self._name} ({shown.get('LoadState')}): correct its name"
        if shown.get("UnitFileState") in _AT_BOOT:
            return f"it is started at boot, unasked: systemctl disable {self._name}"
        if self._freezes:
            self._stop_ns = 0
            if shown.get("CanFreeze") != "yes":
                return "it cannot be frozen here: boot with the unified cgroup hierarchy"
            return ""
        stop_us = span_us(shown.get("TimeoutStopUSec", ""))
        if stop_us is None or 2 * stop_us * 1000 > self._spare_ns:
            return (
                f"it may take {shown.get('TimeoutStopUSec') or 'for ever'} to stop: "
                f"systemctl edit {self._name}, [Service] TimeoutStopSec="
                f"{self._spare_ns // 2 // MS_NS}ms or less; or longer grants (grant_s in [rack]); "
                'or safe = "freeze"'
            )
        self._stop_ns = 2 * stop_us * 1000
        return ""

    async def hold(self, deadline_ns: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
        """Start or thaw it, with a timer that ends it before the deadline; or make a new timer."""
        del by_ns  # systemd tells whether it runs: a renewal makes a timer, and starts nothing
        shown = await self._show()
        end_ns = deadline_ns - self.timer.late_ns - self._stop_ns
        is_inactive = shown[self._name].get("ActiveState") in ("inactive", "failed")
        if end_ns - self._clock() < NEAR_NS or (is_inactive and not starts):
            return None
        old = [name for name in self._timers if _is_loaded(shown[f"{name}.timer"])]
        free = [name for name in self._timers if name not in old]
        if not free:
            # An earlier process died between making one and taking the other away.
            first = min(old, key=lambda name: _elapse_ns(shown[f"{name}.timer"]) or 0)
            await self._systemctl("stop", f"{first}.timer")
            old.remove(first)
            free = [first]
        await self._arm(free[0], end_ns, starts=is_inactive)
        armed = _elapse_ns((await self._show())[f"{free[0]}.timer"])
        if armed is None or armed > end_ns + READ_NS:
            await self._end()
            raise TransportError(f"systemd did not take the end of {self._name}: it was ended now")
        if self._freezes and starts and end_ns - self._clock() > NEAR_NS:
            await self._systemctl("thaw", self._name)
        for name in old:
            await self._systemctl("stop", f"{name}.timer")
        sight = self._sight(await self._show())
        latest_ns = end_ns + self.timer.late_ns + self._stop_ns
        return Held(min(armed, end_ns), latest_ns, sight)

    async def release(self) -> Sight:
        """Stop or freeze it, and look; the timers may then end what has ended."""
        await self._end()
        return await self.look()

    async def look(self) -> Sight:
        """Ask systemd how it is."""
        return self._sight(await self._show())

    async def _arm(self, name: str, end_ns: int, *, starts: bool) -> None:
        wants = (f"Wants={self._name}", f"Before={self._name}") if starts else ()
        properties = ("AccuracySec=10ms", "RemainAfterElapse=no", *wants)
        await run(
            WORD_S,
            "systemd-run",
            *self._manager,
            "--quiet",
            "--no-ask-password",
            "--collect",
            f"--unit={name}",
            f"--on-boot={end_ns // 1000}us",
            *(f"--timer-property={each}" for each in properties),
            "systemctl",
            *self._manager,
            "freeze" if self._freezes else "stop",
            self._name,
        )

    async def _end(self) -> None:
        await self._systemctl("freeze" if self._freezes else "stop", self._name)

    async def _systemctl(self, verb: str, name: str) -> None:
        within_s = WORD_S + self._stop_ns / SECOND_NS
        await run(within_s, "systemctl", *self._manager, "--no-ask-password", verb, name)

    async def _show(self) -> dict[str, Mapping[str, str]]:
        names = (self._name, *(f"{name}.timer" for name in self._timers))
        shown = (f"--property={each}" for each in _SHOWN)
        text = await run(WORD_S, "systemctl", *self._manager, "show", *shown, *names)
        blocks = [
            dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            for block in text.split("\n\n")
            if block.strip()
        ]
        if len(blocks) != len(names):
            raise TransportError(f"systemctl show tells of {len(blocks)} units, not {len(names)}")
        return dict(zip(names, blocks, strict=True))

    def _sight(self, shown: Mapping[str, Mapping[str, str]]) -> Sight:
        unit = shown[self._name]
        is_on = unit.get("ActiveState") not in ("inactive", "failed")
        if self._freezes and unit.get("FreezerState") == "frozen":
            is_on = False
        ends = [_elapse_ns(shown[f"{name}.timer"]) for name in self._timers]
        first_ns = min((end for end in ends if end is not None), default=None)
        if first_ns is None:
            return Sight(is_on)
        left_ns = max(0, first_ns - self._clock())
        return Sight(is_on, left_ns + self._stop_ns, left_ns)


def span_us(text: str) -> int | None:
    """Read a span as systemctl writes it ("1h 2min 3.5s"), us; None if it is none, or infinite."""
    total = 0.0
    for part in text.split():
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|min|h|d|w|month|y)", part)
        if match is None:
            return None
        total += float(match[1]) * _SPANS_US[match[2]]
    return round(total) if text.strip() else None


def _is_loaded(timer: Mapping[str, str]) -> bool:
    return timer.get("ActiveState") not in ("inactive", "failed", None)


def _elapse_ns(timer: Mapping[str, str]) -> int | None:
    """Say when a timer elapses, CLOCK_MONOTONIC ns; None if it does not wait."""
    if timer.get("SubState") != "waiting":
        return None
    elapse_us = span_us(timer.get("NextElapseUSecMonotonic", ""))
    return elapse_us * 1000 if elapse_us else None


def _deadman(unit: str) -> str:
    """Name a unit's dead-man: plain letters, one name for each unit."""
    stem = unit.removesuffix(".service")
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)[:160]
    if plain != stem:
        plain += "-" + hashlib.blake2s(stem.encode(), digest_size=4).hexdigest()
    return f"rackgrid-deadman-{plain}"
