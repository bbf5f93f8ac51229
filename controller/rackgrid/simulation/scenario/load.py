"""A load of a scenario: its switch with its guards, its meter, and what it really takes.

A greedy one takes more than its nameplate says, and may stay on though it was refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.market.choice import stay_uc, switching_uc
from rackgrid.market.curve import Step
from rackgrid.market.honesty import learned_mw
from rackgrid.market.load import step_for
from rackgrid.market.modulating import stages
from rackgrid.simulation.scenario.work import (
    MINUTE_NS,
    PRICE_CAP_UC,
    Dimmed,
    Due,
    Moment,
    Stand,
    Work,
)

START_COST_NC = 300_000
"""A start, nano-currency: a relay board of 9 that lasts for 30,000 starts under load."""
USUAL_RUN_NS = 30 * MINUTE_NS
INRUSH = 2
"""A start takes so many times the nameplate, for less than the stagger."""


@dataclass(slots=True)
class Load:
    """One flexible load.

    Attributes:
        nominal_mw: its nameplate, or what was learned of it.
        takes_permille: what it really takes of 1000 on its nameplate.
        min_on, min_off: minutes.
        on_mw: what it was let run at; 0 while it is off.
        since: minute of the last switch, None before the first.
        metered_mw: what its meter showed last; None before.
        starts_at: second of the round in which it starts; None if it does not.
    """

    name: str
    work: Work
    plate_mw: int
    min_on: int
    min_off: int
    nominal_mw: int = 0
    takes_permille: int = 1000
    on_mw: int = 0
    since: int | None = None
    metered_mw: int | None = None
    counter_mj: int = 0
    switches: int = 0
    starts_at: int | None = None

    def __post_init__(self) -> None:
        self.nominal_mw = self.nominal_mw or self.plate_mw

    def steps(self, moment: Moment) -> tuple[Step, ...]:
        """Say what it bids; nothing, if it wants nothing or may not start."""
        held = self.since is not None and moment.minute - self.since < (
            self.min_on if self.on_mw else self.min_off
        )
        if isinstance(self.work, Dimmed):
            return self._stages(self.work, held=held)
        since_ns = None if not self.on_mw or self.since is None else self.since * MINUTE_NS
        worth_uc = self.work.worth_uc(moment, Stand(self.nominal_mw, since_ns))
        inside_min_on = held and bool(self.on_mw)
        if worth_uc is None and not inside_min_on:
            return ()
        worth_uc = worth_uc or 0
        start_uc = stay_uc(START_COST_NC, self.nominal_mw, USUAL_RUN_NS)
        is_on, owed = bool(self.on_mw), isinstance(self.work, Due)
        worth_uc = switching_uc(worth_uc, start_uc, PRICE_CAP_UC, running=is_on, owed=owed)
        step = step_for(
            worth_uc=worth_uc,
            nominal_mw=self.nominal_mw,
            inrush_mw=self.nominal_mw * INRUSH,
            metered_mw=self.metered_mw,
            running=bool(self.on_mw),
            settled=bool(self.on_mw),
            price_cap_uc=PRICE_CAP_UC,
            min_on_left=inside_min_on,
            min_off_left=held and not self.on_mw,
        )
        return () if step is None else (step,)

    def _stages(self, work: Dimmed, *, held: bool) -> tuple[Step, ...]:
        if work.ladder is None:
            return ()
        start_uc = stay_uc(START_COST_NC, work.ladder.powers_mw[0], USUAL_RUN_NS)
        first_uc = work.ladder.worths_uc[0]
        is_on = bool(self.on_mw)
        whole = step_for(
            worth_uc=switching_uc(first_uc, start_uc, PRICE_CAP_UC, running=is_on),
            nominal_mw=work.ladder.powers_mw[-1],
            inrush_mw=work.ladder.powers_mw[-1],
            metered_mw=None,
            running=is_on,
            settled=False,
            price_cap_uc=PRICE_CAP_UC,
            min_on_left=held,
            min_off_left=held,
        )
        reached = sum(power_mw <= self.on_mw for power_mw in work.ladder.powers_mw)
        return () if whole is None else stages(work.ladder, whole, reached)

    def switch(self, granted: int, minute: int) -> bool:
        """Run at the stage that was granted, or not at all; say whether it starts.

        Args:
            granted: how many of its steps are served.
        """
        wanted_mw = self.nominal_mw if granted else 0
        if isinstance(self.work, Dimmed) and self.work.ladder is not None and granted:
            wanted_mw = self.work.ladder.powers_mw[granted - 1]
        starts = wanted_mw > 0 and not self.on_mw
        if bool(wanted_mw) != bool(self.on_mw):
            self.switches += 1
            self.since = minute
        self.on_mw = wanted_mw
        return starts

    @property
    def draw_mw(self) -> int:
        """What it takes while it is on, once it has started."""
        if not self.on_mw:
            return 0
        plate_mw = self.on_mw if isinstance(self.work, Dimmed) else self.plate_mw
        return plate_mw * self.takes_permille // 1000

    @property
    def inrush_mw(self) -> int:
        """What it takes as it starts."""
        if isinstance(self.work, Dimmed):
            return self.draw_mw
        return max(self.draw_mw, self.plate_mw * INRUSH)

    def lived(self, moment: Moment, seconds: int) -> int:
        """Let a minute pass, of which it was on for the last `seconds`; return the mJ it took."""
        energy_mj = self.draw_mw * seconds
        self.counter_mj += energy_mj
        self.metered_mw = self.draw_mw
        if self.on_mw and not isinstance(self.work, Dimmed):
            self.nominal_mw = learned_mw(self.nominal_mw, self.metered_mw)
        self.work.lived(moment, energy_mj)
        return energy_mj
