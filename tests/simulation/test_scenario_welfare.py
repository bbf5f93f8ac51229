"""The welfare that scenarios report, held against every set of steps that there is.

A scenario weighs its clearings by the search that the clearing itself uses. Here a small rack lives
through a day, and each weighed round is made again from its book: all lawful sets of steps, one by
one, in the auditor's words, which shares no code with the market.

Fails if the optimum of a round is missed, if a clearing falls behind it by more than its rule about
shedding allows, or if the ratio that is reported is not that of the rounds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from rackgrid.audit.book import Book, Step
from rackgrid.audit.optimum import SHED_SHARE
from rackgrid.simulation.scenario import library, rack, result
from rackgrid.simulation.scenario.library import Node
from rackgrid.simulation.scenario.round import WELFARE_EVERY, Round, cleared, limits
from rackgrid.simulation.scenario.run import Run
from rackgrid.simulation.scenario.work import PRICE_CAP_UC

NODES = 4
STEPS_MAX = 13
SCARCE = 0.75
"""The feed is smaller than it was for as many of twelve nodes: what fits is a question then."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A round that was weighed: its book, what was served of it, and by how much it counted."""

    book: Book
    chosen: tuple[Step, ...]
    welfare: int
    optimum: int


def small(name: str) -> library.Scenario:
    scenario, share = library.scenario(name), NODES / library.NODES
    capacity_mw = round(scenario.capacity_mw * share * SCARCE)
    reserve_mw = round(scenario.reserve_mw * share * SCARCE)
    greedy = scenario.greedy if scenario.greedy <= NODES else 0
    return replace(
        scenario,
        capacity_mw=capacity_mw,
        reserve_mw=reserve_mw,
        sun_mw=round(scenario.sun_mw * share),
        greedy=greedy,
        battery=None,
    )


def book_of(run: Run, now: Round) -> tuple[Book, tuple[Step, ...]]:
    """Write a round's book in the auditor's words, and what its clearing serves."""
    floors_mw, capacity_mw = limits(run)
    steps: list[Step] = []
    chosen: list[Step] = []
    assert now.clearing is not None
    for bid in now.bids:
        for bit, step in enumerate(bid.steps):
            worth_uc = min(step.worth_uc, PRICE_CAP_UC)
            order = (-worth_uc, not step.running, bid.received_mj, int(bid.bidder), bit)
            numbers = (worth_uc, step.power_mw, step.reserve_mw, step.running)
            steps.append(Step(str(bid.bidder), bit, *numbers, order))
            if now.clearing.served[bid.bidder] >> bit & 1:
                chosen.append(steps[-1])
    tiers: list[tuple[int, str, int]] = []
    passed_mw = 0
    for price_uc, name, power_mw in sorted((o.price_uc, o.source, o.power_mw) for o in now.offers):
        end_mw = min(passed_mw + power_mw, capacity_mw)
        if (over_mw := end_mw - max(passed_mw, floors_mw)) > 0:
            tiers.append((price_uc, name, over_mw))
        passed_mw = max(passed_mw, end_mw)
    is_over = floors_mw > capacity_mw
    room_mw = max(0, capacity_mw - floors_mw)
    book = Book(
        tuple(sorted(steps, key=lambda s: s.order)), tuple(tiers), room_mw, PRICE_CAP_UC, is_over
    )
    return book, tuple(chosen)


def lawful(book: Book) -> Iterator[tuple[int, frozenset[Step]]]:
    """Go through every lawful set, with its welfare."""
    for taken in product((False, True), repeat=len(book.steps)):
        steps = [step for step, is_taken in zip(book.steps, taken, strict=True) if is_taken]
        if book.is_lawful(steps):
            yield book.welfare(steps), frozenset(steps)


def is_excused(weighed: Weighed, welfare: int, other: frozenset[Step]) -> bool:
    """Whether a better set sheds what must run, or running steps for too little."""
    shed = [step for step in weighed.chosen if step not in other]
    if any(step.worth_uc >= PRICE_CAP_UC for step in shed):
        return True
    stake = sum(abs(step.worth_uc) * step.power_mw for step in shed if step.running)
    return bool(stake) and (welfare - weighed.welfare) * SHED_SHARE <= stake


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["sunny-day", "cloudy-day", "negative-noon", "greedy-node"])
def test_welfare_of_a_scenario_is_that_of_every_set_there_is(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[Weighed] = []

    def few(chance: random.Random) -> tuple[Node, ...]:
        return tuple(made(chance))[:NODES]

    def watched(run: Run, minute: int) -> Round:
        before = run.welfare, run.optimum, run.judged_rounds
        now = cleared(run, minute)
        if run.judged_rounds > before[2]:
            book, chosen = book_of(run, now)
            weighed.append(Weighed(book, chosen, run.welfare - before[0], run.optimum - before[1]))
        return now

    made = library.nodes
    monkeypatch.setattr(library, "nodes", few)
    monkeypatch.setattr(rack, "cleared", watched)
    run = rack.played(small(name), 1, seed)
    assert len(weighed) > 1440 // WELFARE_EVERY * 3 // 4
    tight = 0
    for each in weighed:
        assert len(each.book.steps) <= STEPS_MAX
        assert each.book.is_lawful(each.chosen)
        assert each.book.welfare(each.chosen) == each.welfare
        sets = list(lawful(each.book))
        assert max(welfare for welfare, _ in sets) == each.optimum
        better = [(w, other) for w, other in sets if w > each.welfare]
        assert all(is_excused(each, *pair) for pair in better)
        asked_mw = sum(step.reserve_mw for step in each.book.steps)
        tight += asked_mw > each.book.room_mw
    assert tight, "nothing was scarce, so nothing was shown"
    ratio = sum(each.welfare for each in weighed) / sum(each.optimum for each in weighed)
    assert result.figures(run)["welfare_ratio"] == pytest.approx(ratio, abs=1e-6)
