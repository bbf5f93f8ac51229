"""The guard's laws, over random timetables; test_guard.py tells its single stories."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.guard import (
    Action,
    Drive,
    Event,
    HoldAsked,
    Modulate,
    Refuse,
    ReleaseAsked,
    Rule,
    Rules,
    SafeAsked,
    TimePassed,
    begin,
    next_deadline_ns,
    step,
)
from rackgrid_firmware.link import Hold, Release

BOOT = 10_000
NAMES = ("a", "b", "c", "req")
spans = st.integers(0, 60)


def rules_of(dwell: tuple[tuple[int, int], ...], stagger_ns: int) -> Rules:
    pairs = zip(NAMES, dwell, strict=True)
    outputs = tuple(Rule(n, n == "req", on_ns, off_ns) for n, (on_ns, off_ns) in pairs)
    return Rules(outputs, hold_max_ns=100, stagger_ns=stagger_ns)


rule_sets = st.builds(rules_of, st.tuples(*[st.tuples(spans, spans)] * 4), st.integers(0, 30))
moves = st.lists(
    st.tuples(
        st.sampled_from(["hold", "hold", "hold", "release", "urgent", "safe", "wait"]),
        st.sampled_from([*NAMES, "nobody"]),
        st.integers(0, 40),  # time until this event
        st.integers(-5, 110),  # deadline, from the event
    ),
    max_size=40,
)


def event_of(move: tuple[str, str, int, int], now_ns: int) -> Event:
    what, name, _, until = move
    if what == "hold":
        return HoldAsked(now_ns, Hold(1, name, now_ns + until))
    if what in ("release", "urgent"):
        return ReleaseAsked(now_ns, Release(1, name, what == "urgent"))
    return SafeAsked(now_ns) if what == "safe" else TimePassed(now_ns)


@dataclass
class Checker:
    """Judges the actions alone, with a memory of its own; knows nothing of the guard's state."""

    rules: Rules
    on: dict[str, bool] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    deadline: dict[str, int] = field(default_factory=dict)
    last_start: int = BOOT

    def begin(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            assert isinstance(action, Drive)
            self.on[action.output] = action.on
            self.since[action.output] = BOOT

    def check(self, event: Event, actions: tuple[Action, ...]) -> None:
        refused = any(isinstance(action, Refuse) for action in actions)
        assert not refused or len([a for a in actions if isinstance(a, Refuse)]) == 1
        for action in actions:
            if isinstance(action, Drive):
                self._drive(event, action)
        if isinstance(event, HoldAsked) and not refused:
            self.deadline[event.hold.output] = event.hold.deadline_ns
        for rule in self.rules.outputs:
            if rule.required:
                assert self.on[rule.name]
            elif self.on[rule.name]:
                assert event.now_ns < self.deadline[rule.name], "on after its deadline"
        drives = [action.on for action in actions if isinstance(action, Drive)]
        assert drives == sorted(drives), "something went on before something else went off"

    def _drive(self, event: Event, drive: Drive) -> None:
        rule = self.rules.outputs[NAMES.index(drive.output)]
        lasted = event.now_ns - self.since[rule.name]
        assert not rule.required
        assert drive.on != self.on[rule.name], "an action that changes nothing"
        if drive.on:
            assert lasted >= rule.min_off_ns, "min-off violated"
            assert event.now_ns - self.last_start >= self.rules.stagger_ns, "stagger violated"
            assert drive.cause == "held"
            self.last_start = event.now_ns
        elif lasted < rule.min_on_ns:
            urgent = isinstance(event, ReleaseAsked) and event.release.urgent
            assert urgent or drive.cause in ("deadline", "safe"), "min-on violated"
        self.on[rule.name] = drive.on
        self.since[rule.name] = event.now_ns


@settings(max_examples=300)
@given(rule_sets, moves)
def test_guard_under_any_timetable_keeps_every_rule(
    rules: Rules, timetable: list[tuple[str, str, int, int]]
) -> None:
    """Fails if the guard breaks a dwell, a deadline or the stagger in any order of events."""
    state, actions = begin(rules, BOOT, None)
    checker = Checker(rules)
    checker.begin(actions)
    now_ns = BOOT
    for move in timetable:
        now_ns += move[2]
        event = event_of(move, now_ns)
        state, actions = step(rules, state, event)
        checker.check(event, actions)
        for output in state.outputs[:3]:
            assert output.on == bool(output.deadline_ns)
            assert not (output.on and output.pending_ns)
        waiting = {at for at, output in enumerate(state.outputs) if output.pending_ns}
        assert waiting == set(state.queue)
        assert len(state.queue) == len(waiting)


@settings(max_examples=300)
@given(rule_sets, moves)
def test_next_deadline_is_never_late_and_each_visit_gets_further(
    rules: Rules, timetable: list[tuple[str, str, int, int]]
) -> None:
    """Fails if `TimePassed` acts before the deadline that was named, or if a loop would spin."""
    state, _ = begin(rules, BOOT, None)
    now_ns = BOOT
    for move in timetable:
        arrival_ns = now_ns + move[2]
        for _ in range(50):
            due = next_deadline_ns(rules, state)
            if due is None or due > arrival_ns:
                break
            if due - 1 > now_ns:
                early, actions = step(rules, state, TimePassed(due - 1))
                assert (early, actions) == (state, ())
            now_ns = max(now_ns, due)
            before = state
            state, _ = step(rules, state, TimePassed(now_ns))
            assert state != before, "woken for nothing: the loop would spin"
        else:
            pytest.fail("more than 50 acts in 40 ns")
        now_ns = arrival_ns
        state, _ = step(rules, state, event_of(move, now_ns))


@settings(max_examples=100)
@given(rule_sets, moves)
def test_guard_left_alone_ends_with_every_flexible_output_off(
    rules: Rules, timetable: list[tuple[str, str, int, int]]
) -> None:
    """The dead-man: whatever was asked, silence switches off within the longest hold."""
    state, _ = begin(rules, BOOT, None)
    now_ns = BOOT
    for move in timetable:
        now_ns += move[2]
        state, _ = step(rules, state, event_of(move, now_ns))
    state, _ = step(rules, state, TimePassed(now_ns + rules.hold_max_ns))
    assert [output.on for output in state.outputs] == [False, False, False, True]
    assert next_deadline_ns(rules, state) is None


@settings(max_examples=300)
@given(rule_sets, moves, st.lists(st.integers(100, 1000), min_size=40, max_size=40))
def test_levels_change_no_switch_and_give_exactly_the_power_that_was_asked_for(
    rules: Rules, timetable: list[tuple[str, str, int, int]], levels: list[int]
) -> None:
    """The same timetable at full power has the same switches at the same times."""
    rules = replace(
        rules,
        outputs=tuple(
            rule if rule.required else replace(rule, min_level=100) for rule in rules.outputs
        ),
    )
    state, _ = begin(rules, BOOT, None)
    plain, _ = begin(rules, BOOT, None)
    power = {str(name): 0 for name in NAMES}
    asked = {str(name): 1000 for name in NAMES}
    now_ns = BOOT
    for move, level in zip(timetable, levels, strict=False):
        now_ns += move[2]
        event = event_of(move, now_ns)
        plain, drives = step(rules, plain, event)
        if isinstance(event, HoldAsked):
            event = HoldAsked(now_ns, replace(event.hold, level=level))
        state, actions = step(rules, state, event)
        switches = [action for action in actions if not isinstance(action, Modulate)]
        assert [
            replace(each, level=1000) if isinstance(each, Drive) else each for each in switches
        ] == list(drives)
        if isinstance(event, HoldAsked) and not any(isinstance(a, Refuse) for a in actions):
            asked[event.hold.output] = level
        for action in actions:
            match action:
                case Drive(output=name, on=on, level=given):
                    power[name] = given if on else 0
                case Modulate(output=name, level=given):
                    assert power[name], "what is off is not modulated"
                    power[name] = given
                case Refuse():
                    pass
        for rule, output in zip(rules.outputs[:3], state.outputs, strict=False):
            assert power[rule.name] == (asked[rule.name] if output.on else 0)
