"""Random sequences of faults, at the level of one meter and of one guard, each judged all along.

A sequence of a meter is a story of `tests/unit/firmware/troubled.py` (a bus that loses, hangs and
garbles, resets, another chip in the place), one of a guard a history of `unruly.py` (deadlines,
trips, lockouts, interlocks, budgets). A broken rule ends the run with its seed, which plays it
again.

    python tests/bench/bench_faults.py [--sequences 1000000] [--from 0]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.firmware import troubled, unruly


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1_000_000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    given = parser.parse_args()
    begun_s = time.monotonic()
    for seed in range(given.first, given.first + given.sequences):
        try:
            if seed % 2:
                unruly.play(seed)
            else:
                troubled.Story(seed).play()
        except Exception as fault:  # noqa: BLE001 - whatever it is, its seed plays it again
            print(json.dumps({"seed": seed, "broken": repr(fault)}))
            return 1
    took_s = time.monotonic() - begun_s
    figures = {"sequences": given.sequences, "broken": 0}
    print(json.dumps({**figures, "sequences_per_s": round(given.sequences / took_s)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
