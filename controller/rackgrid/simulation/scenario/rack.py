"""A rack of a scenario, round by round: one clearing, switches one at a time, and the bill.

A round lasts a minute. Loads that start do so one after the other, in the order of their worth, so
each takes a little less than a minute's energy; everything else is constant within a round.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from rackgrid.market.battery import stored_after
from rackgrid.market.honesty import HONEST, judged
from rackgrid.market.row import Terms
from rackgrid.simulation.scenario import library, sky
from rackgrid.simulation.scenario.bill import cost_of, given
from rackgrid.simulation.scenario.library import BASE_MW, Node, Scenario
from rackgrid.simulation.scenario.load import Load
from rackgrid.simulation.scenario.round import BATTERY, Grant, Round, cleared
from rackgrid.simulation.scenario.run import Minute, Run, Start
from rackgrid.simulation.scenario.work import DAY_MINUTES, MINUTE_NS, MINUTE_S, Moment, Task

STAGGER_S = 2
"""Between two starts of a round."""
DEFIANT = 20
"""For so many minutes a greedy node keeps a load on that it was refused."""
GREED_PERMILLE = (1_300, 1_700)
"""What a greedy node's loads take of 1000 on their nameplates; anew at each start."""
REQUIRED_PERCENT = (60, 100)
"""What a required load takes of its nameplate."""


def played(scenario: Scenario, days: int, seed: int) -> Run:
    """Run a scenario; the same arguments give the same run."""
    assert 1 <= days <= library.DAYS_MAX, "a scenario has a limited number of days"
    chance = random.Random(seed)  # noqa: S311  # a scenario must be repeatable
    nodes = library.nodes(chance)
    run = Run(scenario, days, chance, nodes, sky.shades(chance, days, scenario.cover_permille))
    if scenario.battery:
        run.stored_mj = (scenario.battery.low_mj + scenario.battery.high_mj) // 2
        run.stored_first_mj = run.stored_mj
    end = days * DAY_MINUTES
    for minute in range(end):
        _minute(run, cleared(run, minute))
        if (minute + 1) % DAY_MINUTES == 0:
            run.flat.end_day()
    run.books.close(run.counters_mj(), end, end * MINUTE_NS)
    return run


def _minute(run: Run, now: Round) -> None:
    minute = now.moment.minute
    grants = now.grants()
    if now.clearing is None:
        run.defiant = None  # nothing is on without a feed
    starting = _switched(run, grants, now)
    _judge(run, grants)
    _book(run, now)
    is_fed = now.clearing is not None
    floor_mw = _floor_mw(run) if is_fed else 0
    peak_mw, flexible_mj = _lived(run, now.moment, starting, floor_mw)
    drawn_mj = floor_mw * MINUTE_S + flexible_mj
    sources_mj = _paid(run, now, drawn_mj)
    run.note(
        Minute(
            minute=minute,
            price_uc=now.price_uc,
            peak_mw=peak_mw + now.bought_mw,
            drawn_mj=drawn_mj,
            bought_mj=now.bought_mw * MINUTE_S,
            capacity_mw=run.scenario.capacity_mw if is_fed else 0,
            sun_mw=now.sun_mw,
            stored_mj=run.stored_mj,
            sources_mj=sources_mj,
            on=tuple(bool(load.on_mw) for node in run.nodes for load in node.loads),
        )
    )


def _switched(run: Run, grants: Mapping[str, Grant], now: Round) -> list[Load]:
    """Switch every load; list those that start, the worthiest first."""
    minute, worths_uc = now.moment.minute, now.worths_uc()
    starting: list[Load] = []
    for node in run.nodes:
        for load in node.loads:
            grant, was_on = grants.get(load.name), bool(load.on_mw)
            is_fed = now.clearing is not None
            if is_fed and _defies(run, node, load, minute, is_granted=grant is not None):
                continue
            starts = load.switch(grant.stages if grant else 0, minute)
            run.switched[minute // DAY_MINUTES, load.name] += bool(load.on_mw) != was_on
            if not starts:
                continue
            starting.append(load)
            if node.number == run.scenario.greedy:
                load.takes_permille = run.chance.randint(*GREED_PERMILLE)
    starting.sort(key=lambda load: (-worths_uc[load.name], load.name))
    for place, load in enumerate(starting):
        load.starts_at = place * STAGGER_S
        run.starts.append(Start(minute, load.starts_at, load.name, worths_uc[load.name]))
    return starting


def _defies(run: Run, node: Node, load: Load, minute: int, *, is_granted: bool) -> bool:
    """Whether a load stays on though it was refused: a greedy node's does, once a day."""
    if load is run.defiant:
        if minute < run.defiant_until:
            return True
        run.defiant = None
    is_first = minute // DAY_MINUTES != run.defiant_until // DAY_MINUTES or not run.defiant_until
    if node.number != run.scenario.greedy or is_granted or not load.on_mw or not is_first:
        return False
    run.defiant, run.defiant_until = load, minute + DEFIANT
    return True


def _judge(run: Run, grants: Mapping[str, Grant]) -> None:
    """Hold what each node takes against what it was granted; what is beyond that counts."""
    run.excess_mw = run.defiant.draw_mw if run.defiant else 0
    for node in run.nodes:
        granted_mw = sum(g.counted_mw for load in node.loads if (g := grants.get(load.name)))
        drawn_mw = sum(load.draw_mw for load in node.loads)
        before = run.records.get(node.number, HONEST)
        record = judged(before, node.floor_mw + granted_mw, node.floor_mw + drawn_mw)
        run.records[node.number] = record
        if record.is_flagged:
            run.flagged.add(node.number)


def _book(run: Run, now: Round) -> None:
    """Book what was drawn up to now; the price of this round holds from now on."""
    minute, price_uc, reference_uc = now.moment.minute, now.price_uc, run.scenario.reference_uc
    for node in run.nodes:
        terms = Terms(price_uc is not None, price_uc, reference_uc)
        run.books.book(node.name, node.counter_mj, terms, minute, now.moment.now_ns)
        for load in node.loads:
            revenue = load.work.revenue_uc_per_h if isinstance(load.work, Task) else None
            terms = Terms(bool(load.on_mw), price_uc, reference_uc, revenue)
            run.books.book(load.name, load.counter_mj, terms, minute, now.moment.now_ns)


def _floor_mw(run: Run) -> int:
    """Let the nodes and their required loads take what they need; what the feed has not, lacks."""
    total_mw = 0
    for node in run.nodes:
        percent = run.chance.randint(*REQUIRED_PERCENT)
        power_mw = BASE_MW + node.required_mw * percent // 100
        served_mw = min(power_mw, run.scenario.capacity_mw - total_mw)
        run.unserved_mj += (power_mw - served_mw) * MINUTE_S
        node.counter_mj += served_mw * MINUTE_S
        total_mw += served_mw
    return total_mw


def _lived(run: Run, moment: Moment, starting: Sequence[Load], floor_mw: int) -> tuple[int, int]:
    """Let the minute pass; return its highest draw, mW, and what flexible loads took, mJ."""
    loads = [load for node in run.nodes for load in node.loads]
    at_mw = floor_mw + sum(load.draw_mw for load in loads)
    at_mw -= sum(load.draw_mw for load in starting)
    peak_mw = at_mw
    for load in starting:
        peak_mw = max(peak_mw, at_mw + load.inrush_mw)
        at_mw += load.draw_mw
    drawn_mj = sum(load.lived(moment, MINUTE_S - (load.starts_at or 0)) for load in loads)
    return max(peak_mw, at_mw), drawn_mj


def _paid(run: Run, now: Round, drawn_mj: int) -> dict[str, int]:
    """Pay the sources. What a battery sells was paid for when it bought: its wear is left."""
    bought_mj = now.bought_mw * MINUTE_S
    shares_mj = given(now.offers, drawn_mj + bought_mj)
    sold_mj = shares_mj.get(BATTERY, 0)
    others = [offer for offer in now.offers if offer.source != BATTERY]
    run.bill += cost_of(others, drawn_mj + bought_mj - sold_mj)
    battery = run.scenario.battery
    if battery:
        run.bill += sold_mj * battery.wear_uc
        run.stored_mj = stored_after(battery, run.stored_mj, bought_mj, sold_mj)
    run.flat.minute(others, drawn_mj)
    return shares_mj
