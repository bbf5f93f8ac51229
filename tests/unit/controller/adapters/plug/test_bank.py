"""Outputs beyond the board as one board: the guard's rules over lamps in the network."""

from __future__ import annotations

from tests.unit.controller.adapters.plug.lamp import TIMER
from tests.unit.controller.adapters.plug.stage import HOLD_MAX_NS, Stage, play

from rackgrid.adapters.plug.bank import STAGGER_NS
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.device import UNAVAILABLE
from rackgrid_firmware.guard import NOT_ON
from rackgrid_firmware.link import (
    Attach,
    MakeSafe,
    Refused,
)


def test_specs_say_what_the_configuration_says() -> None:
    async def scene() -> None:
        stage = Stage(3, 5)
        spec = (await stage.attach())["one"]
        assert (spec.nominal_mw, spec.inrush_mw, spec.required) == (40_000, 60_000, False)
        assert (spec.min_on_ns, spec.min_off_ns) == (3 * SECOND_NS, 5 * SECOND_NS)
        assert spec.inrush_ns == SECOND_NS + TIMER.deliver_ns
        assert spec.meter == ""

    play(scene)


def test_hold_counts_as_on_before_the_lamp_has_heard_of_it() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        stage.pass_time(1)
        deadline_ns = stage.hold("one", 4)
        assert not stage.lamps["one"].is_on
        state = stage.state("one")
        assert (state.on, state.deadline_ns, state.cause) == (True, deadline_ns, "held")
        assert stage.told() == [("one", True)]
        await stage.turn()
        assert stage.lamps["one"].is_on
        assert stage.told() == []

    play(scene)


def test_release_counts_as_drawing_until_the_lamp_was_heard_to_be_off() -> None:
    async def scene() -> None:
        stage = Stage(min_off_s=5)
        await stage.attach()
        stage.pass_time(6)
        stage.hold("one", 4)
        await stage.turn()
        stage.release("one", urgent=True)
        state = stage.state("one")
        assert state.on
        assert state.deadline_ns
        assert stage.told() == [("one", True)]
        await stage.turn(after_s=0.5)
        state = stage.state("one")
        assert (state.on, state.deadline_ns) == (False, 0)
        assert state.may_switch_ns == stage.clock() + 5 * SECOND_NS
        assert stage.told() == [("one", False)]

    play(scene)


def test_lamp_goes_off_at_its_deadline_whatever_its_min_on() -> None:
    async def scene() -> None:
        stage = Stage(min_on_s=60)
        await stage.attach()
        stage.pass_time(1)
        stage.hold("one", 4)
        await stage.turn()
        stage.pass_time(4)
        assert not stage.lamps["one"].is_on
        await stage.turn()
        state = stage.state("one")
        assert (state.on, state.cause) == (False, "deadline")

    play(scene)


def test_min_on_keeps_a_released_lamp_on_and_min_off_keeps_it_off() -> None:
    async def scene() -> None:
        stage = Stage(min_on_s=2, min_off_s=3)
        await stage.attach()
        stage.pass_time(3)
        stage.hold("one", 10)
        await stage.turn()
        stage.release("one")
        await stage.turn(after_s=1)
        assert stage.lamps["one"].is_on
        stage.pass_time(1)
        await stage.turn()
        assert not stage.lamps["one"].is_on
        stage.hold("one", 10)
        await stage.turn(after_s=2.5)
        assert not stage.lamps["one"].is_on
        stage.pass_time(0.6)
        await stage.turn()
        assert stage.lamps["one"].is_on

    play(scene)


def test_starts_are_staggered() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        stage.pass_time(1)
        stage.hold("one", 9)
        stage.hold("two", 9)
        await stage.turn()
        assert [lamp.is_on for lamp in stage.lamps.values()] == [True, False]
        stage.pass_time(STAGGER_NS / SECOND_NS)
        await stage.turn()
        assert [lamp.is_on for lamp in stage.lamps.values()] == [True, True]

    play(scene)


def test_everything_safe_switches_all_off() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        stage.pass_time(1)
        stage.hold("one", 9)
        await stage.turn()
        stage.bank.handle(MakeSafe(0))
        stage.bank.handle(Attach(1, 1))  # no word for a board that is attached
        await stage.turn()
        assert not stage.lamps["one"].is_on

    play(scene)


def test_guards_refusals_are_told() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        stage.hold("one", 21)
        stage.hold("one", 4, starts=False)
        reasons = [report.reason for report in stage.bank.take() if isinstance(report, Refused)]
        assert reasons == ["deadline too far", NOT_ON]

    play(scene)


def test_lamp_out_of_reach_is_unavailable_and_draws_until_its_timer_has_ended() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        stage.pass_time(1)
        deadline_ns = stage.hold("one", 6)
        await stage.turn()
        stage.bank.take()
        stage.lamps["one"].is_away = True
        await stage.turn()
        await stage.turn(after_s=1.1)
        state = stage.state("one")
        assert (state.on, state.cause) == (True, UNAVAILABLE)
        assert stage.clock() < state.deadline_ns <= deadline_ns
        assert stage.told() == [("one", True)]
        stage.hold("one", 6, starts=False)
        assert [r.reason for r in stage.bank.take() if isinstance(r, Refused)] == [UNAVAILABLE]
        stage.pass_time((deadline_ns - stage.clock()) / SECOND_NS)
        assert not stage.lamps["one"].is_on
        state = stage.state("one")
        assert (state.on, state.cause) == (False, UNAVAILABLE)
        assert stage.told() == [("one", False)]
        stage.lamps["one"].is_away = False
        await stage.turn()
        assert stage.state("one").cause == "lost"

    play(scene)


def test_lamp_that_a_hand_has_switched_off_is_off() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        stage.pass_time(1)
        stage.hold("one", 6)
        await stage.turn()
        stage.lamps["one"].by_hand(False)
        await stage.turn(after_s=0.5)
        assert not stage.state("one").on
        await stage.turn(after_s=0.5)
        assert not stage.lamps["one"].is_on

    play(scene)


def test_lamp_that_a_hand_has_switched_on_counts_and_is_switched_off() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.attach()
        stage.lamps["one"].by_hand(True)
        await stage.bank._remotes["one"]._look()
        stage.bank._time_passed()
        state = stage.state("one")
        assert state.on
        assert state.deadline_ns == stage.clock() + HOLD_MAX_NS
        await stage.turn()
        assert not stage.lamps["one"].is_on
        assert stage.told() == [("one", True), ("one", False)]

    play(scene)
