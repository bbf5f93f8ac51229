"""When lamps truly start and stop, which is not when it was decided.

Fails if inrush, dwell or the distance between starts are counted from a decision that the network
has carried out later, or if a lamp starts that was let go while it waited, or of which a word of
the controller before may still be on its way.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.unit.controller.adapters.plug.stage import DELIVER_S, HOLD_MAX_NS, Stage, play

from rackgrid.adapters.plug.actuator import Held, Sight
from rackgrid.adapters.plug.bank import STAGGER_NS
from rackgrid.adapters.plug.socket import Socket
from rackgrid.deadman import FOREVER_NS, SECOND_NS


def apart(socket: Socket) -> Socket:
    return replace(socket, not_with=("two",) if socket.name == "one" else ("one",))


def test_inrush_and_minimum_on_time_begin_when_the_lamp_has_started() -> None:
    async def scene() -> None:
        stage = Stage(min_on_s=5)
        await stage.attach()
        stage.pass_time(1)
        one, looks = stage.lamps["one"], stage.lamps["one"].look

        async def slowly() -> Sight:
            stage.hold("one", 15)  # granted while its task waits for an answer
            stage.clock.wind(1.2)
            stage.bank._time_passed()
            stage.clock.wind(0.5)
            assert stage.state("one").since_ns == stage.clock(), "it may start at any moment"
            return await looks()

        one.look = slowly  # type: ignore[method-assign]
        await stage.bank._remotes["one"].turn()
        one.look = looks  # type: ignore[method-assign]
        assert not one.is_on
        one.hears_after_s, one.answers_after_s = 0.1, 0.3
        await stage.bank._remotes["one"].turn()
        told_ns = stage.clock()
        stage.pass_time(1)
        state = stage.state("one")
        assert one.starts[0] <= state.since_ns <= told_ns
        assert state.may_switch_ns == state.since_ns + 5 * SECOND_NS

    play(scene)


def test_second_start_keeps_its_distance_to_when_the_first_has_happened() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        stage.pass_time(1)
        stage.hold("one", 15)
        for _ in range(4):  # its task is busy
            stage.pass_time(0.5)
            stage.hold("two", 9)
            await stage.bank._remotes["two"].turn()
            assert not stage.lamps["two"].is_on
        await stage.bank._remotes["one"].turn()
        while not stage.lamps["two"].is_on:
            stage.pass_time(0.1)
            await stage.bank._remotes["two"].turn()
        starts = [stage.lamps[name].starts[0] for name in ("one", "two")]
        assert STAGGER_NS <= starts[1] - starts[0] <= 2 * STAGGER_NS

    play(scene)


def test_minimum_off_time_begins_when_a_lamp_that_was_away_may_have_gone_off() -> None:
    """The controller before had it on, and it was out of reach since this one began."""

    async def scene() -> None:
        stage = Stage(min_off_s=60)
        one = stage.lamps["one"]
        one.off_ns = stage.clock() + 100 * SECOND_NS
        one.is_away = True
        await stage.attach()
        while one.is_on:
            await stage.turn(after_s=2)
            stage.pass_time(0)
        one.is_away = False
        await stage.turn(after_s=0.1)
        stage.bank.attach(HOLD_MAX_NS)
        for _ in range(58):
            stage.hold("one", 15)
            await stage.turn(after_s=1)
            assert not one.starts
        for _ in range(5):
            stage.hold("one", 15)
            await stage.turn(after_s=1)
        assert one.starts

    play(scene)


def test_minimum_off_time_begins_when_what_a_hand_has_switched_on_is_off() -> None:
    async def scene() -> None:
        stage = Stage(min_off_s=60)
        await stage.attach()
        stage.pass_time(100)
        await stage.turn()
        stage.lamps["one"].by_hand(True)
        await stage.turn(after_s=2)  # it is seen, and switched off, at once
        assert not stage.lamps["one"].is_on
        off_ns = stage.clock()
        assert stage.state("one").may_switch_ns >= off_ns + 60 * SECOND_NS
        stage.hold("one", 15)
        await stage.turn(after_s=0.5)
        assert not stage.lamps["one"].starts

    play(scene)


def test_start_that_waits_is_forgotten_when_it_is_let_go_out_of_reach() -> None:
    async def scene() -> None:
        stage = Stage(min_off_s=10)
        one = stage.lamps["one"]
        await stage.attach()
        stage.pass_time(7)
        await stage.turn()
        stage.hold("one", 15)  # for the last 3 s of its minimum off-time
        one.is_away = True
        while stage.bank._remotes["one"].reachable:
            await stage.turn(after_s=0.3)
        stage.release("one", urgent=True)
        assert stage.refused() == []
        one.is_away = False
        for _ in range(10):
            await stage.turn(after_s=0.5)
            stage.pass_time(0)
        assert not one.starts

    play(scene)


def test_word_of_the_controller_before_may_still_arrive() -> None:
    async def scene() -> None:
        stage = Stage(change=apart)
        await stage.attach()
        stage.pass_time(2)
        await stage.turn()
        one, arrives_ns, runs_ns = stage.lamps["one"], 0, 8 * SECOND_NS

        async def hold(_: int, *, starts: bool, by_ns: int = FOREVER_NS) -> Held | None:
            nonlocal arrives_ns
            arrives_ns = stage.clock() + one.timer.deliver_ns
            raise asyncio.CancelledError  # the process ends here

        holds, one.hold = one.hold, hold  # type: ignore[method-assign]
        stage.hold("one", 9)
        await asyncio.gather(stage.bank._remotes["one"].turn(), return_exceptions=True)
        one.hold = holds  # type: ignore[method-assign]
        await stage.restart(after_s=DELIVER_S / 2)
        for _ in range(20):
            stage.pass_time(DELIVER_S / 4)
            stage.hold("two", 9)
            if stage.clock() >= arrives_ns and not one.is_on:
                one.off_ns = stage.clock() + runs_ns
            await stage.bank._remotes["two"].turn()
            told = stage.bank._remotes["one"].is_floor or stage.state("one").on
            assert told or not one.is_on
            assert not (one.is_on and stage.lamps["two"].is_on)
        await stage.bank._remotes["one"].turn()
        assert not stage.bank._remotes["one"].is_floor

    play(scene)
