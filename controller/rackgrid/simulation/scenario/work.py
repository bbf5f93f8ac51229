"""What the loads of a scenario have to do, and what that makes them worth from minute to minute.

Each kind holds the little state that its work has (what is left of a charge, how warm it is) and
asks the market's own functions what to bid. What a kind decides is therefore what a rack decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rackgrid.market.deadline import Goal, deadline_worth_uc
from rackgrid.market.modulating import Ladder
from rackgrid.market.tariff import Interval
from rackgrid.market.task import Run, run_worth_uc, task_worth_uc
from rackgrid.market.temperature import Model, moved_mc
from rackgrid.market.thermal import Bounds, Warmth, must_run, thermal_worth_uc

MINUTE_NS = 60_000_000_000
DAY_MINUTES = 1440
MINUTE_S = 60
PRICE_CAP_UC = 10_000_000
MARGIN = 15
"""A deadline is planned so many minutes early: a guard may hold a switch for ten of them."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The start of a round.

    Attributes:
        minute: since the scenario's midnight.
        known: prices ahead, of the same clock in ns.
    """

    minute: int
    known: Sequence[Interval] = ()

    @property
    def now_ns(self) -> int:
        """The same, ns."""
        return self.minute * MINUTE_NS


@dataclass(frozen=True, slots=True)
class Stand:
    """How a load stands.

    Attributes:
        power_mw: what it takes, mW.
        since_ns: when it was switched on; None while it is off.
    """

    power_mw: int
    since_ns: int | None = None


class Work(Protocol):
    """What a load has to do."""

    def worth_uc(self, moment: Moment, stand: Stand) -> int | None:
        """What it bids, uc per kWh; None: nothing."""
        ...

    def lived(self, moment: Moment, energy_mj: int) -> None:
        """A minute has passed in which it got some energy."""
        ...


@dataclass(slots=True)
class Steady:
    """Flexible: always wanted, up to a price."""

    price_uc: int

    def worth_uc(self, moment: Moment, stand: Stand) -> int | None:  # noqa: ARG002
        """As `Work`."""
        return self.price_uc

    def lived(self, moment: Moment, energy_mj: int) -> None:
        """As `Work`."""


@dataclass(slots=True)
class Task:
    """Brings in money by the hour; with `run_minutes` only by the whole run."""

    revenue_uc_per_h: int
    run_minutes: int = 0

    def worth_uc(self, moment: Moment, stand: Stand) -> int | None:
        """As `Work`."""
        worth_uc = task_worth_uc(self.revenue_uc_per_h, stand.power_mw)
        if not self.run_minutes:
            return worth_uc
        run = Run(self.run_minutes * MINUTE_NS, stand.since_ns)
        return run_worth_uc(worth_uc, run, moment.now_ns, moment.known, PRICE_CAP_UC)

    def lived(self, moment: Moment, energy_mj: int) -> None:
        """As `Work`."""


@dataclass(slots=True)
class Due:
    """Needs so much energy each day by a time.

    Attributes:
        from_minute, until_minute: of the day; one that is not later than the other is tomorrow.
        late_mj: what was not there in time, of all days.
    """

    energy_mj: int
    from_minute: int
    until_minute: int
    left_mj: int = 0
    ends: int = 0
    late_mj: int = 0

    def worth_uc(self, moment: Moment, stand: Stand) -> int | None:
        """As `Work`."""
        if moment.minute % DAY_MINUTES == self.from_minute:
            self.ends = moment.minute + self.span
            self.left_mj = self.energy_mj
        if not self.left_mj:
            return None
        begins_ns = (self.ends - self.span) * MINUTE_NS
        ends_ns = (self.ends - MARGIN) * MINUTE_NS
        goal = Goal(self.left_mj, stand.power_mw, begins_ns, ends_ns, 0)
        return deadline_worth_uc(goal, moment.now_ns, moment.known, PRICE_CAP_UC)

    @property
    def span(self) -> int:
        """How long it has, minutes."""
        return (self.until_minute - self.from_minute) % DAY_MINUTES or DAY_MINUTES

    def lived(self, moment: Moment, energy_mj: int) -> None:
        """As `Work`."""
        self.left_mj = max(0, self.left_mj - energy_mj)
        if self.left_mj and moment.minute + 1 >= self.ends:
            self.late_mj += self.left_mj
            self.left_mj = 0


@dataclass(slots=True)
class Kept:
    """Keeps a temperature between bounds: a fridge or a heater, with its own thermal mass.

    Attributes:
        mc: how warm it is, thousandths of a degree Celsius.
        out_minutes: how long it was outside its bounds by more than `ALLOWED_MC`.
    """

    bounds: Bounds
    model: Model
    nominal_mw: int
    mc: int
    had_to: bool = False
    out_minutes: int = 0

    def worth_uc(self, moment: Moment, stand: Stand) -> int | None:  # noqa: ARG002
        """As `Work`."""
        warmth = Warmth(self.mc, self.had_to)
        self.had_to = must_run(self.bounds, warmth)
        return thermal_worth_uc(self.bounds, warmth, PRICE_CAP_UC)

    def lived(self, moment: Moment, energy_mj: int) -> None:  # noqa: ARG002
        """As `Work`."""
        ran_ns = min(MINUTE_NS, energy_mj * MINUTE_NS // (self.nominal_mw * MINUTE_S))
        self.mc = moved_mc(self.model, self.mc, ran_ns, on=True)
        self.mc = moved_mc(self.model, self.mc, MINUTE_NS - ran_ns, on=False)
        low, high = self.bounds.low_mc - ALLOWED_MC, self.bounds.high_mc + ALLOWED_MC
        self.out_minutes += not low <= self.mc <= high


ALLOWED_MC = 500
"""A guard may hold a switch while a temperature passes its bound."""


@dataclass(slots=True)
class Dimmed:
    """Modulating: several levels, each worth something by the hour."""

    ladder: Ladder | None = None

    def worth_uc(self, moment: Moment, stand: Stand) -> int | None:  # noqa: ARG002
        """It bids by its levels, not as a whole."""
        return None

    def lived(self, moment: Moment, energy_mj: int) -> None:
        """As `Work`."""
