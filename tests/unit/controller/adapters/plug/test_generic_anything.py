"""Whatever is late or lost on the way to a plug of any maker: it never draws untold, nor too long.

Random plays on a loop whose time is wound: grants that come and go, words and states that take as
long as they may or get lost, a timer that is early, late and off by its drift, and states that it
says unasked. Order is kept, as MQTT keeps it. Fails if the plug is truly on while the bank says
that it is off, if it is on after the last deadline that it was given, if a timer that keeps its
bounds is called broken, or if, with nothing lost, a renewal starts it.
"""

from __future__ import annotations

import asyncio
import json
import random
import selectors
from collections.abc import Callable, Mapping

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.controller.adapters.plug.test_mqtt_talk import Wire
from tests.unit.controller.adapters.plug.topic_desk import STATE, TIMER, TOPICS

from rackgrid.adapters.plug.actuator import Held
from rackgrid.adapters.plug.bank import Bank
from rackgrid.adapters.plug.generic import Generic
from rackgrid.adapters.plug.socket import Socket
from rackgrid.deadman import DRIFT_PPM, FOREVER_NS, SECOND_NS
from rackgrid_firmware.link import Hold, Release

GRANT_S, ROUND_S, PLAY_S, STEP_S = 6.0, 0.5, 40.0, 0.05
DELIVER_S = TIMER.deliver_ns / SECOND_NS
TIE_S = 1e-6
"""A loop does not keep the order of what comes at one moment."""
HOLD_MAX_NS = 20 * SECOND_NS


class Wound(selectors.SelectSelector):
    """It waits for nothing: the time that somebody would wait for has passed."""

    now_s = 100.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "there is always something that comes"
        self.now_s += max(0.0, timeout)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """A loop on that time."""

    def __init__(self) -> None:
        self.wound = Wound()
        super().__init__(self.wound)

    def time(self) -> float:
        return self.wound.now_s


class Way(Wire):
    """There and back, each in order, each message as late as it may be, or lost."""

    def __init__(self, chance: random.Random, loop: Loop, loses: float) -> None:
        super().__init__()
        self.loses = loses
        self.renews = False
        """Whether the word that is said now is to start nothing."""
        self.starts = self.started_by_renewals = 0
        self.is_on = False
        self._chance = chance
        self._loop = loop
        self._arrives_s = {"there": 0.0, "back": 0.0}
        self._timer: asyncio.TimerHandle | None = None

    def say(self, topic: str, payload: bytes) -> None:
        renews = self.renews
        self._send("there", lambda: self._do(topic, json.loads(payload), renews))

    def tell(self) -> None:
        """Say how it is; the answer to a question, a change, or unasked."""
        said = json.dumps({"state": "ON" if self.is_on else "OFF"}).encode()
        self._send("back", lambda: self.heard[STATE](STATE, said))

    def _send(self, way: str, arrive: Callable[[], object]) -> None:
        if self._chance.random() < self.loses:
            return
        late_s = self._chance.choice((0.01, 0.05, 0.3, DELIVER_S)) * self._chance.random()
        # After what was sent earlier: the bound holds for that, so it holds for this.
        at_s = max(self._loop.time() + late_s, self._arrives_s[way] + TIE_S)
        self._arrives_s[way] = at_s
        self._loop.call_at(at_s, arrive)

    def _do(self, topic: str, word: Mapping[str, object], renews: bool) -> None:
        if topic.endswith("/set"):
            if self._timer is not None:
                self._timer.cancel()
            span_s = word.get("on_time", 0)
            assert isinstance(span_s, int)
            if span_s:
                self.starts += not self.is_on
                self.started_by_renewals += renews and not self.is_on
                drift = 1 + self._chance.uniform(-1, 1) * DRIFT_PPM * 0.99 / 1e6
                off_s = self._chance.uniform(-1, 1) * 0.99
                self._timer = self._loop.call_later(max(0.0, span_s * drift + off_s), self._off)
            self.is_on = bool(span_s)
        self.tell()

    def _off(self) -> None:
        self.is_on = False
        self.tell()


class Plug(Generic):
    """It marks its words that are to start nothing."""

    def __init__(self, way: Way, clock: Callable[[], int]) -> None:
        super().__init__(way, "attic/plug-1/set", TOPICS, TIMER, clock)
        self._way = way

    async def hold(self, deadline_ns: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
        self._way.renews = not starts
        return await super().hold(deadline_ns, starts=starts, by_ns=by_ns)


class Play:
    """A bank with one such plug, and what must hold at every moment."""

    def __init__(self, seed: int, loses: float, loop: Loop) -> None:
        self.chance = random.Random(seed)
        self.loop = loop
        self.way = Way(self.chance, loop, 0.0)
        self.loses = loses
        plug = Plug(self.way, self.clock)
        self.bank = Bank([Socket("heater", plug, 40_000, 40_000, 0, 0, 0)], self.clock)
        self.until_ns = 0
        self.seq = 0
        self.faults: list[Exception] = []

    def clock(self) -> int:
        return round(self.loop.time() * SECOND_NS)

    async def run(self) -> None:
        self.bank.start(lambda: None, self.faults.append)
        while not self.bank.ready:
            await asyncio.sleep(STEP_S)
        self.way.loses = 0.0
        await asyncio.sleep(5)
        self.bank.attach(HOLD_MAX_NS)
        self.way.loses = self.loses
        end_s, wanted = self.loop.time() + PLAY_S, True
        while self.loop.time() < end_s:
            if self.chance.random() < 0.06:
                wanted = not wanted
            if self.chance.random() < 0.9:
                self.command(wanted)
            if self.chance.random() < 0.3:
                self.way.tell()
            for _ in range(round(ROUND_S / STEP_S)):
                self.check()
                await asyncio.sleep(STEP_S * self.chance.uniform(0.5, 1.5))
        self.bank.close()
        await asyncio.gather(*self.bank._tasks, return_exceptions=True)
        assert self.faults == []

    def command(self, wanted: bool) -> None:
        self.seq += 1
        if not wanted:
            self.bank.handle(Release(self.seq, "heater", False))
            return
        deadline_ns = self.clock() + round(GRANT_S * SECOND_NS)
        (state,) = self.bank.states
        self.bank.handle(Hold(self.seq, "heater", deadline_ns, not state.on))
        self.until_ns = deadline_ns

    def check(self) -> None:
        (state,) = self.bank.states
        assert not self.bank._remotes["heater"].is_broken, "its timer keeps its bounds"
        if self.way.is_on:
            assert state.on, "it draws, and nobody is told"
            assert self.clock() < self.until_ns, "it is on after its deadline"


def play(seed: int, loses: float) -> Play:
    loop = Loop()
    try:
        made = Play(seed, loses, loop)
        loop.run_until_complete(made.run())
        return made
    finally:
        loop.close()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([0.0, 0.02, 0.1, 0.3]))
@example(120, 0.0)  # a word is confirmed by what was on its way, and heard long after
@example(126, 0.0)  # its timer ends early, and the renewal finds it off
@example(147, 0.0)  # it says "on" after its timer has ended, from before
@example(20, 0.1)
def test_plug_never_draws_untold_or_beyond_its_deadline(seed: int, loses: float) -> None:
    play(seed, loses)


@settings(max_examples=30, deadline=None)
@example(1038)  # an "off" from before comes as late after the word as it can
@given(st.integers(0, 1 << 32))
def test_renewal_never_starts_a_plug_while_no_word_is_lost(seed: int) -> None:
    """It would start without its inrush being granted, and inside its minimum off-time."""
    made = play(seed, 0.0)
    assert made.way.starts
    assert made.way.started_by_renewals == 0
