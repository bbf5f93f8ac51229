"""One step of the guard in the making: what each event does to the outputs.

The rules and their order stand in `guard`; here is how they are kept. A turn begins from a state,
is told what happened, and gives the next state with the actions in the order in which they must be
done.
"""

from __future__ import annotations

from dataclasses import replace

from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.guard_event import Action, Drive, Modulate, Refuse
from rackgrid_firmware.guard_rules import NEVER_NS, GuardState, OutputGuard, Rules
from rackgrid_firmware.interlock import objection, spent, start_allowed_ns
from rackgrid_firmware.link import Clear, Hold, Lock, Refused, Release

NOT_ON = "not on"
"""Why a renewal is refused that came after the output had opened; a start may follow."""


class Turn:
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
        """End the turn: give the new state, and what is to be done."""
        state = GuardState(tuple(self._outputs), self._last_start_ns, tuple(self._queue))
        return state, tuple(self._actions)

    # --- time -----------------------------------------------------------------------------------

    def expire(self) -> None:
        """Do what time alone brings about: deadlines, and starts that have waited in vain."""
        for at, output in enumerate(self._outputs):
            if output.deadline_ns and output.deadline_ns <= self._now_ns:
                self._switch_off(at, "released" if output.cause == "released" else "deadline")
            elif output.pending_ns and output.pending_ns <= self._now_ns:
                self._forget(at)

    def start(self) -> None:
        """Start what waits and may start by now."""
        for at in tuple(self._queue):
            allowed_ns = start_allowed_ns(self._rules, self._outputs, self._last_start_ns, at)
            if allowed_ns <= self._now_ns:
                self._switch_on(at)

    # --- the market -----------------------------------------------------------------------------

    def hold(self, hold: Hold) -> None:
        """Renew a deadline, or let a start wait for its turn."""
        at = self._find_flexible(hold.seq, hold.output)
        if at is None:
            return
        output = self._outputs[at]
        if hold.deadline_ns <= max(self._now_ns, 0):
            self._refuse(hold.seq, hold.output, "deadline past")
        elif hold.deadline_ns > self._now_ns + self._rules.hold_max_ns:
            retry_ns = hold.deadline_ns - self._rules.hold_max_ns
            self._refuse(hold.seq, hold.output, "deadline too far", retry_ns)
        elif not self._rules.outputs[at].min_level <= hold.level <= LEVEL_FULL:
            self._refuse(hold.seq, hold.output, "level")
        elif output.on:
            self._outputs[at] = replace(output, deadline_ns=hold.deadline_ns, cause="held")
            self._modulate(at, hold.level)
        elif not hold.starts and not output.pending_ns:
            self._refuse(hold.seq, hold.output, output.barred or NOT_ON)
        else:
            self._ask(at, hold)

    def release(self, release: Release) -> None:
        """Switch off, now or when min-on is over."""
        at = self._find_flexible(release.seq, release.output)
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
        """Bring every output to its safe state."""
        for at, rule in enumerate(self._rules.outputs):
            if rule.required and rule.is_safe_on:
                continue
            self._forget(at)
            if self._outputs[at].on:
                self._switch_off(at, "safe")

    def take_over(self) -> None:
        """Bring back what is required and was off only to be safe."""
        for at, output in enumerate(self._outputs):
            if output.cause == "safe":
                self._restore(at)

    # --- faults and people ----------------------------------------------------------------------

    def trip(self, name: str, reason: str, *, is_welded: bool) -> None:
        """Take an output off, and latch why."""
        at = self._rules.index(name)
        if at is None or (self._outputs[at].is_welded and not is_welded):
            return  # a pin that we do not have; or nothing worse than is known already
        self._outputs[at] = replace(self._outputs[at], fault=reason, is_welded=is_welded)
        self._bar(at, "tripped")
        if is_welded:
            self._exclude(at)

    def clear(self, clear: Clear) -> None:
        """Forget a fault; a required output comes back in its turn."""
        at = self._find(clear.seq, clear.output)
        if at is not None:
            self._outputs[at] = replace(self._outputs[at], fault="", is_welded=False)
            self._restore(at)

    def lock(self, lock: Lock) -> None:
        """Lock an output out, or let it be used again."""
        at = self._find(lock.seq, lock.output)
        if at is None:
            return
        unlockable = self._rules.outputs[at].unlockable
        if lock.locked and unlockable:
            self._refuse(lock.seq, lock.output, unlockable)
            return
        self._outputs[at] = replace(self._outputs[at], is_locked=lock.locked)
        if lock.locked:
            self._bar(at, "locked")
        else:
            self._restore(at)

    # --- the parts ------------------------------------------------------------------------------

    def _find(self, seq: int, name: str) -> int | None:
        at = self._rules.index(name)
        if at is None:
            self._refuse(seq, name, "unknown output")
        return at

    def _find_flexible(self, seq: int, name: str) -> int | None:
        at = self._find(seq, name)
        if at is not None and self._rules.outputs[at].required:
            self._refuse(seq, name, "required output")
            return None
        return at

    def _ask(self, at: int, hold: Hold) -> None:
        """Let a start wait for its turn, or refuse it."""
        reason, retry_ns = objection(self._rules, self._outputs, at, self._now_ns)
        if reason:
            self._refuse(hold.seq, hold.output, reason, retry_ns)
        else:
            self._enqueue(at, hold.deadline_ns)
            self._outputs[at] = replace(self._outputs[at], level=hold.level)

    def _modulate(self, at: int, level: int) -> None:
        """Give an output that is on another part of its power."""
        if self._outputs[at].level != level:
            self._outputs[at] = replace(self._outputs[at], level=level)
            self._actions.append(Modulate(self._rules.outputs[at].name, level))

    def _enqueue(self, at: int, until_ns: int) -> None:
        output = replace(self._outputs[at], pending_ns=until_ns)
        if at not in self._queue:
            self._queue.append(at)
            output = replace(output, asked_ns=self._now_ns)
        self._outputs[at] = output

    def _bar(self, at: int, cause: str) -> None:
        self._forget(at)
        if self._outputs[at].on:
            self._switch_off(at, cause)

    def _exclude(self, at: int) -> None:
        """Take off what may not be on together with a contact that opens no more."""
        for name in self._rules.outputs[at].not_with:
            rival = self._rules.index(name)
            if rival is not None and self._outputs[rival].on:
                self._switch_off(rival, "excluded")

    def _restore(self, at: int) -> None:
        """Let a required output come back, in its turn, if nothing bars it any more."""
        output = self._outputs[at]
        if self._rules.outputs[at].required and not output.on and not output.barred:
            self._enqueue(at, NEVER_NS)

    def _refuse(self, seq: int, name: str, reason: str, retry_ns: int = 0) -> None:
        self._actions.append(Refuse(Refused(seq, name, reason, retry_ns)))

    def _switch_on(self, at: int) -> None:
        rule, output = self._rules.outputs[at], self._outputs[at]
        self._queue.remove(at)
        self._last_start_ns = self._now_ns
        self._drive(
            at,
            replace(
                output,
                on=True,
                since_ns=self._now_ns,
                deadline_ns=0 if rule.required else output.pending_ns,
                pending_ns=0,
                cause="required" if rule.required else "held",
                asked_ns=0,
                switches=output.switches + 1,
                full_ns=spent(rule, output, self._now_ns),
            ),
        )

    def _switch_off(self, at: int, cause: str) -> None:
        output = self._outputs[at]
        self._drive(
            at, replace(output, on=False, since_ns=self._now_ns, deadline_ns=0, cause=cause)
        )

    def _drive(self, at: int, output: OutputGuard) -> None:
        self._outputs[at] = output
        name = self._rules.outputs[at].name
        level = output.level if output.on else LEVEL_FULL
        self._actions.append(Drive(name, output.on, output.cause, level))

    def _forget(self, at: int) -> None:
        if at in self._queue:
            self._queue.remove(at)
            self._outputs[at] = replace(self._outputs[at], pending_ns=0, asked_ns=0)
