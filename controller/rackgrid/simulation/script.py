"""A script: what goes wrong in one run, and when; all of it follows from seed, nodes and seconds.

Three of four scripts have a plot beside their random faults, because random faults alone let real
bugs live: they hardly ever restart the one voter that two halves share, within the milliseconds
that matter.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.simulation import fault, weather
from rackgrid.simulation.fault import BROKER, Fault
from rackgrid.simulation.recipe import FLOOR_W, WATT

FORM_NS = 3 * SECOND_NS
"""Nothing goes wrong before: the rack forms."""
HEAL_NS = 12 * SECOND_NS
"""At the end all is healed, and the rack has so long to become one again."""
SECONDS_MIN = 18
NODES = (2, 12)
"""Fewest and most nodes of a simulated rack."""
RHO_PPM = 10_000
GAP_MS = (50, 2500)
"""Between two faults."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A fault and its moment."""

    at_ns: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.at_ns / 1e6:9.1f} ms  {self.fault}"


@dataclass(frozen=True, slots=True)
class Script:
    """One run, in full.

    Attributes:
        capacity_mw: of the feed; sun_mw: the part of it that one node alone speaks for.
        reserve_mw: kept free for those who join and leave.
        timed: the faults in the order of their moments.
    """

    seed: int
    nodes: int
    seconds: int
    capacity_mw: int
    sun_mw: int
    reserve_mw: int
    timed: tuple[Timed, ...]

    def kept(self, places: Iterable[int]) -> Script:
        """Keep the faults at these places only, and the rack as it is."""
        return replace(self, timed=tuple(self.timed[place] for place in sorted(set(places))))


def scripted(seed: int, nodes: int, seconds: int) -> Script:
    """Write the script of a seed.

    Args:
        nodes: within `NODES`; seconds: the whole run, at least `SECONDS_MIN`.
    """
    if not NODES[0] <= nodes <= NODES[1]:
        raise ValueError(f"a simulated rack has {NODES[0]} to {NODES[1]} nodes, not {nodes}")
    if seconds < SECONDS_MIN:
        raise ValueError(
            f"a run takes at least {SECONDS_MIN} s, not {seconds}: the rack forms for"
            f" {FORM_NS // SECOND_NS} s and heals for {HEAL_NS // SECOND_NS} s"
        )
    chance = random.Random(f"{seed} {nodes} {seconds}")  # noqa: S311 - to be replayed
    capacity_mw = nodes * chance.choice((10, 12)) * WATT
    sun_mw = chance.choice((0, capacity_mw // 4))
    author = _Author(chance, nodes, capacity_mw, sun_mw)
    end_ns = seconds * SECOND_NS - HEAL_NS
    plot = PLOTS[seed % len(PLOTS)](author, chance.randrange(FORM_NS, end_ns))
    timed = sorted([*plot, *author.weather(end_ns), *author.noise(end_ns)], key=lambda t: t.at_ns)
    comers = sum(isinstance(t.fault, fault.Join | fault.Leave) for t in timed)
    return Script(
        seed=seed,
        nodes=nodes,
        seconds=seconds,
        capacity_mw=capacity_mw,
        sun_mw=sun_mw,
        reserve_mw=comers * int(FLOOR_W * WATT),
        timed=tuple(timed),
    )


class _Author:
    """Thinks of faults, one rack's chance at hand."""

    def __init__(self, chance: random.Random, nodes: int, capacity_mw: int, sun_mw: int) -> None:
        self.chance = chance
        self.nodes = nodes
        self.capacity_mw = capacity_mw
        self.sun_mw = sun_mw
        self.comes_and_goes = chance.random() < 0.2

    def weather(self, end_ns: int) -> list[Timed]:
        """A network that is bad from the start, now and then."""
        for_ms = end_ns // MS_NS
        faults: list[Fault] = []
        if percent := self.chance.choice((0, 0, 5, 20)):
            faults.append(weather.Loss(percent, for_ms))
        if percent := self.chance.choice((0, 0, 10)):
            faults.append(weather.Duplication(percent, for_ms))
        if mean_ms := self.chance.choice((0, 0, 2, 30, 200)):
            faults.append(weather.Delay(mean_ms, for_ms))
        return [Timed(0, one) for one in faults]

    def noise(self, end_ns: int) -> list[Timed]:
        """Random faults until all is healed."""
        timed: list[Timed] = []
        now_ns = FORM_NS
        while now_ns < end_ns:
            timed.append(Timed(now_ns, self._any()))
            now_ns += self.chance.randrange(*GAP_MS) * MS_NS
        if self.comes_and_goes:
            timed += self._guests(end_ns)
        return timed

    def node(self) -> int:
        """Any node, or whoever leads."""
        return self.chance.randint(BROKER, self.nodes)

    def others(self, node: int, count: int) -> tuple[int, ...]:
        """Some nodes beside this one."""
        rest = [n for n in range(1, self.nodes + 1) if n != node]
        return tuple(sorted(self.chance.sample(rest, min(count, len(rest)))))

    def ms(self, low: int, high: int) -> int:
        """A span, ms."""
        return self.chance.randint(low, high)

    def _any(self) -> Fault:
        chance, capacity_mw = self.chance, self.capacity_mw
        choices: tuple[Callable[[], Fault], ...] = (
            lambda: fault.Kill(BROKER),
            lambda: fault.Kill(self.node()),
            lambda: fault.Restart(self.node()),
            lambda: fault.Amnesia(self.node()),
            lambda: fault.PowerCycle(self.node(), self.ms(0, 20_000)),
            fault.Revive,
            fault.Revive,
            lambda: fault.Partition(self.others(BROKER, chance.randint(1, 2))),
            lambda: fault.Partition((BROKER,)),
            lambda: fault.CutOneWay(self.node(), self.node()),
            fault.Heal,
            fault.Heal,
            lambda: weather.Loss(chance.choice((10, 50, 100)), self.ms(100, 2000)),
            lambda: weather.Duplication(50, self.ms(100, 2000)),
            lambda: weather.Delay(chance.choice((20, 200, 800)), self.ms(100, 2000)),
            lambda: fault.SlowLink(self.node(), self.ms(20, 900), self.ms(200, 3000)),
            lambda: fault.ClockRate(self.node(), chance.choice((-RHO_PPM, 0, RHO_PPM))),
            lambda: fault.FullDraw(self.node()),
            lambda: fault.Capacity(capacity_mw * chance.choice((75, 90)) // 100),
            lambda: fault.Capacity(capacity_mw),
            lambda: fault.Sun(self.sun_mw and chance.choice((0, self.sun_mw))),
        )
        return chance.choice(choices)()

    def _guests(self, end_ns: int) -> list[Timed]:
        """One node comes or one goes, or both; never the one that speaks for the sun."""
        guests: list[Fault] = []
        if self.chance.random() < 0.7:
            guests.append(fault.Join(self.nodes + 1))
        if self.nodes > 3 and self.chance.random() < 0.7:
            guests.append(fault.Leave(self.chance.randint(3, self.nodes)))
        return [Timed(self.chance.randrange(FORM_NS, end_ns), guest) for guest in guests]


def _no_plot(_author: _Author, _at_ns: int) -> list[Timed]:
    return []


def _bridge(author: _Author, at_ns: int) -> list[Timed]:
    """Two halves share one voter, which restarts at once and forgets whom it has acked."""
    shared = author.ms(1, author.nodes)
    cut = fault.Bridge(author.others(shared, author.nodes // 2), shared)
    again_ns = at_ns + author.ms(1, 600) * MS_NS
    return [
        Timed(at_ns, cut),
        Timed(again_ns, fault.Amnesia(shared)),
        Timed(again_ns + author.ms(5, 900) * MS_NS, fault.Amnesia(shared)),
    ]


def _slow_broker(author: _Author, at_ns: int) -> list[Timed]:
    """A broker's last grants are still on their way when it dies and another leads."""
    late = fault.SlowLink(BROKER, author.ms(100, 1500), 3000)
    dies_ns = at_ns + author.ms(10, 800) * MS_NS
    return [Timed(at_ns, late), Timed(dies_ns, fault.Kill(BROKER))]


def _clock_reset(author: _Author, at_ns: int) -> list[Timed]:
    """A node and then the broker lose power: their clocks begin anew, near zero or near another."""
    node = author.ms(1, author.nodes)
    first = fault.PowerCycle(node, author.ms(0, 50))
    second_ns = at_ns + author.ms(1, 900) * MS_NS
    return [
        Timed(at_ns, first),
        Timed(second_ns, fault.PowerCycle(BROKER, author.ms(0, 5000))),
    ]


PLOTS: tuple[Callable[[_Author, int], list[Timed]], ...] = (
    _no_plot,
    _bridge,
    _slow_broker,
    _clock_reset,
)
