"""Makes a failing script small: what is left is what it takes to fail.

Chunks of faults are left out while the rest still fails: halves first, then quarters, down to one
by one. A smaller script may fail in another way than the first; that is a find, not a fault.

Source: Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input" (ddmin,
here without its re-testing of complements: a run costs more than what that would save).
"""

from __future__ import annotations

from collections.abc import Callable

from rackgrid.simulation.script import Script

RUNS_MAX = 100


def shrunk(script: Script, fails: Callable[[Script], bool], runs_max: int = RUNS_MAX) -> list[int]:
    """Find few faults of a failing script that still fail together.

    Args:
        fails: runs a script and says whether it fails.
        runs_max: so often at most.

    Returns:
        The places of the faults that are left, for `Script.kept`.
    """
    places = list(range(len(script.timed)))
    size = max(1, len(places) // 2)
    runs = 0
    while runs < runs_max and places:
        before = len(places)
        start = 0
        while start < len(places) and runs < runs_max:
            fewer = places[:start] + places[start + size :]
            runs += 1
            if fails(script.kept(fewer)):
                places = fewer
            else:
                start += size
        if size == 1 and len(places) == before:
            break  # no single fault can be left out any more
        size = max(1, size // 2)
    return places
