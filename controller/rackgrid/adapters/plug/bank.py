"""The outputs beyond the board, as one board: the firmware's guard over things in the network.

The guard is the firmware's own (`rackgrid_firmware.guard`): deadlines, minimum on and off times,
stagger, interlocks, budgets of starts, lockout, latched faults. What it decides is handed to each
output's task (`remote.py`); what that finds out comes back here and is put into the words of the
link. What people rely on is kept as the firmware keeps it (`rackgrid_firmware.logbook`). Five
things differ from a relay:

- An output counts as on from the moment at which it is wanted on, and until it was heard to be off
  or its own timer must have ended: between a word and its echo nobody knows.
- One that is out of reach is `unavailable`: it is asked for nothing and counts as drawing until its
  timer must have ended.
- One whose dead-man is not proven is reported as required: then its watts are in the floor, where
  all stands that nothing ends. It is not switched on; one that is locked out, or has tripped, is
  switched off.
- Who may not be on together with another starts only once nothing of that can be drawing, in reach
  or not, however its last word got lost. The guard waits for it, and at the last moment before the
  word it is asked again. (No hand at a button is bound by it: that is switched off when seen.)
- One that was once on for longer than its own timer may let it is latched as a fault: after a
  restart, too, it is floor until somebody has looked at it and clears it.

No control loop waits here for anything: commands are decided at once, answers come by callback.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace

from rackgrid.adapters.plug.lookout import Lookout
from rackgrid.adapters.plug.memory import Memory
from rackgrid.adapters.plug.remote import BROKEN, Proof, Remote
from rackgrid.adapters.plug.socket import Socket
from rackgrid.deadman import FOREVER_NS, MS_NS, SECOND_NS
from rackgrid_firmware.device import UNAVAILABLE, Reading
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.guard import (
    ClearAsked,
    Event,
    GuardState,
    HoldAsked,
    LockAsked,
    OutputGuard,
    Refuse,
    ReleaseAsked,
    Rules,
    SafeAsked,
    TimePassed,
    Tripped,
    begin,
    next_deadline_ns,
    output_states,
    step,
)
from rackgrid_firmware.link import (
    Attach,
    Clear,
    Command,
    Hold,
    Lock,
    MakeSafe,
    OutputSpec,
    OutputState,
    Refused,
    Release,
    Switched,
)
from rackgrid_firmware.logbook import Logbook

log = logging.getLogger(__name__)

STAGGER_NS = 500 * MS_NS
"""Between two starts: what is started over a network may come so much later than it was asked. A
start of the board counts, too (`heed_start`). The board's own starts do not wait for ours, of
which its firmware knows nothing: each is granted with all of its inrush, so the feed bears both."""
_Gist = tuple[bool, bool, bool, str]
READY_S = 1.0
"""How long first answers are waited for, when no word of the process before can still arrive; what
has not answered then is floor."""


class Bank:
    """All outputs beyond the board.

    Args:
        sockets: at least one.
        clock: CLOCK_MONOTONIC in ns.
        dwell: the memory across restarts; None for none.
        line: keeps the connection that plugs share, until cancelled; None for none.
        logbook: keeps what people rely on, over restarts and reboots; None keeps nothing.
    """

    def __init__(
        self,
        sockets: Sequence[Socket],
        clock: Callable[[], int],
        dwell: DwellFile | None = None,
        line: Callable[[], Coroutine[object, object, None]] | None = None,
        logbook: Logbook | None = None,
    ) -> None:
        self._line = line
        self._sockets = {socket.name: socket for socket in sockets}
        self._clock = clock
        self._memory = Memory(frozenset(self._sockets), dwell, logbook)
        self._remotes = {
            name: Remote(name, socket.actuator, clock, self._changed, self._is_free)
            for name, socket in self._sockets.items()
        }
        for name in self._memory.broken():
            self._remotes[name].distrust()
        self._lookout = Lookout(self._sockets)
        self._rules = self._rules_for(SECOND_NS)
        self._state: GuardState | None = None
        self._told: dict[str, _Gist] = {}
        self._floor: frozenset[str] = frozenset()
        self._reports: list[Switched | Refused] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._ready_ns = 0
        self._news: Callable[[], object] = lambda: None

    # --- life ------------------------------------------------------------------------------------

    def start(self, news: Callable[[], object], failed: Callable[[Exception], None]) -> None:
        """Begin to tend the outputs; in the loop.

        Args:
            news: called when there may be something to `take`, or readiness has changed; it must
                not come back here before this call returns.
            failed: takes whatever ends a task: a bug.
        """
        self._news = news
        loop = asyncio.get_running_loop()
        deliver_ns = max(socket.actuator.timer.deliver_ns for socket in self._sockets.values())
        ready_s = READY_S + deliver_ns / SECOND_NS
        self._ready_ns = self._clock() + round(ready_s * SECOND_NS)
        loop.call_later(ready_s, news)

        def ended(task: asyncio.Task[None]) -> None:
            fault = None if task.cancelled() else task.exception()
            if isinstance(fault, Exception):
                failed(fault)

        works = [remote.run() for remote in self._remotes.values()]
        for work in [self._line(), *works] if self._line is not None else works:
            task = loop.create_task(work)
            task.add_done_callback(ended)
            self._tasks.append(task)

    async def settle(self, within_s: float) -> None:
        """Wait until every output was heard to be as it is wanted, or `within_s` is over."""
        await asyncio.gather(*(remote.settled(within_s) for remote in self._remotes.values()))

    def close(self) -> None:
        """End the tasks, and leave the dwell to the next process; the outputs run on."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._memory.close(None if self._state is None else self.states)

    # --- as a board ------------------------------------------------------------------------------

    @property
    def names(self) -> frozenset[str]:
        """All outputs."""
        return frozenset(self._sockets)

    @property
    def ready(self) -> bool:
        """Whether enough is known of every output to say what it is."""
        if self._clock() >= self._ready_ns:
            return True
        heard = (r.proof is not Proof.UNKNOWN and r.sight for r in self._remotes.values())
        return all(heard)

    @property
    def floor_has_changed(self) -> bool:
        """Whether other outputs are floor now than were when `attach` said so."""
        return self._floor != self._floor_now()

    @property
    def floor_has_grown(self) -> bool:
        """Whether an output is floor now that was not when `attach` said so."""
        return not self._floor_now() <= self._floor

    def attach(self, hold_max_ns: int) -> tuple[OutputSpec, ...]:
        """Say what the outputs are, and adopt what they hold for a controller before this one.

        Args:
            hold_max_ns: no hold may be longer.
        """
        now_ns = self._clock()
        self._rules = self._rules_for(hold_max_ns)
        if self._state is None:
            dwelt = self._memory.take_dwelt()
            self._state, _ = begin(self._rules, now_ns, dwelt, self._memory.kept)
            for remote in self._remotes.values():
                self._adopt(remote, dwelt or {}, now_ns)
            self._lookout.begin({state.name: state.on for state in self.states}, now_ns)
        self._floor = self._floor_now()
        self._reports.clear()
        self._told = {state.name: _gist(state) for state in self.states}
        self._come_back()
        return tuple(self._spec(name) for name in self._sockets)

    @property
    def states(self) -> tuple[OutputState, ...]:
        """How every output stands, in the order of `attach`."""
        assert self._state is not None, "there are outputs only after `attach`"
        now_ns = self._clock()
        states = output_states(self._rules, self._state, self._lookout.verdicts)
        return tuple(self._seen(state, now_ns) for state in states)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What plugs meter."""
        return self._lookout.readings(self._clock())

    def handle(self, command: Command) -> None:
        """Decide on a command, at once."""
        now_ns = self._clock()
        match command:
            case Hold() if self._is_unavailable(command.output):
                self._reports.append(Refused(command.seq, command.output, UNAVAILABLE, 0))
                self._news()
            case Hold():
                self._step(HoldAsked(now_ns, command))
            case Release():
                self._step(ReleaseAsked(now_ns, command))
            case MakeSafe():
                self._step(SafeAsked(now_ns))
            case Clear():
                self._step(ClearAsked(now_ns, command))
            case Lock():
                # In reach or not: that it is locked out must be known when it comes back.
                self._step(LockAsked(now_ns, command))
            case Attach():
                pass

    def heed_start(self, at_ns: int) -> None:
        """Let the next start wait for the inrush of one at `at_ns`, ours or of the board."""
        if self._state is not None:
            last_ns = max(self._state.last_start_ns, at_ns)
            self._state = replace(self._state, last_start_ns=last_ns)

    def take(self) -> list[Switched | Refused]:
        """Take what the controller must hear."""
        reports, self._reports = self._reports, []
        return reports

    # --- deciding --------------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        if self._state is None:
            return
        for remote in self._remotes.values():
            self._reconcile(remote, event.now_ns)
        self._state, actions = step(self._rules, self._state, event)
        self._reports.extend(a.refused for a in actions if isinstance(a, Refuse))
        if isinstance(event, ClearAsked):
            self._remotes[event.clear.output].trust()
            self._lookout.cleared(event.clear.output)
        for name, output in self._guards().items():
            self._remotes[name].want(output.deadline_ns if output.on else 0)
            self._remotes[name].bar(bool(output.barred))
        for remote in self._remotes.values():
            self._reconcile(remote, event.now_ns)
        self._tell()

    def _time_passed(self) -> None:
        self._step(TimePassed(self._clock()))

    def _changed(self, remote: Remote) -> None:
        """Let what was found out about an output count."""
        if remote.sight is not None:
            self._lookout.take(remote.name, remote.sight, remote.seen_ns)
        if self._state is not None:
            self._note_broken(remote)
            self._reconcile(remote, self._clock())
            self._tell()
            for trip in self._lookout.judge(remote.name, self._clock()):
                self._step(Tripped(self._clock(), trip.output, trip.reason, trip.is_welded))
                self._note_broken(self._remotes[trip.output])
        self._news()

    def _note_broken(self, remote: Remote) -> None:
        """Latch that a timer has failed, beside what is latched already."""
        output = self._guards()[remote.name]
        if remote.is_broken and BROKEN not in output.fault:
            reason = f"{output.fault}; {BROKEN}" if output.fault else BROKEN
            self._step(Tripped(self._clock(), remote.name, reason, output.is_welded))

    def _reconcile(self, remote: Remote, now_ns: int) -> None:
        """Bring the guard's idea of an output in line with what is known of it."""
        output = self._guards()[remote.name]
        if output.on and (cause := remote.why_off()):
            output = replace(output, on=False, since_ns=now_ns, deadline_ns=0, cause=cause)
        if output.on:
            # Inrush, dwell and stagger begin when it has truly started.
            since_ns = now_ns if remote.is_starting else max(output.since_ns, remote.started_ns)
            output = replace(output, since_ns=since_ns)
            self.heed_start(since_ns)
        else:
            # Dwell and dead time begin when it is off, and not when that was decided.
            excludes = bool(self._sockets[remote.name].not_with)
            since_ns = remote.off_since_ns(output.since_ns, excludes=excludes)
            output = replace(output, since_ns=since_ns)
        self._put(remote.name, output)

    def _is_free(self, name: str) -> bool:
        """Whether nothing that excludes an output can be drawing now."""
        rivals = (self._remotes[rival] for rival in self._sockets[name].not_with)
        return not any(rival.is_floor or rival.draws_until_ns() for rival in rivals)

    def _put(self, name: str, output: OutputGuard) -> None:
        outputs = tuple(output if n == name else o for n, o in self._guards().items())
        assert self._state is not None, "there are outputs only after `attach`"
        self._state = replace(self._state, outputs=outputs)
        self._remotes[name].want(output.deadline_ns if output.on else 0)

    def _adopt(self, remote: Remote, dwelt: Mapping[str, tuple[bool, int]], now_ns: int) -> None:
        ends_ns, output = remote.draws_until_ns(), self._guards()[remote.name]
        remote.bar(bool(output.barred))
        # Two that exclude each other may both be on, if that was not asked for until now.
        is_apart = not any(self._guards()[n].on for n in self._sockets[remote.name].not_with)
        is_sound = not remote.is_floor and not output.barred and is_apart
        if is_sound and 0 < ends_ns < FOREVER_NS:
            was_on, since_ns = dwelt.get(remote.name, (False, now_ns))
            since_ns = since_ns if was_on and since_ns <= now_ns else now_ns
            remote.take_over(ends_ns)
            held = replace(output, on=True, since_ns=since_ns, deadline_ns=ends_ns, cause="held")
            self._put(remote.name, held)
        else:
            remote.take_over(0)
            self._reconcile(remote, now_ns)

    # --- telling ---------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Report what has changed, and come back when there is next something to do."""
        now_ns = self._clock()
        for state in self.states:
            if self._told.get(state.name) != _gist(state):
                self._told[state.name] = _gist(state)
                self._reports.append(Switched(now_ns, state))
                self._lookout.changed(state.name, now_ns, on=state.on)
        assert self._state is not None, "nothing is told before `attach`"
        self._memory.note(self._rules, self._state)
        self._come_back()
        if self._reports:
            self._news()

    def _come_back(self) -> None:
        assert self._state is not None, "nothing is due before `attach`"
        ends_ns = [remote.draws_until_ns() or FOREVER_NS for remote in self._remotes.values()]
        due_ns = min(next_deadline_ns(self._rules, self._state) or FOREVER_NS, *ends_ns)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_ns < FOREVER_NS:
            wait_s = max(0, due_ns - self._clock()) / SECOND_NS
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._time_passed)

    def _seen(self, state: OutputState, now_ns: int) -> OutputState:
        """Put what is known of an output into the guard's idea of it."""
        ends_ns = self._remotes[state.name].draws_until_ns()
        is_starting = state.on and self._remotes[state.name].is_starting
        state = replace(state, since_ns=now_ns if is_starting else min(state.since_ns, now_ns))
        if self._is_unavailable(state.name):
            state = replace(state, cause=UNAVAILABLE)
        if state.on or not ends_ns:
            return state
        # One that is on its way off bids as what it is, and not as one that has to run.
        deadline_ns = min(ends_ns, now_ns + self._rules.hold_max_ns)
        return replace(state, on=True, deadline_ns=deadline_ns, may_switch_ns=0)

    def _spec(self, name: str) -> OutputSpec:
        return self._sockets[name].spec(self._lookout.meter(name), is_floor=name in self._floor)

    def _guards(self) -> dict[str, OutputGuard]:
        assert self._state is not None, "there are outputs only after `attach`"
        return dict(zip(self._sockets, self._state.outputs, strict=True))

    def _is_unavailable(self, name: str) -> bool:
        remote = self._remotes[name]
        return name in self._floor or remote.is_floor or not remote.reachable

    def _floor_now(self) -> frozenset[str]:
        return frozenset(name for name, remote in self._remotes.items() if remote.is_floor)

    def _rules_for(self, hold_max_ns: int) -> Rules:
        rules = tuple(socket.rule for socket in self._sockets.values())
        return Rules(rules, hold_max_ns, STAGGER_NS)


def _gist(state: OutputState) -> _Gist:
    return state.on, state.cause == UNAVAILABLE, state.is_locked, state.fault
