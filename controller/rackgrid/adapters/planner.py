"""The planner: what each load has to do, and so what it is worth to run it now.

The kinds themselves are pure economics (`market.task`, `.deadline`, `.thermal`, `.choice`). Here
they meet what they need to know: how the outputs stand, how much energy each load has had, how warm
it is, what time it is, and which prices are known ahead. What comes out goes into the core as
`WorthsChanged`.

A worth that moves a little clears no market: what was said last stands until it is a fiftieth off,
or the load begins or ceases to bid, or must run.

A deadline comes each day at its time. How much a load has had of what it needs is counted from the
ledger's counter at the beginning of its day; where that counter stood is kept on the disk, so that
a restart neither forgets nor repeats. Nobody knows how late it is while the clock is not set: for
some minutes after a start that is usual and a load with a deadline waits; then it runs. How the
feed stood yesterday (`yesterday`) has a say in when it runs, and none in whether it is in time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import cast

from rackgrid.adapters.aside import Aside
from rackgrid.adapters.prospect import MJ_PER_WH, Prospect
from rackgrid.adapters.thermometer import Thermometer
from rackgrid.adapters.yesterday import Yesterday
from rackgrid.config import ChargerConfig, DeadlineConfig, LoadConfig, TaskConfig, ThermalConfig
from rackgrid.config_units import microcurrency, milliwatts, nanoseconds
from rackgrid.core.board import Board
from rackgrid.core.settings import SECOND_NS
from rackgrid.market import choice
from rackgrid.market.deadline import Goal, deadline_worth_uc
from rackgrid.market.tariff import Interval
from rackgrid.market.task import Run, run_worth_uc, task_worth_uc
from rackgrid.market.temperature import Belief, Model, believed
from rackgrid.market.thermal import Bounds, Warmth, must_run, thermal_worth_uc
from rackgrid.market.turn import Turn, Turns, seen

EVERY_NS = SECOND_NS
"""Between two looks, ns."""
MOVED = 50
"""A worth that has moved by a fiftieth is news."""
CLOCK_NS = 600 * SECOND_NS
"""So long after the start a clock that is not set is usual, ns."""
AHEAD_NS = 48 * 3600 * SECOND_NS
"""So far ahead prices are looked at."""
FINISHED = "(finished)"
"""Where the kept days say which loads have finished; no load can have a name like this."""
LIST_NS = 30 * SECOND_NS
"""Between two listings of prices ahead, ns: a pattern of a week takes ms to lay out."""

_log = logging.getLogger("rackgrid.plan")


@dataclass(frozen=True, slots=True)
class World:
    """What a plan needs to know beside the board.

    Attributes:
        wall_ns: Unix time, ns; None while the clock is not set.
        ahead: prices known between two moments of Unix time, ns.
        received_mj: energy that each load has had, by its counter in the ledger, mJ.
        buys_uc: at which price a battery is charged at most, uc per kWh; None: it is not.
    """

    wall_ns: Callable[[], int | None]
    ahead: Callable[[int, int], Sequence[Interval]]
    received_mj: Callable[[], Mapping[str, int]]
    buys_uc: Callable[[str], int | None] = lambda _battery: None


@dataclass(slots=True)
class _Day:
    """A deadline's day: when it ends, Unix time in ns, and where the counter stood before."""

    ends_ns: int
    counter_mj: int


@dataclass(slots=True)
class _Now:
    """What holds at one look."""

    mono_ns: int
    wall_ns: int | None
    known: Sequence[Interval]
    board: Board
    running: frozenset[str] = field(default_factory=frozenset[str])


class Planner:
    """What the loads of one node have to do.

    Args:
        loads: of the configuration.
        price_cap_uc: what a load bids that has to run, uc per kWh.
        burn_max_mw: the most that loads with a worth below zero take together; None: no limit.
        world: what else there is to know.
        thermometers: of the thermal loads, by name.
        shelf: the file that keeps the days over a restart.
        now_ns: CLOCK_MONOTONIC of the start, ns.
        yesterday: how the feed stood; None where no load has a deadline.
    """

    def __init__(
        self,
        loads: Sequence[LoadConfig],
        price_cap_uc: int,
        burn_max_mw: int | None,
        world: World,
        thermometers: Mapping[str, Thermometer],
        shelf: Path,
        now_ns: int,
        yesterday: Yesterday | None = None,
    ) -> None:
        self._loads = [load for load in loads if load.kind != "required"]
        self._cap_uc = price_cap_uc
        self._burn_max_mw = burn_max_mw
        self._world = world
        self._thermometers = thermometers
        self._shelf = Aside(shelf, _not_kept)
        self._began_ns = now_ns
        self._looked_ns: int | None = None
        self.said: dict[str, int | None] = {}
        """What each load is worth, as last said."""
        self._had_to: set[str] = set()
        self._beliefs: dict[str, Belief | None] = {}
        self._days, finished = _read_days(shelf)
        self._leaders = {load.guards.after for load in loads if load.guards.after}
        self._turns = Turns(finished=finished & self._leaders)
        self._done: dict[str, bool] = {}
        """Deadlines whose energy is there today."""
        self._known: Sequence[Interval] = ()
        self._listed_ns: int | None = None
        self._yesterday = yesterday
        self.prospects: dict[str, Prospect] = {}

    def poll(self, board: Board | None, now_ns: int) -> Mapping[str, int | None] | None:
        """Look at everything; say what each load is worth now, or None if nothing is news.

        Cheap between two looks (`EVERY_NS`).

        Args:
            board: as the firmware last said; None while it is not attached.
            now_ns: CLOCK_MONOTONIC, ns.
        """
        is_early = self._looked_ns is not None and now_ns - self._looked_ns < EVERY_NS
        if board is None or is_early:
            return None
        self._looked_ns = now_ns
        worths = self._worths(self._now(board, now_ns))
        if not any(self._is_news(name, worth) for name, worth in worths.items()):
            return None
        self.said = worths
        return worths

    def _now(self, board: Board, now_ns: int) -> _Now:
        wall_ns = self._world.wall_ns()
        if wall_ns is None:
            self._known, self._listed_ns = (), None
            self.prospects.clear()
        elif self._listed_ns is None or now_ns - self._listed_ns >= LIST_NS:
            self._known = self._world.ahead(wall_ns, wall_ns + AHEAD_NS)
            self._listed_ns = now_ns
            self.prospects.clear()
        states = ((load.name, board.outputs.get(load.output)) for load in self._loads)
        running = frozenset(name for name, state in states if state is not None and state.on)
        if self._yesterday is not None:
            due = [load for load in self._loads if isinstance(load.plan, DeadlineConfig)]
            powers_mw = {load.name: _power_mw(load, board) for load in due}
            self._yesterday.look(now_ns, wall_ns, self._known, powers_mw, running)
        return _Now(now_ns, wall_ns, self._known, board, running)

    def _worths(self, now: _Now) -> dict[str, int | None]:
        worths = {load.name: self._worth(load, now) for load in self._loads}
        self._look_at_turns(now)
        groups: dict[str, list[str]] = {}
        for load in self._loads:
            if load.guards.beside:
                worths = choice.beside(worths, load.name, load.guards.beside, now.running)
            if load.guards.after:
                finished = self._turns.finished
                worths = choice.after(worths, load.name, load.guards.after, finished)
            if load.guards.one_of:
                groups.setdefault(load.guards.one_of, []).append(load.name)
        for group in groups.values():
            worths = choice.one_of(worths, group, now.running)
        if self._burn_max_mw is not None:
            powers = {load.name: _power_mw(load, now.board) for load in self._loads}
            worths = choice.burned(worths, powers, self._burn_max_mw)
        return worths

    def _worth(self, load: LoadConfig, now: _Now) -> int | None:
        power_mw = _power_mw(load, now.board)
        if power_mw <= 0:
            return None  # no nameplate: the profile and this configuration do not go together
        match load.plan:
            case TaskConfig() as task:
                return self._task(load, task, power_mw, now)
            case DeadlineConfig() as goal:
                return self._deadline(load, goal, power_mw, now)
            case ThermalConfig() as thermal:
                return self._thermal(load, thermal, now)
            case ChargerConfig(battery):
                buys_uc = self._world.buys_uc(battery)
                return None if buys_uc is None else min(buys_uc, self._cap_uc)
            case None:
                assert load.worth is not None, "a load without a plan has a worth"
                return microcurrency(load.worth)

    def _task(self, load: LoadConfig, task: TaskConfig, power_mw: int, now: _Now) -> int:
        worth_uc = task_worth_uc(microcurrency(task.revenue_per_hour), power_mw)
        worth_uc = min(worth_uc, self._cap_uc)
        if task.run_s is None:
            return worth_uc
        state = now.board.outputs.get(load.output)
        # Without a clock the prices ahead are not known either, so that any clock will do.
        at_ns = now.mono_ns if now.wall_ns is None else now.wall_ns
        since_ns = None
        if state is not None and state.on:
            since_ns = at_ns - max(0, now.mono_ns - state.since_ns)
        run = Run(nanoseconds(task.run_s), since_ns)
        return min(run_worth_uc(worth_uc, run, at_ns, now.known, self._cap_uc), self._cap_uc)

    def _deadline(
        self, load: LoadConfig, goal: DeadlineConfig, power_mw: int, now: _Now
    ) -> int | None:
        if now.wall_ns is None:
            is_usual = now.mono_ns - self._began_ns < CLOCK_NS
            return None if is_usual else self._cap_uc
        begins_ns, ends_ns = day_of(goal.by_s, goal.zone, now.wall_ns)
        received_mj = self._world.received_mj().get(load.name, 0)
        day = self._days.get(load.name)
        if day is None or day.ends_ns != ends_ns or received_mj < day.counter_mj:
            day = self._days[load.name] = _Day(ends_ns, received_mj)
            self._keep_days()
        needed_mj = round(goal.energy_wh * MJ_PER_WH)
        left_mj = needed_mj - (received_mj - day.counter_mj)
        self._done[load.name] = left_mj <= 0
        worth_uc = microcurrency(goal.worth)
        # A switch that has just gone off may not go on for a while: so much sooner it is due.
        due_ns = ends_ns - min(_min_off_ns(load, now.board), (ends_ns - begins_ns) // 4)
        plan = Goal(left_mj, power_mw, begins_ns, due_ns, worth_uc)
        likely = self._expected(load.name, now.wall_ns, due_ns, now.known)
        self.prospects[load.name] = Prospect(plan, now.wall_ns, now.known, likely)
        return deadline_worth_uc(plan, now.wall_ns, now.known, self._cap_uc, likely)

    def _expected(
        self, load: str, wall_ns: int, due_ns: int, known: Sequence[Interval]
    ) -> Sequence[Interval] | None:
        before = self.prospects.get(load)
        if before is not None and before.goal.ends_ns == due_ns:
            return before.expected  # looked at as often as the prices ahead
        if self._yesterday is None:
            return None
        return self._yesterday.expected(load, wall_ns, due_ns, known)

    def _thermal(self, load: LoadConfig, thermal: ThermalConfig, now: _Now) -> int | None:
        low_mc, high_mc = round(thermal.low_c * 1000), round(thermal.high_c * 1000)
        bounds = Bounds(low_mc, high_mc, thermal.cools, microcurrency(thermal.worth))
        warmth = Warmth(self._warmth_mc(load, thermal, now), load.name in self._had_to)
        if must_run(bounds, warmth):
            self._had_to.add(load.name)
        else:
            self._had_to.discard(load.name)
        return thermal_worth_uc(bounds, warmth, self._cap_uc)

    def _warmth_mc(self, load: LoadConfig, thermal: ThermalConfig, now: _Now) -> int | None:
        """How warm it is: what the sensor says, or the model while that is silent."""
        read_mc, model = self._thermometers[load.name].mc, thermal.model
        if model is None:
            return read_mc
        moves = Model(
            off_mc=round(model.off_c * 1000),
            on_mc=round(model.on_c * 1000),
            slow_ns=nanoseconds(model.slow_s),
            blind_ns=nanoseconds(model.blind_s),
        )
        belief = self._beliefs.get(load.name)
        is_on = load.name in now.running
        belief = self._beliefs[load.name] = believed(moves, belief, read_mc, now.mono_ns, on=is_on)
        return None if belief is None else belief.mc

    def _is_news(self, name: str, worth_uc: int | None) -> bool:
        if name not in self.said:
            return True
        before_uc = self.said[name]
        if before_uc is None or worth_uc is None or worth_uc == before_uc:
            return worth_uc != before_uc
        if self._cap_uc in (before_uc, worth_uc):
            return True
        return abs(worth_uc - before_uc) * MOVED >= abs(before_uc)

    def _look_at_turns(self, now: _Now) -> None:
        """See which of the loads that others wait for have finished."""
        for load in self._loads:
            if load.name in self._leaders:
                state = now.board.outputs.get(load.output)
                turn = Turn(
                    is_on=load.name in now.running,
                    since_ns=0 if state is None else state.since_ns,
                    run_ns=_run_ns(load),
                    goal=self._goal(load),
                )
                self._turns, is_news = seen(self._turns, load.name, turn)
                if is_news:
                    self._keep_days()

    def _goal(self, load: LoadConfig) -> bool | None:
        """Whether a deadline's energy is there; None of anything else."""
        is_due = isinstance(load.plan, DeadlineConfig)
        return self._done.get(load.name, False) if is_due else None

    def close(self) -> None:
        """Wait until what is to be kept is kept: the process is about to end."""
        self._shelf.settle()
        if self._yesterday is not None:
            self._yesterday.close()

    def _keep_days(self) -> None:
        kept: dict[str, object] = {
            name: [day.ends_ns, day.counter_mj] for name, day in self._days.items()
        }
        kept[FINISHED] = sorted(self._turns.finished)
        self._shelf.write(json.dumps(kept).encode())


def day_of(by_s: int, zone: tzinfo, wall_ns: int) -> tuple[int, int]:
    """Find the deadline that comes next, and the one before it, Unix time in ns.

    Args:
        by_s: its time of day on the clock of `zone`, seconds since midnight.
        wall_ns: now.
    """
    today = datetime.fromtimestamp(wall_ns // SECOND_NS, zone).date()
    hour, minute = divmod(by_s // 60, 60)
    moments = [
        int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp())
        * SECOND_NS
        for day in (today + timedelta(days=offset) for offset in (-1, 0, 1))
    ]
    ends_ns = next(moment for moment in moments if moment > wall_ns)
    return moments[moments.index(ends_ns) - 1], ends_ns


def _min_off_ns(load: LoadConfig, board: Board) -> int:
    spec = board.specs.get(load.output)
    return spec.min_off_ns if spec is not None else 0


def _power_mw(load: LoadConfig, board: Board) -> int:
    spec = board.specs.get(load.output)
    if spec is not None:
        return spec.nominal_mw
    return milliwatts(load.plug.nominal_w) if load.plug is not None else 0


def _run_ns(load: LoadConfig) -> int:
    """How long a complete run is; 0 where any run is one."""
    run_s = load.plan.run_s if isinstance(load.plan, TaskConfig) else None
    return nanoseconds(run_s or 0)


def _not_kept(fault: str) -> None:
    _log.warning("a restart today would count a deadline's energy anew: %s", fault)


def _read_days(shelf: Path) -> tuple[dict[str, _Day], frozenset[str]]:
    """Read where counters stood; what cannot be read is counted anew, and said."""
    try:
        kept = cast("object", json.loads(shelf.read_bytes()))
        return _parsed_days(kept)
    except FileNotFoundError:
        return {}, frozenset()
    except (OSError, ValueError) as fault:
        _log.warning("%s: today's energy of deadlines is counted anew: %s", shelf, fault)
        return {}, frozenset()


def _parsed_days(kept: object) -> tuple[dict[str, _Day], frozenset[str]]:
    if not isinstance(kept, dict):
        raise ValueError("no object")
    days: dict[str, _Day] = {}
    finished: frozenset[str] = frozenset()
    for name, day in cast("dict[str, object]", kept).items():
        match day:
            case list() if name == FINISHED:
                names = cast("list[object]", day)
                finished = frozenset(each for each in names if isinstance(each, str))
            case [int(ends_ns), int(counter_mj)]:
                days[name] = _Day(ends_ns, counter_mj)
            case _:
                raise ValueError(f"{name}: no end and counter")
    return days, finished
