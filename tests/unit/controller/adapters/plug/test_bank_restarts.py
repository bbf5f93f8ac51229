"""A bank's floor, and what it knows across restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.unit.controller.adapters.plug.stage import DELIVER_S, HOLD_MAX_NS, Stage, play

from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.device import UNAVAILABLE, Quality
from rackgrid_firmware.dwell import DwellFile


def test_lamp_without_a_dead_man_is_floor_and_is_not_switched() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.lamps["one"].missing = "it comes up on"
        specs = await stage.attach()
        assert [spec.required for spec in specs.values()] == [True, False]
        assert stage.state("one").cause == UNAVAILABLE
        stage.hold("one", 4)
        await stage.turn()
        assert not stage.lamps["one"].is_on

    play(scene)


def test_floor_that_changes_is_told() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.lamps["one"].is_away = True
        await stage.attach()
        assert not stage.bank.floor_has_changed
        stage.lamps["one"].is_away = False
        await stage.turn()
        assert stage.bank.floor_has_changed
        assert not stage.bank.floor_has_grown
        assert stage.state("one").cause == UNAVAILABLE, "as long as it is said to be floor"
        stage.bank.attach(HOLD_MAX_NS)
        assert not stage.bank.floor_has_changed
        stage.pass_time(1)
        stage.hold("two", 4)
        stage.lamps["two"].timer_works = False
        await stage.turn()
        assert stage.bank.floor_has_grown
        assert stage.state("two").cause == UNAVAILABLE

    play(scene)


def test_what_a_controller_before_held_is_adopted_without_a_blink() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.lamps["one"].off_ns = stage.clock() + 5 * SECOND_NS
        await stage.attach()
        state = stage.state("one")
        assert (state.on, state.cause) == (True, "held")
        assert stage.clock() < state.deadline_ns <= stage.clock() + 6 * SECOND_NS
        await stage.turn()
        stage.hold("one", 9, starts=False)
        await stage.turn()
        await stage.turn(after_s=2.9)
        stage.hold("one", 9, starts=False)
        await stage.turn()
        assert stage.lamps["one"].is_on
        assert stage.lamps["one"].starts == []
        assert "renew" in stage.lamps["one"].said

    play(scene)


def test_dwell_survives_a_restart_of_the_process(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "plugs.json"
        first = Stage(min_on_s=60, min_off_s=30, dwell=DwellFile(path, "this-boot"))
        await first.attach()
        off_ns = first.state("two").since_ns
        first.clock.wind(40)
        first.bank._time_passed()
        first.hold("one", 9)
        await first.turn()
        on_ns = first.state("one").since_ns
        first.bank.close()
        second = Stage(min_on_s=60, min_off_s=30, dwell=DwellFile(path, "this-boot"))
        second.clock.now_ns = first.clock.now_ns + SECOND_NS
        second.lamps["one"].off_ns = first.lamps["one"].off_ns
        await second.attach()
        assert second.state("one").since_ns == on_ns
        assert second.state("two").since_ns == off_ns

    play(scene)


def test_dwell_that_cannot_be_written_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        stage = Stage(dwell=DwellFile(tmp_path / "none" / "plugs.json", "this-boot"))
        await stage.attach()
        stage.bank.close()

    play(scene)
    assert "is forgotten" in caplog.text


def test_watts_of_a_plug_are_readings() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.lamps["one"].watts = 33.0
        specs = await stage.attach()
        assert [spec.meter for spec in specs.values()] == ["plug/one", ""]
        assert [(r.meter, r.quality) for r in stage.bank.readings] == [("plug/one", Quality.FRESH)]

    play(scene)


def test_tasks_end_when_they_are_cancelled_although_something_is_wanted_just_then() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.bank.start(lambda: None, lambda _: None)
        while not stage.bank.ready:
            await asyncio.sleep(0.01)
        stage.bank.attach(HOLD_MAX_NS)
        await asyncio.sleep(0.01)
        stage.pass_time(1)
        stage.hold("one", 9)
        await asyncio.sleep(0)
        stage.bank.close()
        tasks = stage.bank._tasks
        done, _ = await asyncio.wait(tasks, timeout=5)
        for task in tasks:
            task.cancel()
        assert len(done) == len(tasks)

    play(scene)


def test_tasks_tend_the_lamps_and_a_bug_in_one_is_handed_on() -> None:
    async def scene() -> None:
        stage = Stage()
        news, bugs = asyncio.Event(), list[Exception]()
        stage.bank.start(news.set, bugs.append)
        await asyncio.wait_for(news.wait(), 5)
        while not stage.bank.ready:
            news.clear()
            await asyncio.wait_for(news.wait(), 5)
        stage.bank.attach(HOLD_MAX_NS)
        stage.pass_time(1)
        stage.hold("one", 9)
        await stage.bank.settle(5)
        assert stage.lamps["one"].is_on
        stage.lamps["one"].said = None  # type: ignore[assignment] # the bug
        stage.release("one", urgent=True)
        while not bugs:
            await asyncio.sleep(0)
        assert isinstance(bugs[0], AttributeError)
        stage.bank.close()

    play(scene)


def test_bank_is_ready_when_the_time_for_first_answers_is_over() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.lamps["one"].is_away = True
        stage.bank.start(lambda: None, lambda _: None)
        await stage.turn()
        assert not stage.bank.ready
        stage.clock.wind(1.1)
        assert not stage.bank.ready, "a word of a controller before may still be on its way"
        stage.clock.wind(DELIVER_S)
        assert stage.bank.ready
        stage.bank.close()

    play(scene)
