"""Lockouts and latched faults of outputs beyond the board, over commands, absence and restarts.

Fails if a lamp that is locked out, or whose timer has failed, is switched on by anything but the
word of a person, in this process or the next, or if that word is lost.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.unit.controller.adapters.plug.stage import HOLD_MAX_NS, Stage, play

from rackgrid.adapters.plug.remote import BROKEN
from rackgrid_firmware.device import UNAVAILABLE
from rackgrid_firmware.guard import Tripped
from rackgrid_firmware.guard_rules import LOCKED
from rackgrid_firmware.link import Refused, Switched
from rackgrid_firmware.logbook import UNREADABLE, Logbook


def refuse_to_fail(fault: OSError) -> None:
    raise AssertionError from fault


def book(folder: Path, boot_id: str = "this-boot") -> Logbook:
    return Logbook(folder, boot_id, refuse_to_fail, lambda _: None, name="plugs.json")


async def failed(stage: Stage) -> None:
    """Let the timer of lamp one fail, and a hand put it right."""
    stage.pass_time(1)
    stage.lamps["one"].timer_works = False
    stage.hold("one", 4)
    await stage.turn()
    assert stage.bank._remotes["one"].is_broken
    stage.lamps["one"].timer_works = True
    stage.lamps["one"].by_hand(False)


def test_lock_switches_off_at_once_and_no_hold_brings_it_back() -> None:
    async def scene() -> None:
        stage = Stage(min_on_s=60)
        await stage.attach()
        stage.pass_time(1)
        stage.hold("one", 9)
        await stage.turn()
        stage.bank.take()
        stage.lock("one")
        await stage.turn()
        assert not stage.lamps["one"].is_on
        state = stage.state("one")
        assert (state.on, state.is_locked, state.cause) == (False, True, "locked")
        told = [report.state for report in stage.bank.take() if isinstance(report, Switched)]
        assert told[0].is_locked, "it is told at once"
        stage.hold("one", 9)
        assert [r.reason for r in stage.bank.take() if isinstance(r, Refused)] == [LOCKED]
        stage.clear("one")
        assert stage.state("one").is_locked, "clearing a fault ends no lockout"
        stage.lock("one", False)
        stage.pass_time(1)
        stage.hold("one", 9)
        await stage.turn()
        assert stage.lamps["one"].is_on

    play(scene)


@pytest.mark.parametrize("is_proven", [True, False])
def test_lock_of_a_lamp_out_of_reach_is_taken_and_done_when_it_is_back(is_proven: bool) -> None:
    async def scene() -> None:
        stage = Stage()
        if is_proven:
            await stage.attach()
        stage.lamps["one"].is_away = True
        stage.lamps["one"].by_hand(True)
        if not is_proven:
            await stage.attach()
            stage.lamps["one"].missing = "it comes up on"
        await stage.turn(after_s=0.1)
        await stage.turn(after_s=1.1)
        stage.lock("one")
        state = stage.state("one")
        assert (state.is_locked, state.cause) == (True, UNAVAILABLE)
        stage.lamps["one"].is_away = False
        await stage.turn()
        assert not stage.lamps["one"].is_on
        stage.hold("one", 9)
        await stage.turn()
        assert not stage.lamps["one"].is_on

    play(scene)


def test_lock_outlives_a_restart_and_a_reboot(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(logbook=book(tmp_path))
        await stage.attach()
        stage.lock("two")
        stage.bank.close()
        for boot_id in ("this-boot", "next-boot"):
            again = Stage(logbook=book(tmp_path, boot_id))
            # Someone has switched it on while nobody was there: it is not adopted.
            again.lamps["two"].off_ns = again.clock() + HOLD_MAX_NS
            await again.attach()
            assert again.state("two").is_locked
            await again.turn()
            assert not again.lamps["two"].is_on
            assert not again.state("one").is_locked
            again.bank.close()

    play(scene)


def test_lock_is_kept_at_once_and_by_no_orderly_end(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(logbook=book(tmp_path))
        await stage.attach()
        stage.lock("two")
        while not (kept := book(tmp_path).read(frozenset())) or not kept["two"].is_locked:
            await asyncio.sleep(0.01)  # its thread writes; the suite's time limit ends this
        stage.bank.close()

    play(scene)


def test_lock_of_a_plug_that_is_out_of_the_configuration_is_kept(tmp_path: Path) -> None:
    async def scene() -> None:
        first = Stage(logbook=book(tmp_path))
        await first.attach()
        first.lock("two")
        first.bank.close()
        without = Stage(logbook=book(tmp_path), names=("one",))
        await without.attach()
        without.bank.close()
        assert book(tmp_path).read(frozenset())["two"].is_locked

    play(scene)


def test_record_that_cannot_be_read_bars_every_plug_until_it_is_cleared(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "plugs.json").write_bytes(b"torn")
        stage = Stage(logbook=book(tmp_path))
        await stage.attach()
        assert {state.fault for state in stage.bank.states} == {UNREADABLE}
        stage.pass_time(1)
        stage.hold("one", 9)
        await stage.turn()
        assert not stage.lamps["one"].is_on
        stage.clear("one")
        stage.hold("one", 9)
        await stage.turn()
        assert stage.lamps["one"].is_on
        stage.bank.close()

    play(scene)


def test_timer_that_has_failed_is_latched_over_a_restart_until_it_is_cleared(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        stage = Stage(logbook=book(tmp_path))
        await stage.attach()
        await failed(stage)
        assert stage.state("one").fault == BROKEN
        stage.bank.close()
        again = Stage(logbook=book(tmp_path))
        specs = await again.attach()
        assert specs["one"].required, "its watts are floor, as before"
        assert again.state("one").fault == BROKEN
        again.clear("one")
        await again.turn()
        assert again.bank.floor_has_changed
        again.bank.attach(HOLD_MAX_NS)
        assert again.state("one").fault == ""
        again.pass_time(1)
        again.hold("one", 9)
        await again.turn()
        assert again.lamps["one"].is_on
        again.bank.close()

    play(scene)


def test_timer_that_fails_again_is_latched_again(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        for _ in range(2):
            await failed(stage)
            assert stage.state("one").fault == BROKEN
            stage.clear("one")
            assert stage.state("one").fault == ""
            await stage.turn()
            stage.bank.attach(HOLD_MAX_NS)

    play(scene)


def test_timer_that_fails_behind_another_fault_is_latched_beside_it(tmp_path: Path) -> None:
    async def scene() -> None:
        stage = Stage(logbook=book(tmp_path))
        await stage.attach()
        stage.pass_time(1)
        one = stage.lamps["one"]
        stage.hold("one", 4)
        await stage.turn()
        one.off_ns = None  # its timer does not end it
        one.is_away = True
        stage.bank._step(Tripped(stage.clock(), "one", "welded: 9 W flow", is_welded=True))
        await stage.turn(after_s=5)
        one.is_away = False
        await stage.turn()
        await stage.turn(after_s=1)
        assert not one.is_on, "what has tripped is switched off, also where nothing else ends it"
        assert stage.state("one").fault == f"welded: 9 W flow; {BROKEN}"
        stage.bank.close()
        again = Stage(logbook=book(tmp_path))
        assert (await again.attach())["one"].required, "it is floor: nobody has cleared it"
        again.clear("one")
        await again.turn()
        assert not again.bank._remotes["one"].is_floor
        again.bank.close()

    play(scene)
