"""What the firmware decides: when an output may go on, and when it must go off.

Why apart from the pins: these few rules keep the feed safe when everything above them fails, so
they run unchanged in the process and in the simulation, and a test can try every order of events.
Pure: no clock, no pin. Time comes with the event; deadlines are state; `next_deadline_ns` says when
to come back.

The rules, the stronger first:

1. What has tripped, or is locked out, is off until somebody clears it on purpose, required or not;
   no command of the market passes that.
2. A flexible output is on only until a deadline. At the deadline it goes off whatever its min-on
   says: the feed's safety rests on it, a relay's contact life does not.
3. Nothing passes min-off: a compressor restarted against pressure stalls at its inrush current.
4. Outputs that exclude each other are never on together, and a dead time lies between them.
5. Two starts on a node are at least `stagger_ns` apart, so that inrush currents do not add up.
6. A start waits until it has been asked for long enough, until the calm after a power cut is over,
   and for its budget of starts: these spare the contacts, and going off never waits for them.
7. Min-on keeps a released output on, but never beyond its deadline; an urgent release passes it.

An output that modulates may be given less than full power; a change of that is no switch, so none
of these rules holds it up, and the deadline ends it all the same.

A start that must wait for a time waits, first come first served among those that may start, and is
dropped in silence when its own deadline passes first: the controller renews holds all the time, and
a refusal would only say what `may_switch_ns` says already. One that time alone does not allow
(`interlock.objection`) is refused with its reason.

An output that is not held is off. A required one is on, and no event of the market changes it; a
trip and a lockout do, and one that the profile has off in its safe state goes off with the others
and comes back when a controller takes over.

The nouns are in `guard_rules`, the verbs in `guard_event`, a step in the making in `guard_turn`;
whoever needs the guard finds all of them here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rackgrid_firmware.device import Verdict
from rackgrid_firmware.guard_event import (
    Action,
    ClearAsked,
    Drive,
    Event,
    HoldAsked,
    LockAsked,
    Modulate,
    Refuse,
    ReleaseAsked,
    SafeAsked,
    TakenOver,
    TimePassed,
    Tripped,
)
from rackgrid_firmware.guard_rules import GuardState, Kept, OutputGuard, Rule, Rules
from rackgrid_firmware.guard_turn import NOT_ON, Turn
from rackgrid_firmware.interlock import may_start_ns, start_allowed_ns
from rackgrid_firmware.link import OutputState

__all__ = [
    "NOT_ON",
    "Action",
    "ClearAsked",
    "Drive",
    "Event",
    "GuardState",
    "HoldAsked",
    "Kept",
    "LockAsked",
    "Modulate",
    "OutputGuard",
    "Refuse",
    "ReleaseAsked",
    "Rule",
    "Rules",
    "SafeAsked",
    "TakenOver",
    "TimePassed",
    "Tripped",
    "begin",
    "kept_of",
    "next_deadline_ns",
    "output_states",
    "step",
]


def begin(
    rules: Rules,
    now_ns: int,
    dwelt: Mapping[str, tuple[bool, int]] | None,
    kept: Mapping[str, Kept] | None = None,
) -> tuple[GuardState, tuple[Action, ...]]:
    """Start with every output at its safe level: required ones on, the others off.

    Args:
        rules: of the board.
        now_ns: CLOCK_MONOTONIC, ns.
        dwelt: (on, since) per output, as a previous process left them in this kernel boot. What it
            does not name, and everything after a kernel boot, starts inside its min-off: nobody
            knows how long a load has been without power.
        kept: what outlives a kernel boot, by output. What is barred starts off, required or not.

    Returns:
        The state, and a `Drive` to the safe level for each output, in the order of the rules. The
        start itself counts for stagger: the previous process may have died just after one.
    """
    outputs = tuple(
        _first(rule, now_ns, (dwelt or {}).get(rule.name), (kept or {}).get(rule.name) or Kept())
        for rule in rules.outputs
    )
    drives = tuple(
        Drive(rule.name, output.on, output.cause)
        for rule, output in zip(rules.outputs, outputs, strict=True)
    )
    return GuardState(outputs, last_start_ns=now_ns), drives


def step(rules: Rules, state: GuardState, event: Event) -> tuple[GuardState, tuple[Action, ...]]:
    """Decide what an event changes; total.

    What became due by the time of the event happens first, so that a hold that arrives after the
    deadline which it should have extended finds the output off.

    Args:
        rules: of the board.
        state: as the last step, or `begin`, left it.
        event: with the monotonic time at which it happened, which never goes back.

    Returns:
        The new state, and the actions in the order in which they must be done: what goes off stands
        before what goes on.
    """
    turn = Turn(rules, state, event.now_ns)
    turn.expire()
    match event:
        case HoldAsked(hold=hold):
            turn.hold(hold)
        case ReleaseAsked(release=release):
            turn.release(release)
        case SafeAsked():
            turn.make_safe()
        case Tripped(output=name):
            turn.trip(name, event.reason, is_welded=event.is_welded)
        case ClearAsked(clear=clear):
            turn.clear(clear)
        case LockAsked(lock=lock):
            turn.lock(lock)
        case TakenOver():
            turn.take_over()
        case TimePassed():
            pass
    turn.start()
    return turn.result()


def next_deadline_ns(rules: Rules, state: GuardState) -> int | None:
    """Say when `step` must be called with `TimePassed` at the latest; None if never."""
    acts = [output.deadline_ns for output in state.outputs if output.deadline_ns]
    for at in state.queue:
        output = state.outputs[at]
        allowed_ns = start_allowed_ns(rules, state.outputs, state.last_start_ns, at)
        acts.append(min(output.pending_ns, allowed_ns))
    return min(acts, default=None)


def output_states(
    rules: Rules, state: GuardState, verdicts: Mapping[str, Verdict]
) -> tuple[OutputState, ...]:
    """Put the state into the words of the link, in the order of the rules.

    Args:
        rules: of the board.
        state: as the last step left it.
        verdicts: what the meters made of the last switches; `UNKNOWN` where it says nothing.
    """
    return tuple(
        OutputState(
            name=rule.name,
            on=output.on,
            since_ns=output.since_ns,
            deadline_ns=output.deadline_ns,
            may_switch_ns=output.since_ns + rule.min_on_ns
            if output.on
            else may_start_ns(rules, state.outputs, at),
            cause=output.cause,
            verdict=verdicts.get(rule.name, Verdict.UNKNOWN),
            fault=output.fault,
            is_locked=output.is_locked,
            switches=output.switches,
            level=output.level,
        )
        for at, (rule, output) in enumerate(zip(rules.outputs, state.outputs, strict=True))
    )


def kept_of(rules: Rules, state: GuardState) -> dict[str, Kept]:
    """Say what is to be kept of each output across a reboot, by output."""
    return {
        rule.name: Kept(
            output.fault, output.is_welded, output.is_locked, output.switches, output.full_ns
        )
        for rule, output in zip(rules.outputs, state.outputs, strict=True)
    }


def _first(rule: Rule, now_ns: int, dwelt: tuple[bool, int] | None, kept: Kept) -> OutputGuard:
    output = OutputGuard(
        rule.required,
        now_ns,
        0,
        0,
        "required" if rule.required else "boot",
        fault=kept.fault,
        is_welded=kept.is_welded,
        is_locked=kept.is_locked,
        switches=kept.switches,
        full_ns=kept.full_ns,
    )
    if output.barred:
        output = replace(output, on=False, cause="locked" if output.is_locked else "tripped")
    # A remembered time in the future is another boot's: it says nothing.
    was_on, since_ns = dwelt if dwelt and dwelt[1] <= now_ns else (not output.on, now_ns)
    if was_on == output.on:
        return replace(output, since_ns=since_ns)
    return replace(output, switches=output.switches + output.on)
