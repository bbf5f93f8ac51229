"""Scenarios: what days in the life of a rack cost, and how long it takes to live through them.

Seven days of twelve nodes with three loads each, a round a minute, at market level. Figures to
reach: 120 s of CPU for a scenario; on the sunny day at least 25 % below a flat all-day schedule of
the same energy, nothing required unserved, at most 20 switches of a load on a day.

    python tests/bench/bench_scenario.py [--days 7] [--seed 1] [--scenario NAME] [--json]
"""

from __future__ import annotations

import argparse
import json
import time

from rackgrid.simulation.scenario import library
from rackgrid.simulation.scenario.rack import played
from rackgrid.simulation.scenario.result import figures

SHOWN = (
    "energy_wh",
    "cost",
    "saving",
    "saving_all_on_percent",
    "switches_per_load_day_max",
    "unserved_required_wh",
    "late_wh",
    "welfare_ratio",
)


def measured(name: str, days: int, seed: int) -> dict[str, object]:
    """Play a scenario; CPU time, s, beside its figures."""
    began = time.process_time()
    run = played(library.scenario(name), days, seed)
    cpu_s = time.process_time() - began
    return {"cpu_s": round(cpu_s, 2), **figures(run)}


def main() -> None:
    """Measure and print a line for each scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenario", choices=library.names())
    parser.add_argument("--json", action="store_true", help="JSON lines with every figure")
    args = parser.parse_args()
    for name in [args.scenario] if args.scenario else library.names():
        found = measured(name, args.days, args.seed)
        if args.json:
            print(json.dumps(found), flush=True)
        else:
            shown = ", ".join(f"{key} {found[key]}" for key in SHOWN)
            print(f"{name:14} {found['cpu_s']:6} s: {shown}", flush=True)


if __name__ == "__main__":
    main()
