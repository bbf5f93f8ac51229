"""A script: what goes wrong in one run, and when; it all follows from seed, nodes and seconds."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.simulation import guest
from rackgrid.simulation.fault import Fault
from rackgrid.simulation.plot import PLOTS, Author
from rackgrid.simulation.recipe import FLOOR_W, WATT

FORM_NS = 3 * SECOND_NS
"""Nothing goes wrong before: the rack forms."""
HEAL_NS = 12 * SECOND_NS
"""At the end all is healed, and the rack has so long to become one again."""
SECONDS_MIN = 18
MARGIN_MS = 3100
"""What a rack of hanging firmwares needs, by default."""
SHARP_MS = 20
"""What links and contacts need, amply."""
NODES = (2, 12)
"""Fewest and most nodes of a simulated rack."""


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
        demote_ms, preempt_ms: how long a node is silent until it loses its vote, and steady until
            it gets the office that its rank gives it.
        feed_meter: whether the first node meters the feed.
        margin_ms: how long grants are waited for beyond their end.
        plot: the one that was asked for, or "" where they take turns.
        timed: the faults in the order of their moments.
    """

    seed: int
    nodes: int
    seconds: int
    capacity_mw: int
    sun_mw: int = 0
    reserve_mw: int = 0
    demote_ms: int = 300_000
    preempt_ms: int = 60_000
    feed_meter: bool = False
    margin_ms: int = MARGIN_MS
    plot: str = ""
    timed: tuple[Timed, ...] = ()

    def kept(self, places: Iterable[int]) -> Script:
        """Keep the faults at these places only, and the rack as it is."""
        return replace(self, timed=tuple(self.timed[place] for place in sorted(set(places))))


def scripted(seed: int, nodes: int, seconds: int, plot: str = "") -> Script:
    """Write the script of a seed.

    Args:
        nodes: within `NODES`; seconds: the whole run, at least `SECONDS_MIN`.
        plot: one of `PLOTS`; else they take turns.
    """
    if not NODES[0] <= nodes <= NODES[1]:
        raise ValueError(f"a simulated rack has {NODES[0]} to {NODES[1]} nodes, not {nodes}")
    if seconds < SECONDS_MIN:
        raise ValueError(
            f"a run takes at least {SECONDS_MIN} s, not {seconds}: the rack forms for"
            f" {FORM_NS // SECOND_NS} s and heals for {HEAL_NS // SECOND_NS} s"
        )
    if plot and plot not in PLOTS:
        raise ValueError(f"no plot {plot!r}: there are {', '.join(PLOTS)}")
    chance = random.Random(f"{seed} {nodes} {seconds}")  # noqa: S311 - to be replayed
    capacity_mw = nodes * chance.choice((10, 12)) * WATT
    sun_mw = chance.choice((0, capacity_mw // 4))
    author = Author(chance, nodes, capacity_mw, sun_mw)
    end_ns = seconds * SECOND_NS - HEAL_NS
    chosen = PLOTS[plot or list(PLOTS)[seed % len(PLOTS)]]
    written = chosen(author, chance.randrange(FORM_NS, end_ns) // MS_NS)
    faults = [(0, one) for one in author.weather(end_ns // MS_NS)]
    faults += author.noise(FORM_NS // MS_NS, end_ns // MS_NS)
    preempt_ms, feed_meter = chance.choice((3000, 60_000)), chance.random() < 0.5
    faults += author.planned(FORM_NS // MS_NS, end_ns // MS_NS)
    faults = written if author.is_calm else [*written, *faults]
    timed = sorted((Timed(ms * MS_NS, one) for ms, one in faults), key=lambda t: t.at_ns)
    comers = sum(isinstance(t.fault, guest.Join | guest.Leave | guest.Scrap) for t in timed)
    return Script(
        seed=seed,
        nodes=nodes,
        seconds=seconds,
        capacity_mw=capacity_mw,
        sun_mw=sun_mw,
        reserve_mw=comers * int(FLOOR_W * WATT),
        demote_ms=author.demote_ms,
        preempt_ms=preempt_ms,
        feed_meter=feed_meter,
        margin_ms=SHARP_MS if author.is_sharp else MARGIN_MS,
        plot=plot,
        timed=tuple(timed),
    )
