"""Fails if a plug's contact is accused without proof, or a welded or empty one reaches nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.adapters.plug.lamp import Clock, Lamp
from tests.unit.controller.adapters.plug.stage import Stage, play

from rackgrid.adapters.plug.actuator import Sight
from rackgrid.adapters.plug.lookout import ZERO_A, Lookout
from rackgrid.adapters.plug.socket import Socket
from rackgrid.adapters.plug.tally import LAG_NS
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.device import Quality, Verdict
from rackgrid_firmware.link import OutputState
from rackgrid_firmware.protection import ACCUSED_AFTER, ACQUITTED_AFTER

LAG_S = LAG_NS / SECOND_NS


class Desk:
    """A lookout on one plug, and its time."""

    def __init__(self, *, is_judged: bool = True) -> None:
        self.clock = Clock()
        socket = Socket("one", Lamp(self.clock), 40_000, 60_000, 0, 0, 0, is_judged=is_judged)
        self.lookout = Lookout({"one": socket})
        self.lookout.begin({"one": False}, self.clock())

    def say(self, watts: float, *, on: bool = False, times: int = 1) -> list[str]:
        reasons: list[str] = []
        for _ in range(times):
            self.clock.wind(1)
            self.lookout.take("one", Sight(on, watts=watts, volts=230.0), self.clock())
            reasons += [trip.reason for trip in self.lookout.judge("one", self.clock())]
        return reasons

    @property
    def verdict(self) -> Verdict:
        return self.lookout.verdicts.get("one", Verdict.UNKNOWN)


def test_plug_that_has_never_metered_has_no_meter() -> None:
    desk = Desk()
    assert desk.lookout.meter("one") == ""
    assert desk.lookout.judge("one", desk.clock()) == ()
    desk.say(0.0)
    assert desk.lookout.meter("one") == "plug/one"
    assert [each.quality for each in desk.lookout.readings(desk.clock())] == [Quality.FRESH]


def test_watts_though_it_is_off_are_a_welded_contact() -> None:
    desk = Desk()
    desk.say(0.0, times=10)
    assert desk.say(31.0, times=ACCUSED_AFTER) == ["welded: switched off, and 31.0 W flow"]
    assert desk.verdict is Verdict.WELDED
    desk.lookout.cleared("one")
    assert desk.verdict is Verdict.UNKNOWN


def test_watts_of_before_a_switch_accuse_nobody() -> None:
    desk = Desk()
    desk.lookout.changed("one", desk.clock(), on=True)
    desk.clock.wind(LAG_S)
    desk.say(31.0, on=True, times=30)
    assert desk.verdict is Verdict.OK
    desk.lookout.changed("one", desk.clock(), on=False)
    assert desk.say(31.0, times=int(LAG_S)) == []
    assert desk.say(0.0, times=30) == []
    assert desk.verdict is Verdict.OK


def test_what_is_within_a_plugs_own_error_is_nothing() -> None:
    desk = Desk()
    assert desk.say(0.9 * ZERO_A * 230.0, times=50) == []
    assert len(desk.say(1.1 * ZERO_A * 230.0, times=50)) == 1


def test_one_answer_counts_once() -> None:
    """Fails if the same watts, looked at often, are many proofs."""
    desk = Desk()
    desk.say(0.0, times=10)
    desk.say(31.0)
    for _ in range(3 * ACCUSED_AFTER):
        assert desk.lookout.judge("one", desk.clock()) == ()


def test_change_that_is_no_switch_keeps_the_verdict() -> None:
    desk = Desk()
    desk.say(0.0, times=10 + ACQUITTED_AFTER)
    assert desk.verdict is Verdict.OK
    desk.lookout.changed("one", desk.clock(), on=False)
    assert desk.verdict is Verdict.OK


def test_plug_that_says_its_watts_apart_from_its_state_is_not_judged() -> None:
    desk = Desk(is_judged=False)
    assert desk.say(31.0, times=50) == []
    assert desk.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("is_welded", [True, False])
def test_bank_latches_a_welded_plug_and_only_notices_a_missing_load(is_welded: bool) -> None:
    async def scene() -> None:
        stage = Stage(change=lambda socket: replace(socket, is_judged=True))
        lamp = stage.lamps["one"]
        lamp.watts = 0.0
        await stage.attach()
        stage.pass_time(1)

        async def look(times: int) -> OutputState:
            for _ in range(times):
                stage.hold("one", 9)
                await stage.turn(after_s=0.5)
            return stage.state("one")

        if not is_welded:
            state = await look(60)
            assert lamp.is_on
            assert (state.verdict, state.fault) == (Verdict.NO_LOAD, "")
            lamp.watts = 30.0
            assert (await look(60)).verdict is Verdict.OK
            return
        lamp.leaks_w = 30.0
        for _ in range(30):
            await stage.turn(after_s=0.5)
        state = stage.state("one")
        assert (state.verdict, state.fault) == (
            Verdict.WELDED,
            "welded: switched off, and 30.0 W flow",
        )
        assert not (await look(4)).on, "no hold brings it on"
        lamp.leaks_w = 0.0
        stage.clear("one")
        assert (await look(4)).on

    play(scene)
