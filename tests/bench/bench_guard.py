"""A million random histories of the guard with every rule in force, each judged at every event.

The judge is that of `tests/unit/firmware/unruly.py`, which the unit tests use for some thousands.
A broken rule ends the run with its seed, which plays it again.

    python tests/bench/bench_guard.py [--histories 1000000] [--from 0]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.firmware.unruly import EVENTS, play


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1_000_000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    given = parser.parse_args()
    begun_s = time.monotonic()
    for seed in range(given.first, given.first + given.histories):
        try:
            play(seed)
        except Exception as fault:  # noqa: BLE001 - whatever it is, its seed plays it again
            print(json.dumps({"seed": seed, "broken": repr(fault)}))
            return 1
    took_s = time.monotonic() - begun_s
    figures = {"histories": given.histories, "events": given.histories * EVENTS, "broken": 0}
    print(json.dumps({**figures, "histories_per_s": round(given.histories / took_s)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
