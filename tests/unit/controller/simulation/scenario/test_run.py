"""A run: counters of everybody, and a digest of all that is noted."""

from __future__ import annotations

import random
from dataclasses import replace

from rackgrid.simulation.scenario import library
from rackgrid.simulation.scenario.run import Minute, Run

MINUTE = Minute(0, 300_000, 5_000, 300_000, 0, 9_000, 0, 0, {"grid": 300_000}, (True, False))


def fresh() -> Run:
    chance = random.Random(1)
    return Run(library.scenario("sunny-day"), 1, chance, library.nodes(chance), ())


def test_counters_are_those_of_nodes_and_of_loads() -> None:
    run = fresh()
    run.nodes[0].counter_mj, run.nodes[0].loads[1].counter_mj = 5, 7
    counters = run.counters_mj()
    assert len(counters) == 36
    assert counters["node-01"] == 5
    assert counters[run.nodes[0].loads[1].name] == 7


def test_digest_is_of_every_minute_and_of_who_was_on() -> None:
    digests: list[str] = []
    for minute in (MINUTE, MINUTE, replace(MINUTE, on=(True, True))):
        run = fresh()
        run.note(minute)
        assert run.minutes == [minute]
        digests.append(run.digest)
    assert digests[0] == digests[1] != digests[2]
