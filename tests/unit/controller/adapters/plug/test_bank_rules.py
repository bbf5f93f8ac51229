"""The guard's further rules over lamps in the network: each holds as it does for a relay.

Fails if a rule that the configuration asks for is not kept, or is forgotten at a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.plug.stage import DELIVER_S, HOLD_MAX_NS, Stage, play

from rackgrid.adapters.plug.actuator import Sight
from rackgrid.adapters.plug.bank import STAGGER_NS
from rackgrid.adapters.plug.socket import Socket
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.interlock import BUDGET
from rackgrid_firmware.logbook import Logbook

EACH_OTHER = {"one": ("two",), "two": ("one",)}
HOUR_S = 3600.0


def apart(socket: Socket) -> Socket:
    """Let the two lamps exclude each other, with a second between them."""
    return replace(socket, not_with=EACH_OTHER[socket.name], dead_ns=SECOND_NS)


def limited(socket: Socket) -> Socket:
    """Allow two starts a day."""
    return replace(socket, switches_per_day=2, contact_life=50)


def book(folder: Path) -> Logbook:
    def complain(fault: OSError) -> None:
        raise AssertionError from fault

    return Logbook(folder, "this-boot", complain, lambda _: None, name="plugs.json")


async def run(stage: Stage, name: str) -> None:
    """Let a lamp start, and stop again."""
    stage.hold(name, 9)
    await stage.turn()
    assert stage.lamps[name].is_on
    stage.release(name, urgent=True)
    await stage.turn(after_s=1)
    assert not stage.state(name).on


def test_start_waits_until_it_was_asked_for_long_enough() -> None:
    async def scene() -> None:
        stage = Stage(change=lambda socket: replace(socket, hold_ns=3 * SECOND_NS))
        await stage.attach()
        stage.pass_time(1)
        for _ in range(3):
            stage.hold("one", 5)
            await stage.turn()
            assert not stage.lamps["one"].is_on
            stage.pass_time(1)
        await stage.turn()
        assert stage.lamps["one"].is_on

    play(scene)


def test_start_waits_for_the_calm_after_a_power_cut() -> None:
    async def scene() -> None:
        until_ns = 1005 * SECOND_NS
        stage = Stage(change=lambda socket: replace(socket, calm_until_ns=until_ns))
        await stage.attach()
        stage.pass_time(1)
        assert stage.state("one").may_switch_ns == until_ns, "bids know of it"
        stage.hold("one", 9)
        await stage.turn()
        assert not stage.lamps["one"].is_on
        stage.pass_time(4)
        await stage.turn()
        assert stage.lamps["one"].is_on

    play(scene)


def test_start_waits_for_the_inrush_of_one_that_the_board_has_made() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.bank.heed_start(stage.clock())  # before anything is known here
        await stage.attach()
        stage.pass_time(1)
        stage.bank.heed_start(stage.clock())
        stage.hold("one", 9)
        await stage.turn()
        assert not stage.lamps["one"].is_on
        stage.pass_time(STAGGER_NS / SECOND_NS)
        await stage.turn()
        assert stage.lamps["one"].is_on

    play(scene)


def test_budget_of_starts_holds_over_a_restart_and_wear_is_counted(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(change=limited, logbook=book(tmp_path))
        specs = await stage.attach()
        assert specs["one"].contact_life == 50
        stage.pass_time(1)
        await run(stage, "one")
        stage.bank.close()
        again = Stage(change=limited, logbook=book(tmp_path))
        again.clock.now_ns = stage.clock() + SECOND_NS
        await again.attach()
        assert again.state("one").switches == 1
        again.pass_time(1)
        await run(again, "one")
        again.bank.take()
        again.hold("one", 9)
        assert again.refused() == [BUDGET]
        assert again.state("one").switches == 2
        may_ns = again.state("one").may_switch_ns
        assert 11 * HOUR_S < (may_ns - again.clock()) / SECOND_NS < 12 * HOUR_S
        await run(again, "two")
        again.bank.close()

    play(scene)


def test_lamps_that_exclude_each_other_are_never_on_together() -> None:
    async def scene() -> None:
        stage = Stage(change=apart)
        await stage.attach()
        stage.pass_time(2)
        stage.hold("one", 9)
        await stage.turn()
        stage.bank.take()
        stage.hold("two", 9)
        assert stage.refused() == ["not together with one"]
        stage.lamps["one"].is_away = True  # it will not be heard to be off
        stage.release("one", urgent=True)
        await stage.turn()
        stage.hold("two", 19)
        ends_ns = stage.lamps["one"].off_ns
        assert ends_ns is not None
        while stage.clock() < ends_ns:
            await stage.turn()
            assert not stage.lamps["two"].is_on, "its timer may still run"
            stage.pass_time(0.5)
        stage.pass_time(2)
        await stage.turn()
        assert stage.lamps["two"].is_on

    play(scene)


async def with_two_in_the_queue() -> Stage:
    """One runs, and two waits for the inrush of one: it asked when nothing forbade it."""
    stage = Stage(change=lambda socket: replace(apart(socket), dead_ns=0))
    await stage.attach()
    for name in ("one", "two"):
        stage.hold(name, 9)
    stage.pass_time(STAGGER_NS / SECOND_NS)
    await stage.turn()
    assert stage.lamps["one"].is_on
    assert stage.refused() == [], "two waits"
    return stage


async def wait_for_two(stage: Stage) -> None:
    """Let time pass until one is off: two is on only then."""
    while stage.lamps["one"].is_on:
        await stage.turn()
        on = [name for name, lamp in stage.lamps.items() if lamp.is_on]
        assert on == ["one"], "its timer runs"
        stage.pass_time(0.25)
    stage.hold("two", 9)
    for _ in range(12):
        stage.pass_time(0.25)
        await stage.turn()
    assert stage.lamps["two"].is_on


def test_lamp_that_waits_does_not_start_when_the_other_gets_lost() -> None:
    async def scene() -> None:
        stage = await with_two_in_the_queue()
        stage.lamps["one"].is_away = True
        while stage.state("one").cause != "unavailable":
            await stage.turn(after_s=0.3)
        stage.pass_time(0.1)
        await stage.bank._remotes["two"].turn()
        assert stage.lamps["one"].is_on, "and is not heard"
        await wait_for_two(stage)

    play(scene)


def test_lamp_that_waits_does_not_start_when_the_other_is_released() -> None:
    async def scene() -> None:
        stage = await with_two_in_the_queue()
        stage.pass_time(STAGGER_NS / SECOND_NS)
        stage.lamps["one"].is_away = True  # so that its release is not heard
        stage.release("one", urgent=True)
        assert stage.state("two").cause == "excluded"
        await wait_for_two(stage)

    play(scene)


def test_of_two_lamps_that_are_on_only_one_is_taken_over_if_they_exclude_each_other() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        for name in ("one", "two"):
            stage.hold(name, 9)
        for _ in range(2):
            stage.pass_time(1)
            await stage.turn()
        assert all(lamp.is_on for lamp in stage.lamps.values())
        await stage.restart(apart, after_s=DELIVER_S)
        await stage.turn()
        on = [name for name, lamp in stage.lamps.items() if lamp.is_on]
        assert on == ["one"]

    play(scene)


def test_lamp_does_not_start_before_the_other_was_looked_at() -> None:
    async def scene() -> None:
        stage = Stage(change=apart)
        one = stage.lamps["one"]
        one.is_away = True
        await stage.attach()
        one.is_away = False
        await one.hold(stage.clock() + 15 * SECOND_NS, starts=True)  # a controller before this one
        looks, asks = one.look, asyncio.Event()

        async def look() -> Sight:
            await asks.wait()
            return await looks()

        one.look = look  # type: ignore[method-assign]
        turn = asyncio.create_task(stage.bank._remotes["one"].turn())
        for _ in range(3):
            await asyncio.sleep(0)  # it is proven, and the look is on its way
            stage.pass_time(1)
            stage.hold("two", 9)
            await stage.bank._remotes["two"].turn()
            assert not stage.lamps["two"].is_on
            assert one.is_on
        asks.set()
        await turn

    play(scene)


def test_dead_time_lies_between_lamps_that_exclude_each_other() -> None:
    async def scene() -> None:
        stage = Stage(change=apart)
        await stage.attach()
        stage.pass_time(2)
        await run(stage, "one")
        stage.hold("two", 9)
        await stage.turn(after_s=0.9)
        assert not stage.lamps["two"].is_on
        stage.pass_time(0.2)
        await stage.turn()
        assert stage.lamps["two"].is_on

    play(scene)


def by_hand(stage: Stage) -> None:
    stage.lamps["one"].by_hand(True)


def unproven(stage: Stage) -> None:
    stage.lamps["one"].missing = "it comes up on"


@pytest.mark.parametrize("spoil", [by_hand, unproven])
def test_lamp_does_not_start_beside_one_that_nothing_is_known_to_end(
    spoil: Callable[[Stage], None],
) -> None:
    async def scene() -> None:
        stage = Stage(change=apart)
        spoil(stage)
        await stage.bank._remotes["one"].turn()
        await stage.bank._remotes["two"].turn()
        stage.bank.attach(HOLD_MAX_NS)
        stage.pass_time(2)
        assert stage.state("one").since_ns <= stage.clock(), "no moment that is to come"
        stage.hold("two", 9)
        assert stage.refused() == ["not together with one"]
        stage.lamps["one"].missing = ""
        stage.lamps["one"].by_hand(False)
        await stage.bank._remotes["one"]._prove()
        await stage.turn()
        stage.bank.attach(HOLD_MAX_NS)
        stage.pass_time(2)
        stage.hold("two", 9)
        await stage.turn()
        assert stage.lamps["two"].is_on

    play(scene)
