"""A simulated firmware: the real guard, over loads whose draw is known to the milliwatt.

It stands between a `Node` and the plant's truth as the real process does: commands take a moment to
arrive, reports take a moment to come back, and deadlines are kept whatever the controller does.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid_firmware import guard
from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.link import (
    VERSION,
    Attach,
    Attached,
    Command,
    Hold,
    MakeSafe,
    OutputSpec,
    OutputState,
    Refused,
    Release,
    Report,
    Switched,
    Telemetry,
)

VOLTS = 12.0
PJ_PER_MJ = 1_000_000_000
"""mW · ns in one mJ."""


@dataclass(frozen=True, slots=True)
class SimLoad:
    """A load behind a simulated output.

    Attributes:
        draw_mw: what it really draws once running, mW (at most its nameplate).
    """

    spec: OutputSpec
    draw_mw: int


class SimFirmware:
    """One node's firmware; time comes with every call."""

    def __init__(self, base_mw: int, loads: tuple[SimLoad, ...], stagger_ns: int) -> None:
        self.base_mw = base_mw
        self.loads = loads
        self.rules = guard.Rules(
            tuple(
                guard.Rule(x.spec.name, x.spec.required, x.spec.min_on_ns, x.spec.min_off_ns)
                for x in loads
            ),
            hold_max_ns=20_000_000_000,
            stagger_ns=stagger_ns,
        )
        self.handled = 0
        self.quality = Quality.FRESH
        self.misread = 1.0
        self.welded: frozenset[str] = frozenset()
        self.floor_mw = base_mw + sum(x.spec.inrush_mw for x in loads if x.spec.required)
        self._told: tuple[guard.GuardState, tuple[OutputState, ...]] | None = None
        self.verdicts = dict.fromkeys((x.spec.name for x in loads), Verdict.UNKNOWN)
        self.state, _ = guard.begin(
            self.rules, 0, {x.spec.name: (False, -(1 << 60)) for x in loads}
        )
        self._drawn_pj = [0] * len(loads)
        self._begun_pj = [0] * len(loads)
        self._counted_ns = 0

    def attach(self) -> Attached:
        """Answer a controller that introduces itself."""
        self.handled = 0
        return Attached(
            version=VERSION,
            board="simulated",
            base_mw=self.base_mw,
            hold_max_ns=self.rules.hold_max_ns,
            shed_ns=0,
            specs=tuple(x.spec for x in self.loads),
            outputs=self.states(),
        )

    def command(self, command: Command, now_ns: int) -> list[Report]:
        """Carry out a command."""
        if not isinstance(command, Attach):
            self.handled = max(self.handled, command.seq)
        match command:
            case Hold():
                return self._step(guard.HoldAsked(now_ns, command), now_ns)
            case Release():
                return self._step(guard.ReleaseAsked(now_ns, command), now_ns)
            case MakeSafe():
                return self._step(guard.SafeAsked(now_ns), now_ns)
            case _:
                return [self.attach()]

    def cut(self, now_ns: int) -> None:
        """Lose power: every output falls, and starts anew at its safe level, its dwell unknown.

        The clock may have been set, so what was drawn since the last step is not counted.
        """
        self._counted_ns = now_ns
        self._begun_pj = list(self._drawn_pj)
        self.state, _ = guard.begin(self.rules, now_ns, None)

    def passed(self, now_ns: int) -> list[Report]:
        """Let time pass: deadlines are kept here."""
        return self._step(guard.TimePassed(now_ns), now_ns)

    def next_deadline_ns(self) -> int | None:
        """When `passed` next has something to do."""
        return guard.next_deadline_ns(self.rules, self.state)

    def telemetry(self, now_ns: int) -> Telemetry:
        """Read every meter."""
        readings = tuple(
            Reading(
                x.spec.meter,
                now_ns,
                VOLTS,
                draw_mw * self.misread / 1000 / VOLTS,
                0,
                self.quality,
            )
            for x, draw_mw in zip(self.loads, self.draws_mw(now_ns), strict=True)
            if x.spec.meter
        )
        return Telemetry(now_ns, readings, self.states(), self.handled)

    def energy_mj(self, now_ns: int) -> tuple[dict[str, int], dict[str, int]]:
        """What each load has truly drawn since the world began, and since its counter did, mJ.

        All is counted by the firmware's own clock; its counters begin anew when it loses power.
        """
        self._count(now_ns)
        names = [load.spec.name for load in self.loads]
        begun_mj = [pj // PJ_PER_MJ for pj in self._begun_pj]
        drawn_mj = [pj // PJ_PER_MJ for pj in self._drawn_pj]
        shown_mj = [drawn - begun for drawn, begun in zip(drawn_mj, begun_mj, strict=True)]
        return dict(zip(names, drawn_mj, strict=True)), dict(zip(names, shown_mj, strict=True))

    def draws_mw(self, now_ns: int) -> list[int]:
        """What each load truly draws now, mW."""
        draws: list[int] = []
        for load, state in zip(self.loads, self.state.outputs, strict=True):
            if state.on:
                starting = now_ns < state.since_ns + load.spec.inrush_ns
                draws.append(load.spec.inrush_mw if starting else load.draw_mw)
            else:
                draws.append(load.draw_mw if load.spec.name in self.welded else 0)
        return draws

    def total_mw(self, now_ns: int) -> int:
        """What the whole node truly draws now, mW."""
        return self.base_mw + sum(self.draws_mw(now_ns))

    def flexible_worst_mw(self, now_ns: int) -> int:
        """The most that the switched-on flexible loads may draw now by their nameplates, mW."""
        worst_mw = 0
        for load, state in zip(self.loads, self.state.outputs, strict=True):
            if state.on and not load.spec.required:
                starting = now_ns < state.since_ns + load.spec.inrush_ns
                worst_mw += load.spec.inrush_mw if starting else load.spec.nominal_mw
        return worst_mw

    def surprise_mw(self) -> int:
        """The most that liars and welded contacts draw beyond what is allowed, mW."""
        most_mw = 0
        for load in self.loads:
            if load.spec.name in self.welded:
                most_mw += load.draw_mw
            else:
                most_mw += max(0, load.draw_mw - load.spec.nominal_mw)
        return most_mw

    def is_required_off(self) -> bool:
        """Whether a required load is without power."""
        for load, state in zip(self.loads, self.state.outputs, strict=True):
            if load.spec.required and not state.on:
                return True
        return False

    def states(self) -> tuple[OutputState, ...]:
        """How the outputs stand: put into words anew only after a step."""
        if self._told is None or self._told[0] is not self.state:
            self._told = self.state, guard.output_states(self.rules, self.state, self.verdicts)
        return self._told[1]

    def _count(self, now_ns: int) -> None:
        """Add what was drawn since the last step: nothing was switched in between."""
        from_ns, self._counted_ns = self._counted_ns, now_ns
        for number, (load, state) in enumerate(zip(self.loads, self.state.outputs, strict=True)):
            if state.on:
                begins_ns = state.since_ns + load.spec.inrush_ns
                steady_ns = min(max(begins_ns, from_ns), now_ns)
                starting_pj = load.spec.inrush_mw * (steady_ns - from_ns)
                self._drawn_pj[number] += starting_pj + load.draw_mw * (now_ns - steady_ns)
            elif load.spec.name in self.welded:
                self._drawn_pj[number] += load.draw_mw * (now_ns - from_ns)

    def _step(self, event: guard.Event, now_ns: int) -> list[Report]:
        self._count(now_ns)
        self.state, actions = guard.step(self.rules, self.state, event)
        reports: list[Report] = []
        for action in actions:
            match action:
                case guard.Drive():
                    state = next(s for s in self.states() if s.name == action.output)
                    reports.append(Switched(now_ns, state, self.handled))
                case guard.Modulate():
                    pass  # nothing here modulates; told by telemetry if it did
                case guard.Refuse():
                    refused: Refused = action.refused
                    reports.append(refused)
        return reports
