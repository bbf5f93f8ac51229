"""What the plant wrote down: the true draw of every load, and what may never be seen in it.

The trace is the only witness that no part of the rack can talk to: the plant knows what flows, and
no controller knows the plant.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

ROUNDING_W = 1e-6


@dataclass(frozen=True, slots=True)
class Draw:
    """One line of the plant's trace: from this moment on a node draws so much."""

    t_ns: int
    node: str
    watts: float
    loads: dict[str, float]


@dataclass(frozen=True, slots=True)
class Edge:
    """A load began or ceased to draw."""

    t_ns: int
    node: str
    load: str
    on: bool


def lines(path: Path) -> list[dict[str, object]]:
    """Read the complete lines of a trace; none while there is no file."""
    if not path.exists():
        return []
    *whole, _ = path.read_text().split("\n")
    return [json.loads(line) for line in whole]


def draws(path: Path) -> list[Draw]:
    """Read the plant's trace."""
    found: list[Draw] = []
    for line in lines(path):
        t_ns, watts, loads = line["t_ns"], line["watts"], line["loads"]
        assert isinstance(t_ns, int)
        assert isinstance(watts, float)
        assert isinstance(loads, dict)
        found.append(Draw(t_ns, str(line["node"]), watts, loads))
    return found


def edges(trace: Iterable[Draw]) -> list[Edge]:
    """Say when each load began and ceased to draw."""
    now: dict[tuple[str, str], bool] = {}
    found: list[Edge] = []
    for draw in trace:
        for load, watts in draw.loads.items():
            on = watts > 0
            if now.get((draw.node, load), False) != on:
                found.append(Edge(draw.t_ns, draw.node, load, on))
            now[draw.node, load] = on
    return found


def peak_w(trace: Iterable[Draw]) -> float:
    """Find the most that all nodes ever drew together; changes of one moment count as one."""
    watts: dict[str, float] = {}
    peak = 0.0
    for _, moment in itertools.groupby(trace, attrgetter("t_ns")):
        watts.update((draw.node, draw.watts) for draw in moment)
        peak = max(peak, sum(watts.values()))
    return peak


def breaches(trace: Iterable[Draw], capacity_w: float, required: Iterable[str]) -> list[str]:
    """Find every moment at which the feed gave too much, or a required load got nothing.

    Args:
        trace: in order of time.
        capacity_w: of the feed.
        required: names of the loads that are never off once they have been on.
    """
    found: list[str] = []
    watts: dict[str, float] = {}
    for t_ns, moment in itertools.groupby(trace, attrgetter("t_ns")):
        for draw in moment:
            off = [load for load in required if load in draw.loads and not draw.loads[load]]
            if draw.node in watts:
                found += (f"{t_ns}: {draw.node} {load} is off" for load in off)
            watts[draw.node] = draw.watts
        total_w = sum(watts.values())
        if total_w > capacity_w + ROUNDING_W:
            found.append(f"{t_ns}: {total_w:.3f} W of {capacity_w} W: {watts}")
    return found
