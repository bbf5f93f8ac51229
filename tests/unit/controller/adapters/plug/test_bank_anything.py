"""Whatever is asked and whatever gets lost: no lamp draws untold, or longer than it was granted.

Random plays of two lamps: holds, releases, time, words that are lost or late, lamps that are away,
controllers that begin anew, lockouts, welds, dead-men that are missing for a while.
Fails if a lamp is truly on while the bank says that it is off, if one is on after the last
deadline that it was given, if one starts again inside its minimum off-time, or if two that exclude
each other are on together.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.adapters.plug.stage import DELIVER_S, HOLD_MAX_NS, Stage

from rackgrid.adapters.plug.socket import Socket
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.guard import Tripped
from rackgrid_firmware.link import MakeSafe

NAMES = st.sampled_from(["one", "two"])
MIN_OFF_S = 2
STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment of a rack's life, for both lamps alike or by one.

    Attributes:
        grant_s: how long the newest grant reaches; 0 takes it away, None says nothing.
        turns: whether the tasks get to run.
        span_s: until the next tick.
        fault: what befalls a lamp now, if anything.
    """

    lamp: str
    grant_s: float | None
    turns: bool
    span_s: float
    fault: str
    heard_s: float
    answered_s: float


FAULTS = ("safe", "restart", "attach", "lock", "unlock", "unproven", "weld", "clear")
TICKS = st.builds(
    Tick,
    lamp=NAMES,
    grant_s=st.sampled_from([None, 0.0, 1.53, 2.04, 2.53, 2.57, 4.06, 9.07]),
    turns=st.sampled_from([True, True, True, False]),
    span_s=st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.5, 1.0, 3.0]),
    fault=st.sampled_from(["", "", "", "", "away", "lose", "heal", "heal", *FAULTS]),
    heard_s=st.sampled_from([0.0, 0.0, DELIVER_S / 2, DELIVER_S]),
    answered_s=st.sampled_from([0.0, 0.0, 0.1, 0.7]),
)


def exclude(socket: Socket) -> Socket:
    """Let the two lamps exclude each other."""
    return replace(socket, not_with=("two",) if socket.name == "one" else ("one",))


class Play:
    """A stage, and what must hold on it at every moment."""

    def __init__(self, min_off_s: int, *, apart: bool) -> None:
        self.apart = apart
        self.stage = Stage(min_off_s=min_off_s, change=exclude if apart else lambda s: s)
        self.min_off_ns = min_off_s * SECOND_NS
        self.until_ns = dict.fromkeys(self.stage.lamps, 0)
        self.off_ns = dict.fromkeys(self.stage.lamps, 0)
        self.counted = dict.fromkeys(self.stage.lamps, 0)

    async def tick(self, tick: Tick) -> None:
        await self.befall(tick)
        stage, lamp = self.stage, self.stage.lamps[tick.lamp]
        lamp.hears_after_s, lamp.answers_after_s = tick.heard_s, tick.answered_s
        for name in stage.lamps:
            if tick.grant_s == 0.0:
                stage.release(name, urgent=tick.turns)
            elif tick.grant_s is not None:
                starts = not stage.state(name).on
                until_ns = stage.hold(name, tick.grant_s, starts=starts)
                self.until_ns[name] = max(self.until_ns[name], until_ns)
        self.check()
        if tick.turns:
            await stage.turn()
            if stage.bank.floor_has_changed:
                stage.bank.attach(HOLD_MAX_NS)
            self.check()
        for _ in range(round(tick.span_s / STEP_S)):
            stage.pass_time(STEP_S)
            self.check()

    async def befall(self, tick: Tick) -> None:
        """Let happen what the tick says."""
        stage, lamp = self.stage, self.stage.lamps[tick.lamp]
        match tick.fault:
            case "away":
                lamp.is_away = True
            case "lose":
                lamp.loses_answers = True
            case "heal":
                lamp.is_away = lamp.loses_answers = False
                lamp.missing = ""
            case "safe":
                stage.bank.handle(MakeSafe(0))
            case "restart":
                await stage.restart(after_s=tick.heard_s)
            case "attach":
                stage.bank.attach(HOLD_MAX_NS)
            case "lock" | "unlock":
                stage.lock(tick.lamp, tick.fault == "lock")
            case "unproven":
                lamp.missing = "it comes up on"
            case "weld":
                stage.bank._step(Tripped(stage.clock(), tick.lamp, "welded", is_welded=True))
            case "clear":
                lamp.missing = ""
                stage.clear(tick.lamp)
            case _:
                pass

    def check(self) -> None:
        now_ns = self.stage.clock()
        if self.apart:
            on = [name for name, lamp in self.stage.lamps.items() if lamp.is_on]
            assert len(on) < 2, "two that exclude each other are on"
        for name, lamp in self.stage.lamps.items():
            for start_ns in lamp.starts[self.counted[name] :]:
                if self.off_ns[name]:
                    off_ns = start_ns - self.off_ns[name]
                    assert off_ns >= self.min_off_ns, f"{name} was off for {off_ns} ns"
            self.counted[name] = len(lamp.starts)
            self.off_ns[name] = lamp.off_ns or self.off_ns[name]
            if lamp.is_on:
                is_floor = self.stage.bank._remotes[name].is_floor
                assert is_floor or self.stage.state(name).on, f"{name} draws, and nobody is told"
                assert now_ns < self.until_ns[name], f"{name} is on after its deadline"


SCENES = st.lists(TICKS, min_size=5, max_size=40)
DWELLS = st.sampled_from([0, MIN_OFF_S])


def follow(ticks: list[Tick], min_off_s: int, *, apart: bool) -> None:
    async def whole() -> None:
        play = Play(min_off_s, apart=apart)
        await play.stage.attach()
        for tick in ticks:
            await play.tick(tick)

    asyncio.run(whole())


@settings(max_examples=200, deadline=None)
@given(SCENES, DWELLS)
def test_no_lamp_draws_untold_or_beyond_its_deadline(ticks: list[Tick], min_off_s: int) -> None:
    follow(ticks, min_off_s, apart=False)


@settings(max_examples=200, deadline=None)
@given(SCENES, DWELLS)
def test_lamps_that_exclude_each_other_are_never_on_together(
    ticks: list[Tick], min_off_s: int
) -> None:
    follow(ticks, min_off_s, apart=True)
