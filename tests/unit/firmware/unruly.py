"""Random histories of a guard with every rule in force, and a judge that has a memory of its own.

The judge sees events and actions alone, as somebody would who watches the pins: it knows the rules
from the profile's words and nothing of the guard's state. `test_guard_turn_law` plays thousands of
histories, `tests/bench/bench_guard.py` a million.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from rackgrid_firmware.device import LEVEL_FULL
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
    step,
)
from rackgrid_firmware.guard_rules import DAY_NS
from rackgrid_firmware.link import Clear, Hold, Lock, Release

BOOT = 10 * DAY_NS
SCALE = DAY_NS // 1000
"""One tick: budgets are by the day, so everything here takes minutes."""
NAMES = ("up", "down", "lone", "req", "fed")
EVENTS = 24


def rules_by(chance: Random) -> Rules:
    """Draw what a profile may demand."""

    def ticks(most: int) -> int:
        return chance.randrange(most) * SCALE

    on_ns, off_ns, dead_ns = ticks(40), ticks(40), ticks(20)
    return Rules(
        (
            Rule("up", False, on_ns, off_ns, ticks(20), 0, ("down",), dead_ns),
            Rule("down", False, on_ns, off_ns, 0, 0, ("up",), dead_ns),
            Rule(
                "lone",
                False,
                ticks(40),
                ticks(40),
                ticks(20),
                chance.choice((0, 2, 50)),
                min_level=300,
            ),
            Rule("req", True, ticks(40), ticks(40), is_safe_on=chance.random() < 0.5),
            Rule("fed", True, 0, ticks(20), unlockable="it powers a node"),
        ),
        hold_max_ns=100 * SCALE,
        stagger_ns=ticks(10),
        calm_until_ns=BOOT + ticks(60),
    )


def event_by(chance: Random, now_ns: int) -> Event:
    """Draw what happens next."""
    name = chance.choice((*NAMES, "nobody"))
    deadline_ns = now_ns + chance.randrange(-5, 110) * SCALE
    match chance.randrange(16):
        case 0 | 1 | 2 | 3 | 4 | 5:
            level = chance.choice((300, 700, LEVEL_FULL)) if name == "lone" else LEVEL_FULL
            return HoldAsked(now_ns, Hold(1, name, deadline_ns, chance.random() < 0.8, level))
        case 6 | 7:
            return ReleaseAsked(now_ns, Release(1, name, chance.random() < 0.5))
        case 8:
            return SafeAsked(now_ns)
        case 9 | 10:
            return Tripped(now_ns, name, "a trip", chance.random() < 0.3)
        case 11 | 12:
            return ClearAsked(now_ns, Clear(1, name))
        case 13:
            return LockAsked(now_ns, Lock(1, name, chance.random() < 0.5))
        case 14:
            return TakenOver(now_ns)
        case _:
            return TimePassed(now_ns)


@dataclass
class Judge:
    """Watches the pins of one history."""

    rules: Rules
    on: dict[str, bool] = field(default_factory=dict[str, bool])
    since: dict[str, int] = field(default_factory=dict[str, int])
    until: dict[str, int] = field(default_factory=dict[str, int])
    starts: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    asked: dict[str, int] = field(default_factory=dict[str, int])
    faults: dict[str, bool] = field(default_factory=dict[str, bool])
    locked: set[str] = field(default_factory=set[str])
    last_start: int = BOOT
    level: dict[str, int] = field(default_factory=dict[str, int])
    wanted: int = LEVEL_FULL

    def begun(self, actions: tuple[Action, ...], kept: dict[str, Kept]) -> None:
        for action in actions:
            assert isinstance(action, Drive)
            self.on[action.output], self.since[action.output] = action.on, BOOT
            was = kept.get(action.output, Kept())
            assert not (action.on and (was.fault or was.is_locked)), "barred, and on at the start"
            if was.fault:
                self.faults[action.output] = was.is_welded
            if was.is_locked:
                self.locked.add(action.output)

    def check(self, event: Event, actions: tuple[Action, ...]) -> None:
        self._hear(event, any(isinstance(action, Refuse) for action in actions))
        for action in actions:
            if isinstance(action, Drive):
                self._drive(event.now_ns, action)
            elif isinstance(action, Modulate):
                assert self.on[action.output], "modulated, and off"
                self.level[action.output] = action.level
        if self.on["lone"]:
            assert self.level["lone"] == self.wanted, "not the level that was asked for last"
        for rule in self.rules.outputs:
            if self.on[rule.name]:
                assert rule.required or event.now_ns < self.until[rule.name], "past its deadline"
                assert rule.name not in self.faults, "tripped, and on"
                assert rule.name not in self.locked, "locked out, and on"
                for other in rule.not_with:
                    assert not self.on[other], "both of a pair are on"
                    assert not self.faults.get(other, False), "on beside a welded rival"

    def _hear(self, event: Event, refused: bool) -> None:
        known = {rule.name: rule for rule in self.rules.outputs}
        match event:
            case HoldAsked(hold=hold) if not refused and hold.output in known:
                self.until[hold.output] = hold.deadline_ns
                self.wanted = hold.level if hold.output == "lone" else self.wanted
            case Tripped(output=name) if name in known:
                self.faults[name] = self.faults.get(name, False) or event.is_welded
            case ClearAsked(clear=clear):
                self.faults.pop(clear.output, None)
            case LockAsked(lock=lock) if lock.output in known and not refused:
                (self.locked.add if lock.locked else self.locked.discard)(lock.output)
            case _:
                pass

    def _drive(self, now_ns: int, drive: Drive) -> None:
        rule = next(rule for rule in self.rules.outputs if rule.name == drive.output)
        lasted_ns = now_ns - self.since[rule.name]
        assert drive.on != self.on[rule.name], "an action that changes nothing"
        self.level[rule.name] = drive.level
        if drive.on:
            assert lasted_ns >= rule.min_off_ns, "min-off violated"
            assert now_ns - self.last_start >= self.rules.stagger_ns, "stagger violated"
            assert rule.required or now_ns >= self.rules.calm_until_ns, "the calm was broken"
            for other in rule.not_with:
                dead_ns = next(r.dead_ns for r in self.rules.outputs if r.name == other)
                assert now_ns - self.since[other] >= dead_ns, "inside the dead time"
            self.last_start = now_ns
            self._spend(rule, now_ns)
        elif lasted_ns < rule.min_on_ns:
            assert drive.cause != "released" or not rule.required, "min-on violated"
        if rule.required and not drive.on:
            assert drive.cause in ("tripped", "locked", "safe"), "the market took a required load"
        if rule.name == "fed":
            assert drive.on or drive.cause == "tripped", "a node was cut off"
        self.on[rule.name], self.since[rule.name] = drive.on, now_ns

    def _spend(self, rule: Rule, now_ns: int) -> None:
        starts = self.starts.setdefault(rule.name, [])
        starts.append(now_ns)
        if rule.switches_per_day:
            for first, begun_ns in enumerate(starts):
                most = rule.switches_per_day * (1 + (now_ns - begun_ns) / DAY_NS)
                assert len(starts) - first <= most + 1e-6, "budget exceeded"


def play(seed: int) -> GuardState:
    """Play one history; raises AssertionError if a rule is broken."""
    chance = Random(seed)
    rules = rules_by(chance)
    kept = {
        name: Kept("old", chance.random() < 0.3, chance.random() < 0.3)
        for name in NAMES[:4]
        if chance.random() < 0.1
    }
    state, actions = begin(rules, BOOT, None, kept)
    judge = Judge(rules)
    judge.begun(actions, kept)
    now_ns = BOOT
    for _ in range(EVENTS):
        now_ns += chance.randrange(40) * SCALE
        while (due_ns := next_deadline_ns(rules, state)) is not None and due_ns <= now_ns:
            before = state
            event: Event = TimePassed(due_ns)
            state, actions = step(rules, state, event)
            judge.check(event, actions)
            assert state != before, "woken for nothing: the loop would spin"
        event = event_by(chance, now_ns)
        state, actions = step(rules, state, event)
        judge.check(event, actions)
    return state
