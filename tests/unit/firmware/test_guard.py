from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from rackgrid_firmware.device import Verdict
from rackgrid_firmware.guard import (
    NOT_ON,
    Action,
    Drive,
    Event,
    GuardState,
    HoldAsked,
    OutputGuard,
    Refuse,
    ReleaseAsked,
    Rule,
    Rules,
    SafeAsked,
    TimePassed,
    begin,
    next_deadline_ns,
    output_states,
    step,
)
from rackgrid_firmware.link import Hold, OutputState, Refused, Release

RULES = Rules(
    (
        Rule("pump", required=False, min_on_ns=50, min_off_ns=100),
        Rule("fan", required=False, min_on_ns=0, min_off_ns=0),
        Rule("router", required=True, min_on_ns=10, min_off_ns=10),
    ),
    hold_max_ns=1000,
    stagger_ns=20,
)
BOOT = 10_000


@dataclass
class Guarded:
    """A guard with its history, so that a test reads as a timetable relative to BOOT."""

    rules: Rules = RULES
    state: GuardState = field(init=False)

    def __post_init__(self) -> None:
        self.state, _ = begin(self.rules, BOOT, None)

    def tell(self, event: Event) -> tuple[Action, ...]:
        self.state, actions = step(self.rules, self.state, event)
        return actions

    def hold(self, at: int, output: str, until: int) -> tuple[Action, ...]:
        return self.tell(HoldAsked(BOOT + at, Hold(1, output, BOOT + until)))

    def release(self, at: int, output: str, urgent: bool = False) -> tuple[Action, ...]:
        return self.tell(ReleaseAsked(BOOT + at, Release(2, output, urgent)))

    def safe(self, at: int) -> tuple[Action, ...]:
        return self.tell(SafeAsked(BOOT + at))

    def wait(self, at: int) -> tuple[Action, ...]:
        return self.tell(TimePassed(BOOT + at))

    def due(self) -> int | None:
        due = next_deadline_ns(self.rules, self.state)
        return None if due is None else due - BOOT


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def on(output: str) -> tuple[Drive]:
    return (Drive(output, True, "held"),)


def off(output: str, cause: str) -> tuple[Drive]:
    return (Drive(output, False, cause),)


def refusal(output: str, reason: str, retry_ns: int = 0, seq: int = 1) -> tuple[Refuse]:
    return (Refuse(Refused(seq, output, reason, retry_ns)),)


# --- begin --------------------------------------------------------------------------------------


def test_begin_after_a_kernel_boot_drives_safe_levels_and_counts_min_off_from_now() -> None:
    state, actions = begin(RULES, BOOT, None)
    assert actions == (
        Drive("pump", False, "boot"),
        Drive("fan", False, "boot"),
        Drive("router", True, "required"),
    )
    assert state == GuardState(
        (
            OutputGuard(False, BOOT, 0, 0, "boot"),
            OutputGuard(False, BOOT, 0, 0, "boot"),
            OutputGuard(True, BOOT, 0, 0, "required", switches=1),
        ),
        last_start_ns=BOOT,
    )


@pytest.mark.parametrize(
    ("name", "remembered", "since_ns"),
    [
        ("pump", (False, 9_000), 9_000),
        ("pump", (True, 9_000), BOOT),  # it was on until this very moment
        ("pump", (False, BOOT + 1), BOOT),  # another boot's clock
        ("router", (True, 9_000), 9_000),
        ("router", (False, 9_000), BOOT),
    ],
)
def test_begin_with_a_memory_goes_on_with_the_dwell_that_it_proves(
    name: str, remembered: tuple[bool, int], since_ns: int
) -> None:
    state, _ = begin(RULES, BOOT, {name: remembered})
    output = state.outputs[RULES.index(name) or 0]
    assert (output.on, output.since_ns) == (name == "router", since_ns)


def test_begin_with_a_memory_of_long_off_lets_the_output_start_after_one_stagger() -> None:
    state, _ = begin(RULES, BOOT, {"pump": (False, 100)})
    state, actions = step(RULES, state, HoldAsked(BOOT, Hold(1, "pump", BOOT + 500)))
    assert actions == ()
    assert next_deadline_ns(RULES, state) == BOOT + 20


# --- hold ---------------------------------------------------------------------------------------


def test_hold_of_a_free_output_starts_it_until_its_deadline(guarded: Guarded) -> None:
    assert guarded.hold(30, "fan", 130) == on("fan")
    assert guarded.due() == 130
    assert guarded.wait(129) == ()
    assert guarded.wait(130) == off("fan", "deadline")
    assert guarded.due() is None


@pytest.mark.parametrize("until", [90, 300])
def test_hold_of_a_running_output_moves_its_deadline_either_way(
    guarded: Guarded, until: int
) -> None:
    guarded.hold(30, "fan", 130)
    assert guarded.hold(60, "fan", until) == ()
    assert guarded.due() == until


def test_hold_inside_min_off_waits_and_starts_when_min_off_is_over(guarded: Guarded) -> None:
    assert guarded.hold(30, "pump", 500) == ()
    assert guarded.due() == 100
    assert guarded.wait(99) == ()
    assert guarded.wait(100) == on("pump")
    assert guarded.due() == 500


def test_hold_that_ends_inside_min_off_is_dropped_in_silence(guarded: Guarded) -> None:
    guarded.hold(30, "pump", 80)
    assert guarded.due() == 80
    assert guarded.wait(80) == ()
    assert guarded.due() is None
    assert guarded.wait(200) == ()


def test_hold_renewed_while_it_waits_keeps_its_place_and_takes_the_new_deadline() -> None:
    rules = Rules(tuple(Rule(name, False, 0, 0) for name in "abc"), 1000, 20)
    guarded = Guarded(rules)
    guarded.hold(20, "a", 500)
    guarded.hold(21, "b", 500)
    guarded.hold(22, "c", 500)
    guarded.hold(23, "b", 600)
    assert guarded.wait(40) == on("b")
    assert guarded.state.outputs[1].deadline_ns == BOOT + 600
    assert guarded.wait(60) == on("c")


def test_hold_blocked_by_its_min_off_lets_a_later_one_pass(guarded: Guarded) -> None:
    guarded.hold(30, "pump", 500)
    assert guarded.hold(31, "fan", 500) == on("fan")
    assert guarded.wait(100) == on("pump")


def test_hold_at_the_very_moment_of_the_deadline_comes_too_late(guarded: Guarded) -> None:
    guarded.hold(100, "pump", 200)
    assert guarded.hold(200, "pump", 400) == off("pump", "deadline")
    assert guarded.due() == 300


@pytest.mark.parametrize(
    ("output", "until", "reason", "retry"),
    [
        ("oven", 100, "unknown output", 0),
        ("router", 100, "required output", 0),
        ("fan", 30, "deadline past", 0),
        ("fan", -BOOT, "deadline past", 0),
        ("fan", 1031, "deadline too far", BOOT + 31),
    ],
)
def test_hold_against_the_rules_is_refused_with_a_reason(
    guarded: Guarded, output: str, until: int, reason: str, retry: int
) -> None:
    before = guarded.state
    assert guarded.hold(30, output, until) == refusal(output, reason, retry)
    assert guarded.state == before


def test_hold_refused_as_too_far_works_at_the_time_that_the_refusal_names(
    guarded: Guarded,
) -> None:
    (refuse,) = guarded.hold(30, "fan", 1050)
    assert isinstance(refuse, Refuse)
    assert guarded.hold(refuse.refused.retry_ns - BOOT, "fan", 1050) == on("fan")


def test_hold_refused_leaves_an_earlier_hold_in_force(guarded: Guarded) -> None:
    guarded.hold(30, "fan", 130)
    guarded.hold(40, "fan", 5000)
    assert guarded.due() == 130


# --- stagger ------------------------------------------------------------------------------------


def test_starts_asked_together_happen_one_stagger_apart_in_the_order_of_asking() -> None:
    guarded = Guarded(Rules(tuple(Rule(name, False, 0, 0) for name in "abc"), 1000, 20))
    assert guarded.hold(20, "c", 500) == on("c")
    assert guarded.hold(20, "a", 500) == ()
    assert guarded.hold(20, "b", 500) == ()
    assert guarded.due() == 40
    assert guarded.wait(45) == on("a")
    assert guarded.due() == 65
    assert guarded.wait(65) == on("b")


def test_starts_without_stagger_happen_at_once() -> None:
    rules = Rules((Rule("a", False, 0, 10), Rule("b", False, 0, 10)), 1000, 0)
    guarded = Guarded(rules)
    guarded.hold(1, "a", 500)
    guarded.hold(2, "b", 500)
    assert guarded.wait(10) == (*on("a"), *on("b"))


# --- release ------------------------------------------------------------------------------------


def test_release_after_min_on_switches_off_at_once(guarded: Guarded) -> None:
    guarded.hold(100, "pump", 400)
    assert guarded.release(150, "pump") == off("pump", "released")


def test_release_inside_min_on_keeps_the_output_on_until_min_on_is_over(guarded: Guarded) -> None:
    guarded.hold(100, "pump", 400)
    assert guarded.release(120, "pump") == ()
    assert guarded.due() == 150
    assert guarded.wait(150) == off("pump", "released")


def test_release_inside_min_on_does_not_outlast_the_deadline(guarded: Guarded) -> None:
    guarded.hold(100, "pump", 130)
    assert guarded.release(110, "pump") == ()
    assert guarded.wait(130) == off("pump", "deadline")


def test_release_inside_min_on_is_taken_back_by_a_hold(guarded: Guarded) -> None:
    guarded.hold(100, "pump", 400)
    guarded.release(120, "pump")
    assert guarded.hold(130, "pump", 300) == ()
    assert guarded.wait(299) == ()
    assert guarded.wait(300) == off("pump", "deadline")


def test_release_urgent_passes_min_on(guarded: Guarded) -> None:
    guarded.hold(100, "pump", 400)
    assert guarded.release(101, "pump", urgent=True) == off("pump", "released")


def test_release_of_a_waiting_start_drops_it(guarded: Guarded) -> None:
    guarded.hold(30, "pump", 400)
    assert guarded.release(40, "pump") == ()
    assert guarded.due() is None
    assert guarded.wait(100) == ()


def test_release_of_an_output_that_is_off_changes_nothing(guarded: Guarded) -> None:
    before = guarded.state
    assert guarded.release(40, "fan") == ()
    assert guarded.state == before


@pytest.mark.parametrize(
    ("output", "reason"), [("oven", "unknown output"), ("router", "required output")]
)
def test_release_of_what_may_not_be_released_is_refused(
    guarded: Guarded, output: str, reason: str
) -> None:
    assert guarded.release(40, output, urgent=True) == refusal(output, reason, seq=2)


# --- safe ---------------------------------------------------------------------------------------


def test_safe_switches_flexible_outputs_off_whatever_min_on_says_and_keeps_required_ones(
    guarded: Guarded,
) -> None:
    guarded.hold(100, "pump", 400)
    guarded.hold(120, "fan", 400)
    assert guarded.safe(121) == (*off("pump", "safe"), *off("fan", "safe"))
    assert [output.on for output in guarded.state.outputs] == [False, False, True]
    assert guarded.due() is None


def test_safe_drops_waiting_starts(guarded: Guarded) -> None:
    guarded.hold(30, "pump", 400)
    assert guarded.safe(40) == ()
    assert guarded.wait(100) == ()


def test_renewal_after_the_output_has_opened_starts_nothing(guarded: Guarded) -> None:
    guarded.hold(100, "fan", 200)
    renewal = Hold(1, "fan", BOOT + 400, starts=False)
    assert guarded.tell(HoldAsked(BOOT + 150, renewal)) == ()
    assert guarded.due() == 400
    assert guarded.wait(400) == off("fan", "deadline")
    late = Hold(1, "fan", BOOT + 600, starts=False)
    assert guarded.tell(HoldAsked(BOOT + 401, late)) == refusal("fan", NOT_ON)
    assert guarded.due() is None


# --- the link's words ---------------------------------------------------------------------------


def test_output_states_say_until_when_dwell_forbids_a_change(guarded: Guarded) -> None:
    guarded.hold(100, "pump", 400)
    assert output_states(RULES, guarded.state, {"pump": Verdict.OK}) == (
        OutputState(
            "pump", True, BOOT + 100, BOOT + 400, BOOT + 150, "held", Verdict.OK, switches=1
        ),
        OutputState("fan", False, BOOT, 0, BOOT, "boot", Verdict.UNKNOWN),
        OutputState("router", True, BOOT, 0, BOOT + 10, "required", Verdict.UNKNOWN, switches=1),
    )
