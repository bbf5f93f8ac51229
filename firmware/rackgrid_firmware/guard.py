"""What the firmware decides: when an output may go on, and when it must go off.

Why apart from the pins: these few rules keep the feed safe when everything above them fails, so
they run unchanged in the process and in the simulation, and a test can try every order of events.
Pure: no clock, no pin. Time comes with the event; deadlines are state; `next_deadline_ns` says when
to come back.

The rules, the stronger first:

1. A flexible output is on only until a deadline. At the deadline it goes off whatever its min-on
   says: the feed's safety rests on it, a relay's contact life does not.
2. Nothing passes min-off: a compressor restarted against pressure stalls at its inrush current.
3. Two starts on a node are at least `stagger_ns` apart, so that inrush currents do not add up.
4. Min-on keeps a released output on, but never beyond its deadline; an urgent release passes it.

A start that rule 2 or 3 forbids waits, first come first served among those that may start, and is
dropped in silence when its own deadline passes first: the controller renews holds all the time, and
a refusal would only say what `may_switch_ns` says already.

An output that is not held is off, and a required one is on; no event changes a required output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rackgrid_firmware.device import Verdict
from rackgrid_firmware.link import Hold, OutputState, Refused, Release

NOT_ON = "not on"
"""Why a renewal is refused that came after the output had opened; a start may follow."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the board profile demands of one output.

    Attributes:
        required: always on; holds and releases of it are refused.
        min_on_ns, min_off_ns: dwell, ns.
    """

    name: str
    required: bool
    min_on_ns: int
    min_off_ns: int

    def __post_init__(self) -> None:
        assert self.min_on_ns >= 0, f"{self.name}: min_on_ns {self.min_on_ns}"
        assert self.min_off_ns >= 0, f"{self.name}: min_off_ns {self.min_off_ns}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the board profile demands of a node.

    Attributes:
        hold_max_ns: no deadline may lie further ahead than this, ns.
        stagger_ns: between two starts, ns; 0 switches it off.
    """

    outputs: tuple[Rule, ...]
    hold_max_ns: int
    stagger_ns: int

    def __post_init__(self) -> None:
        assert self.hold_max_ns > 0, f"hold_max_ns {self.hold_max_ns}"
        assert self.stagger_ns >= 0, f"stagger_ns {self.stagger_ns}"
        assert len({rule.name for rule in self.outputs}) == len(self.outputs), "output named twice"

    def index(self, name: str) -> int | None:
        """Find an output's place in the order of the rules."""
        for at, rule in enumerate(self.outputs):
            if rule.name == name:
                return at
        return None


@dataclass(frozen=True, slots=True)
class OutputGuard:
    """How one output stands.

    Attributes:
        since_ns: when it last changed, ns.
        deadline_ns: when it goes off by itself; 0 while it is off, and for a required output.
        pending_ns: deadline of a start that waits for min-off or stagger; 0 if none waits.
        cause: why it is as it is, as in `link.OutputState`.
    """

    on: bool
    since_ns: int
    deadline_ns: int
    pending_ns: int
    cause: str


@dataclass(frozen=True, slots=True)
class GuardState:
    """How a node's outputs stand.

    Attributes:
        outputs: in the order of the rules.
        last_start_ns: when an output was last switched on, ns.
        queue: places of the outputs whose start waits, first come first.
    """

    outputs: tuple[OutputGuard, ...]
    last_start_ns: int
    queue: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HoldAsked:
    """The controller sent a hold."""

    now_ns: int
    hold: Hold


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """The controller sent a release."""

    now_ns: int
    release: Release


@dataclass(frozen=True, slots=True)
class SafeAsked:
    """Someone wants every output safe: the controller, or the process because it ends."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened but time."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class Drive:
    """Bring the output to this level."""

    output: str
    on: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the controller that its command was not carried out."""

    refused: Refused


Event = HoldAsked | ReleaseAsked | SafeAsked | TimePassed
Action = Drive | Refuse


def begin(
    rules: Rules, now_ns: int, dwelt: Mapping[str, tuple[bool, int]] | None
) -> tuple[GuardState, tuple[Action, ...]]:
    """Start with every output at its safe level: required ones on, the others off.

    Args:
        rules: of the board.
        now_ns: CLOCK_MONOTONIC, ns.
        dwelt: (on, since) per output, as a previous process left them in this kernel boot. What it
            does not name, and everything after a kernel boot, starts inside its min-off: nobody
            knows how long a load has been without power.

    Returns:
        The state, and a `Drive` to the safe level for each output, in the order of the rules. The
        start itself counts for stagger: the previous process may have died just after one.
    """
    outputs = tuple(_first(rule, now_ns, (dwelt or {}).get(rule.name)) for rule in rules.outputs)
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
    turn = _Turn(rules, state, event.now_ns)
    turn.expire()
    match event:
        case HoldAsked(hold=hold):
            turn.hold(hold)
        case ReleaseAsked(release=release):
            turn.release(release)
        case SafeAsked():
            turn.make_safe()
        case TimePassed():
            pass
    turn.start()
    return turn.result()


def next_deadline_ns(rules: Rules, state: GuardState) -> int | None:
    """Say when `step` must be called with `TimePassed` at the latest; None if never."""
    acts = [output.deadline_ns for output in state.outputs if output.deadline_ns]
    for at in state.queue:
        output = state.outputs[at]
        acts.append(
            min(output.pending_ns, _start_allowed_ns(rules, state.last_start_ns, at, output))
        )
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
            may_switch_ns=output.since_ns + (rule.min_on_ns if output.on else rule.min_off_ns),
            cause=output.cause,
            verdict=verdicts.get(rule.name, Verdict.UNKNOWN),
        )
        for rule, output in zip(rules.outputs, state.outputs, strict=True)
    )


def _first(rule: Rule, now_ns: int, dwelt: tuple[bool, int] | None) -> OutputGuard:
    # A remembered time in the future is another boot's: it says nothing.
    was_on, since_ns = dwelt if dwelt and dwelt[1] <= now_ns else (not rule.required, now_ns)
    if was_on != rule.required:
        since_ns = now_ns
    return OutputGuard(rule.required, since_ns, 0, 0, "required" if rule.required else "boot")


def _start_allowed_ns(rules: Rules, last_start_ns: int, at: int, output: OutputGuard) -> int:
    min_off_ns = rules.outputs[at].min_off_ns
    return max(output.since_ns + min_off_ns, last_start_ns + rules.stagger_ns)


class _Turn:
    """One step in the making."""

    __slots__ = ("_actions", "_last_start_ns", "_now_ns", "_outputs", "_queue", "_rules")

    def __init__(self, rules: Rules, state: GuardState, now_ns: int) -> None:
        self._rules = rules
        self._outputs = list(state.outputs)
        self._last_start_ns = state.last_start_ns
        self._queue = list(state.queue)
        self._now_ns = now_ns
        self._actions: list[Action] = []

    def result(self) -> tuple[GuardState, tuple[Action, ...]]:
        state = GuardState(tuple(self._outputs), self._last_start_ns, tuple(self._queue))
        return state, tuple(self._actions)

    def expire(self) -> None:
        for at, output in enumerate(self._outputs):
            if output.deadline_ns and output.deadline_ns <= self._now_ns:
                self._switch_off(at, "released" if output.cause == "released" else "deadline")
            elif output.pending_ns and output.pending_ns <= self._now_ns:
                self._forget(at)

    def start(self) -> None:
        for at in tuple(self._queue):
            output = self._outputs[at]
            allowed_ns = _start_allowed_ns(self._rules, self._last_start_ns, at, output)
            if allowed_ns <= self._now_ns:
                self._switch_on(at, output.pending_ns)

    def hold(self, hold: Hold) -> None:
        at = self._find(hold.seq, hold.output)
        if at is None:
            return
        output = self._outputs[at]
        if hold.deadline_ns <= max(self._now_ns, 0):
            self._refuse(hold.seq, hold.output, "deadline past")
        elif hold.deadline_ns > self._now_ns + self._rules.hold_max_ns:
            retry_ns = hold.deadline_ns - self._rules.hold_max_ns
            self._refuse(hold.seq, hold.output, "deadline too far", retry_ns)
        elif output.on:
            self._outputs[at] = replace(output, deadline_ns=hold.deadline_ns, cause="held")
        elif not hold.starts and not output.pending_ns:
            self._refuse(hold.seq, hold.output, NOT_ON)
        else:
            self._outputs[at] = replace(output, pending_ns=hold.deadline_ns)
            if at not in self._queue:
                self._queue.append(at)

    def release(self, release: Release) -> None:
        at = self._find(release.seq, release.output)
        if at is None:
            return
        output = self._outputs[at]
        min_on_end_ns = output.since_ns + self._rules.outputs[at].min_on_ns
        if not output.on:
            self._forget(at)
        elif release.urgent or min_on_end_ns <= self._now_ns:
            self._switch_off(at, "released")
        elif min_on_end_ns <= output.deadline_ns:
            self._outputs[at] = replace(output, deadline_ns=min_on_end_ns, cause="released")

    def make_safe(self) -> None:
        for at, rule in enumerate(self._rules.outputs):
            self._forget(at)
            if self._outputs[at].on and not rule.required:
                self._switch_off(at, "safe")

    def _find(self, seq: int, name: str) -> int | None:
        at = self._rules.index(name)
        if at is None:
            self._refuse(seq, name, "unknown output")
        elif self._rules.outputs[at].required:
            self._refuse(seq, name, "required output")
            return None
        return at

    def _refuse(self, seq: int, name: str, reason: str, retry_ns: int = 0) -> None:
        self._actions.append(Refuse(Refused(seq, name, reason, retry_ns)))

    def _switch_on(self, at: int, deadline_ns: int) -> None:
        self._queue.remove(at)
        self._last_start_ns = self._now_ns
        self._drive(at, OutputGuard(True, self._now_ns, deadline_ns, 0, "held"))

    def _switch_off(self, at: int, cause: str) -> None:
        self._drive(at, OutputGuard(False, self._now_ns, 0, 0, cause))

    def _drive(self, at: int, output: OutputGuard) -> None:
        self._outputs[at] = output
        self._actions.append(Drive(self._rules.outputs[at].name, output.on, output.cause))

    def _forget(self, at: int) -> None:
        if at in self._queue:
            self._queue.remove(at)
            self._outputs[at] = replace(self._outputs[at], pending_ns=0)
