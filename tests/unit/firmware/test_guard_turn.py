"""Fails if a trip, a lockout, a delay, a budget or an interlock is passed by any command."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from rackgrid_firmware.guard import (
    Action,
    ClearAsked,
    Drive,
    Event,
    GuardState,
    HoldAsked,
    Kept,
    LockAsked,
    Modulate,
    Refuse,
    ReleaseAsked,
    Rule,
    Rules,
    SafeAsked,
    TakenOver,
    TimePassed,
    Tripped,
    begin,
    next_deadline_ns,
    output_states,
    step,
)
from rackgrid_firmware.guard_rules import DAY_NS, LOCKED, NEVER_NS
from rackgrid_firmware.interlock import BUDGET
from rackgrid_firmware.link import Clear, Hold, Lock, Refused, Release

BOOT = 10_000
RULES = Rules(
    (
        Rule("pump", required=False, min_on_ns=50, min_off_ns=100),
        Rule("router", required=True, min_on_ns=10, min_off_ns=30),
        Rule("heater", required=True, min_on_ns=0, min_off_ns=0, is_safe_on=False),
        Rule("feed", required=True, min_on_ns=0, min_off_ns=0, unlockable="it powers node b"),
    ),
    hold_max_ns=1000,
    stagger_ns=20,
)


@dataclass
class Guarded:
    """A guard with its history; times are relative to BOOT."""

    rules: Rules = RULES
    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])
    state: GuardState = field(init=False)
    first: tuple[Action, ...] = ()

    def __post_init__(self) -> None:
        self.state, self.first = begin(self.rules, BOOT, None, self.kept)

    def tell(self, event: Event) -> tuple[Action, ...]:
        self.state, actions = step(self.rules, self.state, event)
        return actions

    def hold(self, at: int, output: str, until: int) -> tuple[Action, ...]:
        return self.tell(HoldAsked(BOOT + at, Hold(1, output, BOOT + until)))

    def trip(self, at: int, output: str, *, welded: bool = False) -> tuple[Action, ...]:
        return self.tell(Tripped(BOOT + at, output, "3 A", welded))

    def clear(self, at: int, output: str) -> tuple[Action, ...]:
        return self.tell(ClearAsked(BOOT + at, Clear(3, output)))

    def lock(self, at: int, output: str, locked: bool = True) -> tuple[Action, ...]:
        return self.tell(LockAsked(BOOT + at, Lock(4, output, locked)))

    def wait(self, at: int) -> tuple[Action, ...]:
        return self.tell(TimePassed(BOOT + at))


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def refusal(output: str, reason: str, retry_ns: int = 0, seq: int = 1) -> tuple[Refuse]:
    return (Refuse(Refused(seq, output, reason, retry_ns)),)


# --- trips --------------------------------------------------------------------------------------


def test_trip_passes_min_on_and_bars_every_hold_until_it_is_cleared(guarded: Guarded) -> None:
    guarded.hold(100, "pump", 900)
    assert guarded.trip(101, "pump") == (Drive("pump", False, "tripped"),)
    assert guarded.hold(400, "pump", 900) == refusal("pump", "3 A")
    renewal = Hold(1, "pump", BOOT + 900, starts=False)
    assert guarded.tell(HoldAsked(BOOT + 401, renewal)) == refusal("pump", "3 A")
    assert guarded.clear(402, "pump") == ()
    assert guarded.hold(403, "pump", 900) == (Drive("pump", True, "held"),)


def test_trip_never_passes_min_off_when_it_is_cleared_at_once(guarded: Guarded) -> None:
    guarded.trip(200, "router")
    assert guarded.clear(201, "router") == ()
    assert next_deadline_ns(RULES, guarded.state) == BOOT + 230
    assert guarded.wait(229) == ()
    assert guarded.wait(230) == (Drive("router", True, "required"),)
    assert guarded.state.outputs[1].deadline_ns == 0


def test_trip_drops_a_start_that_waits(guarded: Guarded) -> None:
    guarded.hold(10, "pump", 900)
    assert guarded.trip(20, "pump") == ()
    assert guarded.wait(200) == ()
    assert not guarded.state.queue


def test_trip_of_a_welded_contact_is_not_overwritten_by_a_lesser_one(guarded: Guarded) -> None:
    guarded.tell(Tripped(BOOT + 1, "pump", "it still draws", True))
    guarded.trip(2, "pump")
    assert guarded.state.outputs[0].fault == "it still draws"


def test_trip_of_an_output_that_has_no_pin_changes_nothing(guarded: Guarded) -> None:
    before = guarded.state
    assert guarded.trip(1, "oven") == ()
    assert guarded.state == before


def test_clear_of_an_unknown_output_is_refused(guarded: Guarded) -> None:
    assert guarded.clear(1, "oven") == refusal("oven", "unknown output", seq=3)


def test_fault_is_told_and_the_market_knows_that_the_output_may_not_start(
    guarded: Guarded,
) -> None:
    guarded.trip(1, "pump")
    told = output_states(RULES, guarded.state, {})[0]
    assert (told.fault, told.is_locked, told.may_switch_ns) == ("3 A", False, NEVER_NS)


# --- lockout ------------------------------------------------------------------------------------


def test_lock_takes_even_a_required_output_off_and_no_command_passes_it(guarded: Guarded) -> None:
    assert guarded.lock(100, "router") == (Drive("router", False, "locked"),)
    guarded.lock(101, "pump")
    guarded.clear(102, "router")
    guarded.tell(TakenOver(BOOT + 103))
    assert guarded.wait(500) == ()
    assert guarded.hold(500, "pump", 900) == refusal("pump", LOCKED)
    assert guarded.lock(600, "router", locked=False) == (Drive("router", True, "required"),)


def test_lock_that_ends_leaves_a_fault_in_force(guarded: Guarded) -> None:
    guarded.trip(1, "router")
    guarded.lock(2, "router")
    assert guarded.lock(100, "router", locked=False) == ()
    assert guarded.wait(200) == ()
    assert not guarded.state.outputs[1].on


def test_lock_of_what_may_not_be_locked_is_refused(guarded: Guarded) -> None:
    assert guarded.lock(1, "feed") == refusal("feed", "it powers node b", seq=4)
    assert guarded.state.outputs[3].on
    assert guarded.lock(2, "oven") == refusal("oven", "unknown output", seq=4)


# --- safe states --------------------------------------------------------------------------------


def test_safe_takes_off_a_required_output_whose_safe_state_is_off_until_someone_takes_over(
    guarded: Guarded,
) -> None:
    assert guarded.tell(SafeAsked(BOOT + 50)) == (Drive("heater", False, "safe"),)
    assert guarded.wait(500) == ()
    assert guarded.tell(TakenOver(BOOT + 501)) == (Drive("heater", True, "required"),)
    assert guarded.tell(TakenOver(BOOT + 502)) == ()


def test_safe_lets_a_required_output_that_waits_for_its_min_off_come_back(
    guarded: Guarded,
) -> None:
    guarded.trip(200, "router")
    guarded.clear(201, "router")
    guarded.tell(SafeAsked(BOOT + 202))
    assert guarded.wait(230) == (Drive("router", True, "required"),)


# --- what waits ---------------------------------------------------------------------------------


def test_start_must_have_been_asked_for_without_a_break() -> None:
    guarded = Guarded(Rules((Rule("fan", False, 0, 0, hold_ns=100),), 1000, 0))
    guarded.hold(10, "fan", 60)
    guarded.hold(50, "fan", 90)
    assert guarded.wait(90) == ()  # nobody renewed it
    guarded.hold(100, "fan", 900)
    guarded.tell(ReleaseAsked(BOOT + 150, Release(2, "fan", urgent=False)))
    guarded.hold(160, "fan", 900)
    assert guarded.wait(259) == ()
    assert guarded.wait(260) == (Drive("fan", True, "held"),)


def test_start_waits_for_the_calm_after_a_power_cut() -> None:
    guarded = Guarded(replace(RULES, calm_until_ns=BOOT + 400))
    assert guarded.hold(200, "pump", 900) == ()
    assert guarded.wait(399) == ()
    assert guarded.wait(400) == (Drive("pump", True, "held"),)


def test_budget_that_is_spent_refuses_a_start_and_never_keeps_anything_on() -> None:
    guarded = Guarded(Rules((Rule("fan", False, 0, 0, switches_per_day=1),), 1000, 0))
    guarded.hold(1, "fan", 900)
    assert guarded.tell(ReleaseAsked(BOOT + 2, Release(2, "fan", urgent=False))) == (
        Drive("fan", False, "released"),
    )
    assert guarded.hold(3, "fan", 900) == refusal("fan", BUDGET, BOOT + 1 + DAY_NS)


def test_outputs_that_exclude_each_other_are_never_on_together() -> None:
    pair = (
        Rule("up", False, 0, 0, not_with=("down",), dead_ns=50),
        Rule("down", False, 0, 0, not_with=("up",), dead_ns=50),
    )
    guarded = Guarded(Rules(pair, 1000, 0))
    assert guarded.hold(60, "up", 200) == (Drive("up", True, "held"),)
    assert guarded.hold(61, "down", 900) == refusal("down", "not together with up", BOOT + 250)
    assert guarded.wait(200) == (Drive("up", False, "deadline"),)
    assert guarded.hold(201, "down", 900) == ()
    assert guarded.wait(250) == (Drive("down", True, "held"),)
    guarded.trip(899, "down", welded=True)
    assert guarded.hold(999, "up", 1500) == refusal("up", "not together with down")


def test_output_goes_off_when_one_that_it_excludes_is_found_welded() -> None:
    pair = (
        Rule("up", False, 50, 0, not_with=("down",)),
        Rule("down", False, 0, 0, not_with=("up",)),
    )
    guarded = Guarded(Rules(pair, 1000, 0))
    guarded.hold(1, "up", 900)
    assert guarded.trip(2, "down", welded=True) == (Drive("up", False, "excluded"),)


# --- memory -------------------------------------------------------------------------------------


def test_begin_keeps_what_is_barred_off_and_counts_on() -> None:
    guarded = Guarded(
        kept={
            "router": Kept(fault="3 A", switches=7),
            "heater": Kept(is_locked=True),
            "pump": Kept(switches=5, full_ns=BOOT + 9),
        }
    )
    assert guarded.first == (
        Drive("pump", False, "boot"),
        Drive("router", False, "tripped"),
        Drive("heater", False, "locked"),
        Drive("feed", True, "required"),
    )
    assert [output.switches for output in guarded.state.outputs] == [5, 7, 0, 1]
    assert guarded.state.outputs[0].full_ns == BOOT + 9
    assert guarded.hold(1, "router", 10) == refusal("router", "required output")
    guarded.clear(40, "router")
    assert guarded.state.outputs[1].switches == 8


def test_switches_count_each_closing_and_no_opening(guarded: Guarded) -> None:
    for at in (100, 300):
        guarded.hold(at, "pump", at + 60)
        guarded.wait(at + 60)
    assert guarded.state.outputs[0].switches == 2


# --- levels -------------------------------------------------------------------------------------


DIMMER = Rules(
    (Rule("lamp", required=False, min_on_ns=50, min_off_ns=100, min_level=200),),
    hold_max_ns=1000,
    stagger_ns=0,
)


def level(guarded: Guarded, at: int, until: int, thousandths: int) -> tuple[Action, ...]:
    return guarded.tell(HoldAsked(BOOT + at, Hold(1, "lamp", BOOT + until, level=thousandths)))


def test_level_of_a_start_that_waits_is_that_of_the_last_hold() -> None:
    guarded = Guarded(DIMMER)
    assert level(guarded, 10, 500, 300) == ()
    assert level(guarded, 20, 500, 400) == ()
    assert guarded.wait(100) == (Drive("lamp", True, "held", 400),)


def test_level_changes_at_once_and_touches_neither_dwell_nor_deadline() -> None:
    guarded = Guarded(DIMMER)
    level(guarded, 100, 500, 300)
    assert level(guarded, 101, 500, 1000) == (Modulate("lamp", 1000),)
    assert level(guarded, 102, 600, 1000) == ()
    (state,) = output_states(DIMMER, guarded.state, {})
    assert (state.since_ns, state.may_switch_ns) == (BOOT + 100, BOOT + 150)
    assert (state.deadline_ns, state.level, state.switches) == (BOOT + 600, 1000, 1)
    assert guarded.wait(600) == (Drive("lamp", False, "deadline"),)


@pytest.mark.parametrize("wrong", [-1, 0, 199, 1001])
def test_level_below_the_least_or_beyond_all_is_refused_and_changes_nothing(wrong: int) -> None:
    guarded = Guarded(DIMMER)
    level(guarded, 100, 500, 300)
    before = guarded.state
    assert level(guarded, 101, 600, wrong) == refusal("lamp", "level")
    assert guarded.state == before


def test_level_of_an_output_that_does_not_modulate_is_full_or_refused(guarded: Guarded) -> None:
    assert guarded.tell(HoldAsked(BOOT + 100, Hold(1, "pump", BOOT + 500, level=999))) == refusal(
        "pump", "level"
    )
    assert guarded.hold(101, "pump", 500) == (Drive("pump", True, "held"),)
