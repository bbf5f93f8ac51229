"""The switched outputs of a board: what the guard decides, the relays do.

The guard is pure; here its decisions reach the pins, in their order, and what was done is reported
with the time at which the pin had followed.

An output whose pin could not be claimed is none of the guard's business: it is off, it is listed,
and whoever wants it on is told why not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping

from rackgrid_firmware.accuracy import accuracy_of
from rackgrid_firmware.device import LEVEL_FULL, UNAVAILABLE, Modulating, Output, Reading, Verdict
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.errors import DeviceError
from rackgrid_firmware.guard import (
    Action,
    ClearAsked,
    Drive,
    Event,
    HoldAsked,
    Kept,
    LockAsked,
    Modulate,
    Refuse,
    ReleaseAsked,
    Rule,
    Rules,
    TimePassed,
    Tripped,
    begin,
    kept_of,
    next_deadline_ns,
    output_states,
    step,
)
from rackgrid_firmware.heartbeat import Heartbeat
from rackgrid_firmware.heat import HeatFile, worst
from rackgrid_firmware.link import (
    VERSION,
    Attached,
    MeterSpec,
    OutputSpec,
    OutputState,
    Refused,
    Switched,
)
from rackgrid_firmware.profile import OutputProfile, Profile
from rackgrid_firmware.watch import Watchman, watches_of

Record = Mapping[str, Kept]
"""What is kept of each output across a reboot."""
SHED_NS = 50_000_000
"""From a deadline to the open contact, at most: the loop's wake-up (a few ms on a busy Pi), and the
relay's release time (10 ms: SRD-05VDC data sheet), with a margin."""


def rules_of(profile: Profile, claimed: Mapping[str, Output], calm_until_ns: int = 0) -> Rules:
    """Put the copper facts of a profile into the guard's words, for the outputs that we have.

    Args:
        profile: of the board.
        claimed: those outputs, by name.
        calm_until_ns: before this no flexible output starts, ns.
    """
    return Rules(
        outputs=tuple(
            _rule(output, claimed) for output in profile.outputs if output.name in claimed
        ),
        hold_max_ns=_ns(profile.hold_max_s),
        stagger_ns=_ns(profile.stagger_s),
        calm_until_ns=calm_until_ns,
    )


def _rule(output: OutputProfile, claimed: Mapping[str, Output]) -> Rule:
    switch = output.switch
    return Rule(
        output.name,
        output.required,
        _ns(output.min_on_s),
        _ns(output.min_off_s),
        hold_ns=_ns(switch.hold_s),
        switches_per_day=switch.switches_per_day,
        not_with=tuple(name for name in switch.not_with if name in claimed),
        dead_ns=_ns(switch.dead_s) if switch.not_with else 0,
        is_safe_on=switch.is_safe_on,
        unlockable=_unlockable(output),
        min_level=output.min_level,
    )


def _unlockable(output: OutputProfile) -> str:
    """Say why a lockout would be none: somebody's hands may rely on it."""
    if output.switch.feeds:
        return f"it powers node {output.switch.feeds}: shut that down, and pull its plug"
    if output.switch.contact == "nc":
        return "its contact closes whenever this node is off: pull its plug"
    return ""


class Outputs:
    """The outputs of a board and the guard over them.

    Args:
        profile: of the board.
        relays: the outputs whose pins we have, by name, each at its safe level.
        dwell: the memory across restarts; None for none.
        heat: that of the thermal images; None for none.
        clock: CLOCK_MONOTONIC in ns.
        heartbeat: the pin of a hardware dead-man; None for none.
        calm_until_ns: before this no flexible output starts, ns.
        kept: what outlives a reboot, by output.
        on_change: told what is to be kept, after each event that may have changed it.
    """

    def __init__(
        self,
        profile: Profile,
        relays: Mapping[str, Output],
        dwell: DwellFile | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        heartbeat: Output | None = None,
        *,
        calm_until_ns: int = 0,
        kept: Record | None = None,
        on_change: Callable[[Record], None] | None = None,
        heat: HeatFile | None = None,
    ) -> None:
        self._names = tuple(output.name for output in profile.outputs)
        self._relays = relays
        self._dwell = dwell
        self._clock = clock
        self._rules = rules_of(profile, relays, calm_until_ns)
        self._begun_ns = clock()
        self._heartbeat = None if heartbeat is None else Heartbeat(heartbeat, self._begun_ns)
        dwelt = dwell.take() if dwell is not None else None
        self._on_change = on_change
        self._state, actions = begin(self._rules, self._begun_ns, dwelt, kept)
        is_on = {action.output: action.on for action in actions if isinstance(action, Drive)}
        watches = watches_of(profile, relays)
        closed = frozenset(each.name for each in profile.outputs if each.switch.contact == "nc")
        heats = worst(watches, closed, self._begun_ns) | ((heat and heat.read()) or {})
        self._heat = heat
        self._watchman = Watchman(watches, is_on, self._begun_ns, heats)
        self._perform(actions)
        self._tell()

    @property
    def next_deadline_ns(self) -> int | None:
        """When `handle` wants to hear `TimePassed` at the latest, ns; None if never."""
        deadline_ns = next_deadline_ns(self._rules, self._state)
        if self._heartbeat is None:
            return deadline_ns
        beat_ns = self._heartbeat.next_ns
        return beat_ns if deadline_ns is None else min(deadline_ns, beat_ns)

    @property
    def states(self) -> tuple[OutputState, ...]:
        """How every output of the profile stands, in its order."""
        verdicts = self._watchman.verdicts
        known = {state.name: state for state in output_states(self._rules, self._state, verdicts)}
        return tuple(known.get(name) or self._unavailable(name) for name in self._names)

    def handle(self, event: Event) -> tuple[Switched | Refused, ...]:
        """Let the guard decide, and do it.

        Args:
            event: what happened.

        Returns:
            What the controller must hear, in order; a `Switched` after its pin has followed.

        Raises:
            DeviceError: a pin did not follow. All other actions were done; what the guard holds for
                true is not, so the process must end, which makes every output safe by other means.
        """
        refused = self._refused(event)
        if refused is not None:
            return (refused,)
        before = self._state
        self._state, actions = step(self._rules, self._state, event)
        if isinstance(event, ClearAsked):
            self._watchman.cleared(event.clear.output)
        reports = self._perform(actions)
        if self._state is not before:
            self._tell()
        if self._heartbeat is not None and isinstance(event, TimePassed):
            self._heartbeat.beat(event.now_ns)  # after every deadline was kept, and only then
        return reports

    def read(self, reading: Reading) -> tuple[Switched | Refused, ...]:
        """Let protection look at a reading, and take off at once what must go off.

        Raises:
            DeviceError: as `handle`.
        """
        reports: tuple[Switched | Refused, ...] = ()
        for trip in self._watchman.read(reading):
            event = Tripped(self._clock(), trip.output, trip.reason, trip.is_welded)
            reports += self.handle(event)
        if self._heat is not None and self._heat.is_due(reading.t_ns):
            self._heat.keep(reading.t_ns, self._watchman.heats)
        return reports

    @property
    def record(self) -> dict[str, Kept]:
        """What is to be kept across a reboot, by output."""
        return kept_of(self._rules, self._state)

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change(self.record)

    def remember(self) -> None:
        """Leave dwell and heat to the next process of this boot; the last act of an orderly end.

        Raises:
            OSError: the dwell cannot be written.
        """
        if self._heat is not None:
            self._heat.keep(self._clock(), self._watchman.heats)
            self._heat.close()
        if self._dwell is not None:
            self._dwell.write(output_states(self._rules, self._state, {}))

    def _perform(self, actions: tuple[Action, ...]) -> tuple[Switched | Refused, ...]:
        reports: list[Switched | Refused] = []
        faults: list[DeviceError] = []
        for action in actions:
            match action:
                case Drive(output=name, on=on, level=level):
                    try:
                        self._drive(name, level if on else 0)
                    except DeviceError as fault:
                        faults.append(fault)  # those that follow may be the ones that go off
                    else:
                        self._watchman.moved(self._clock(), name, on=on, level=level)
                        reports.append(Switched(self._clock(), self._state_of(name)))
                case Modulate(output=name, level=level):
                    try:
                        self._drive(name, level)
                    except DeviceError as fault:
                        faults.append(fault)
                    else:
                        self._watchman.moved(self._clock(), name, on=True, level=level)
                case Refuse(refused=refused):
                    reports.append(refused)
        if faults:
            raise faults[0]
        return tuple(reports)

    def _drive(self, name: str, level: int) -> None:
        """Give a load this part of its power, in thousandths."""
        relay = self._relays[name]
        if level in (0, LEVEL_FULL):
            relay.energise(level > 0)
        else:
            assert isinstance(relay, Modulating), f"{name} does not modulate, and got {level}"
            relay.modulate(level)

    def _refused(self, event: Event) -> Refused | None:
        match event:
            case (
                HoldAsked(hold=asked)
                | ReleaseAsked(release=asked)
                | ClearAsked(clear=asked)
                | LockAsked(lock=asked)
            ):
                if asked.output in self._names and asked.output not in self._relays:
                    return Refused(asked.seq, asked.output, UNAVAILABLE, 0)
            case _:
                pass
        return None

    def _state_of(self, name: str) -> OutputState:
        states = output_states(self._rules, self._state, self._watchman.verdicts)
        return next(state for state in states if state.name == name)

    def _unavailable(self, name: str) -> OutputState:
        return OutputState(name, False, self._begun_ns, 0, 0, UNAVAILABLE, Verdict.UNKNOWN)


def attached(profile: Profile, outputs: Outputs) -> Attached:
    """Tell a controller what this board is and what it holds."""
    return Attached(
        version=VERSION,
        board=profile.name,
        base_mw=math.ceil(profile.base_w * 1e3),
        hold_max_ns=_ns(profile.hold_max_s),
        shed_ns=SHED_NS,
        specs=tuple(map(_spec, profile.outputs)),
        outputs=outputs.states,
        meters=tuple(_meter_specs(profile)),
    )


def _meter_specs(profile: Profile) -> Iterator[MeterSpec]:
    for meter in profile.meters:
        accuracy = accuracy_of(meter)
        if accuracy is not None:
            yield MeterSpec(meter.name, accuracy)


def _spec(output: OutputProfile) -> OutputSpec:
    return OutputSpec(
        name=output.name,
        required=output.required,
        nominal_mw=math.ceil(output.nominal_w * 1e3),
        inrush_mw=math.ceil(max(output.inrush_w, output.nominal_w) * 1e3),
        inrush_ns=_ns(output.inrush_s),
        min_on_ns=_ns(output.min_on_s),
        min_off_ns=_ns(output.min_off_s),
        meter=output.meter,
        contact_life=output.switch.contact_life,
        min_level=output.min_level,
    )


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
