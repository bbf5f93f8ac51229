"""Many scripts, on as many processes as are wanted: the same outcomes, in the same order."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

from rackgrid.simulation.run import Outcome, run
from rackgrid.simulation.script import Script

CHUNK = 4
"""Scripts handed to a process at a time: few, so that the last ones end together."""
JOBS_MAX = 64
GARBAGE = (50_000, 20, 50)
"""When a process looks for cycles. A run makes many values and hardly a cycle: by Python's own
thresholds a sixth of the time goes into looking for them."""


def outcomes(scripts: Iterable[Script], jobs: int) -> Iterator[Outcome]:
    """Run the scripts, `jobs` at a time; the outcomes come in the scripts' order.

    What comes back carries no transcript: it is long, and a script writes the same one again.

    Raises:
        concurrent.futures.process.BrokenProcessPool: a process was killed (out of memory).
    """
    if jobs == 1:
        usual = gc.get_threshold()
        seldom_look()
        try:
            yield from map(brief, scripts)
        finally:
            gc.unfreeze()
            gc.set_threshold(*usual)
        return
    # Started afresh and not forked: a fork inherits whatever threads its parent had in mid-act.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=seldom_look) as pool:
        yield from pool.map(brief, scripts, chunksize=CHUNK)


def seldom_look() -> None:
    """Leave what is loaded out of the search for cycles, and search less often."""
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def brief(script: Script) -> Outcome:
    """Run one script, and leave its transcript behind."""
    return replace(run(script), lines=())
