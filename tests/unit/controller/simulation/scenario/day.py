"""One day of each scenario, played once for all tests."""

from __future__ import annotations

from functools import cache

from rackgrid.simulation.scenario import library
from rackgrid.simulation.scenario.load import Load
from rackgrid.simulation.scenario.rack import played
from rackgrid.simulation.scenario.run import Run

NAMES = library.names()


@cache
def day(name: str, seed: int = 1) -> Run:
    return played(library.scenario(name), 1, seed)


def loads_of(run: Run) -> list[Load]:
    return [load for node in run.nodes for load in node.loads]
