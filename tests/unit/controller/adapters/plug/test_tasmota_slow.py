"""A Tasmota that answers slowly, or not: its timer is never thought to be what it is not.

On a clock that is wound. Fails if it draws beyond the deadline, if a renewal starts it, if a start
never comes, or if its flash is written again and again.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.controller.adapters.plug.lamp import Clock
from tests.unit.controller.adapters.plug.tasmota_wire import TICK_NS, TasmotaWire

from rackgrid.adapters.plug.actuator import Held
from rackgrid.adapters.plug.tasmota import Tasmota
from rackgrid.deadman import MS_NS, SECOND_NS, TIMERS
from rackgrid.errors import TransportError

TIMER = TIMERS["tasmota"]
DELIVER_S = TIMER.deliver_ns / SECOND_NS


class Desk:
    """The plug, the clock, and who speaks."""

    def __init__(self, pulse: int = 29) -> None:
        self.clock = Clock()
        self.wire = TasmotaWire(self.clock, pulse)
        self.plug = Tasmota(self.wire, 1, TIMER, 4 * SECOND_NS)

    def hold(self, seconds: float, *, starts: bool = True, by_s: float = 3600) -> Held | None:
        """Have it on; what is said of its end is true."""
        now_ns = self.clock()
        deadline_ns = now_ns + round(seconds * SECOND_NS)
        by_ns = now_ns + round(by_s * SECOND_NS)
        held = asyncio.run(self.plug.hold(deadline_ns, starts=starts, by_ns=by_ns))
        if held is not None:
            assert self.wire.off_ns is not None
            assert held.ends_ns <= self.wire.off_ns
            assert self.wire.off_ns + TIMER.late_ns <= held.latest_ns <= deadline_ns + 1
        return held

    def left_s(self) -> float:
        assert self.wire.off_ns is not None
        return (self.wire.off_ns - self.clock()) / SECOND_NS


def sets(command: str) -> bool:
    return command.startswith("PulseTime1 ")


# --- renewals -------------------------------------------------------------------------------------


def test_renewal_that_might_be_heard_too_late_is_not_said() -> None:
    desk = Desk()
    assert desk.hold(4.3)
    desk.wire.connect_s = 0.9
    desk.wire.said.clear()
    assert not desk.hold(5.2, starts=False, by_s=DELIVER_S + 0.8)
    assert desk.wire.said == []
    assert desk.hold(5.2, starts=False, by_s=DELIVER_S + 1.0)


def test_renewal_has_time_for_another_setting_or_makes_do_with_what_is_set() -> None:
    """Else that is set, and then it is too late to go on."""
    desk = Desk()
    assert desk.hold(4.3)
    assert desk.hold(15, starts=False, by_s=2 * DELIVER_S - 0.1)
    assert desk.wire.writes == 0
    assert desk.hold(15, starts=False, by_s=2 * DELIVER_S + 0.1)
    assert desk.wire.writes == 1


def test_renewal_after_a_setting_minds_that_this_has_brought_the_end_nearer() -> None:
    desk = Desk()
    assert desk.hold(13)
    assert desk.wire.pulse == 111
    desk.clock.wind(5)
    desk.wire.connect_s = 1.0

    def after(command: str) -> None:
        if sets(command):
            desk.wire.connect_s = 2.2

    desk.wire.after = after
    with pytest.raises(TransportError, match="could not be switched on in time"):
        desk.hold(7.4, starts=False, by_s=6)
    assert desk.wire.said.count("Power1 ON") == 1


# --- a word that sets it, and what became of it ---------------------------------------------------


def test_setting_that_was_said_without_a_word_on_counts_as_heard() -> None:
    """It has set the timer that runs: who is told that nothing was said would forget that."""
    desk = Desk()
    assert desk.hold(4.3)

    def after(command: str) -> None:
        desk.wire.connect_s = 9.0 if sets(command) else 0.0

    desk.wire.after = after
    with pytest.raises(TransportError, match="was told PulseTime1 111, has 111"):
        desk.hold(14, starts=False)


def test_setting_without_an_answer_is_asked_for() -> None:
    desk = Desk()
    assert desk.hold(4.3)
    desk.wire.loses = sets
    with pytest.raises(TransportError, match="no answer"):
        desk.hold(15, starts=False)
    assert desk.wire.pulse == 111
    desk.wire.loses = lambda _: False
    desk.clock.wind(1)
    assert desk.hold(4.3, starts=False)
    assert desk.left_s() < 3.3


def test_setting_that_may_still_be_on_its_way_is_not_believed_to_be_what_it_was() -> None:
    """Fails if a look before it is heard makes the old setting known again."""
    desk = Desk()
    assert desk.hold(4.3)
    desk.wire.holds_back = sets
    with pytest.raises(TransportError, match="reset"):
        desk.hold(15, starts=False)
    assert asyncio.run(desk.plug.look()).on
    desk.wire.deliver()
    desk.wire.holds_back = lambda _: False
    desk.clock.wind(DELIVER_S)
    assert desk.hold(4.3, starts=False)
    assert desk.left_s() < 3.3


@pytest.mark.parametrize("pulse", [0, 111, 700])
def test_setting_that_was_changed_while_it_was_off_is_noticed(pulse: int) -> None:
    """By its owner, or by a power cut before flash was written; 0: nothing would end it."""
    desk = Desk()
    assert desk.hold(4.3)
    assert not asyncio.run(desk.plug.release()).on
    desk.wire.pulse = pulse
    assert desk.hold(4.3)
    assert desk.left_s() < 3.3


# --- starts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("exchange_ms", [0, 20, 50, 100, 200, 300])
@pytest.mark.parametrize("left_s", [3.95, 3.9, 3.8, 3.5])
@pytest.mark.parametrize("pulse", [0, 5, 29, 111, 700])
def test_start_comes_at_once_and_wears_no_flash(
    exchange_ms: int, left_s: float, pulse: int
) -> None:
    desk = Desk(pulse)
    desk.wire.take(exchange_ms / 1000)
    for _ in range(5):
        assert desk.hold(left_s)
        assert desk.left_s() > 0.5
        for _ in range(5):
            assert desk.hold(left_s, starts=False)
        asyncio.run(desk.plug.release())
    assert desk.wire.writes <= 2


@pytest.mark.parametrize("exchange_ms", [20, 50, 100, 200, 300])
@pytest.mark.parametrize("left_s", [3.95, 3.8])
@pytest.mark.parametrize("pulse", [0, 29, 111])
def test_start_is_kept_up_by_holds_that_come_each_round(
    exchange_ms: int, left_s: float, pulse: int
) -> None:
    """Each is said when it has come, or when the one before is through."""
    desk, round_ns = Desk(pulse), SECOND_NS // 2
    desk.wire.take(exchange_ms / 1000)
    came_ns = desk.clock()
    held = desk.hold(left_s)
    assert held is not None
    for _ in range(20):
        now_ns = desk.clock()
        came_ns = max(now_ns - (now_ns - came_ns) % round_ns, came_ns + round_ns)
        desk.clock.now_ns = max(now_ns, came_ns)
        by_s = (held.ends_ns - desk.clock()) / SECOND_NS
        age_s = (desk.clock() - came_ns) / SECOND_NS
        held = desk.hold(left_s - age_s, starts=False, by_s=by_s) or held
        assert desk.wire.is_on
    assert len(desk.wire.starts) == 1
    assert desk.wire.writes <= 2


def test_start_that_is_too_slow_the_first_time_comes_the_second_time() -> None:
    desk = Desk(111)

    def after(command: str) -> None:
        if command == "PulseTime1":
            desk.wire.take(0.7)

    desk.wire.after = after
    with pytest.raises(TransportError, match="could not be switched on in time"):
        desk.hold(3.95)
    assert desk.hold(3.95)
    assert desk.wire.writes == 2


@pytest.mark.parametrize(("pulse", "becomes"), [(10, 29), (19, 29), (20, 20), (29, 29), (30, 30)])
def test_setting_stays_if_it_is_not_much_shorter_than_usual(pulse: int, becomes: int) -> None:
    desk = Desk(pulse)
    assert desk.hold(4.3)
    assert desk.wire.pulse == becomes


# --- looks ----------------------------------------------------------------------------------------


def test_timer_that_its_owner_has_set_has_no_known_end() -> None:
    """On the scale of seconds it tells the rest otherwise."""
    desk = Desk(700)
    assert asyncio.run(desk.plug.prove()) == ""
    desk.wire.switch_on()
    sight = asyncio.run(desk.plug.look())
    assert (sight.on, sight.left_ns, sight.sure_ns) == (True, None, 0)


@pytest.mark.parametrize("rest", [-1, 30, 111, 130, None, "9", 1e15])
def test_rest_that_is_not_understood_is_no_known_end(
    rest: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(29)
    desk.wire.switch_on()
    monkeypatch.setattr(desk.wire, "remaining", lambda: rest)
    sight = asyncio.run(desk.plug.look())
    assert (sight.on, sight.left_ns, sight.sure_ns) == (True, None, 0)


def test_relay_that_is_on_without_its_timer_has_no_known_end() -> None:
    """`Power0 ON` sets none: nothing is left of it, and it stays on."""
    desk = Desk(29)
    desk.wire.off_ns = None
    sight = asyncio.run(desk.plug.look())
    assert (sight.on, sight.left_ns, sight.sure_ns) == (True, None, 0)


def test_last_moment_of_a_timer_is_waited_for() -> None:
    """Nothing is left then either, but it ends."""
    desk = Desk(29)
    desk.wire.switch_on()
    desk.clock.wind(2.85)
    desk.wire.take(0.04)
    sight = asyncio.run(desk.plug.look())
    assert (sight.on, sight.left_ns) == (False, None)


def test_rest_is_told_with_its_rounding() -> None:
    desk = Desk(29)
    desk.wire.switch_on()
    desk.clock.wind(1.25)
    sight = asyncio.run(desk.plug.look())
    assert (sight.left_ns, sight.sure_ns) == (17 * TICK_NS, 15 * TICK_NS)
    assert sight.sure_ns <= 1650 * MS_NS <= 17 * TICK_NS
