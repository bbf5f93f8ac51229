"""How fast the mock world passes an hour, and how many changes that is.

    python tests/bench/bench_plant.py [--hours 1]

A node with a load of each kind, switched once a minute, a panel under clouds and a battery; once
with nobody looking at its meters, once with each of its three meters read 15 times a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.firmware.mock.test_rail import node

from rackgrid_firmware.mock.chip import BUS, SHUNT
from rackgrid_firmware.mock.plant import Plant

S = 1_000_000_000
READ_NS = S // 15


def passed(hours: float, *, reads: bool) -> dict[str, float]:
    """Let the hours pass; how long that took, and what happened."""
    plant, draws, transfers = Plant(seed=1), 0, 0
    plant.plug(0, node())
    began = time.process_time()
    now_ns, end_ns, minute = 0, round(hours * 3600 * S), 0
    while now_ns < end_ns:
        now_ns += READ_NS if reads else 60 * S
        if now_ns >= minute * 60 * S:
            for gpio in range(10, 18):
                plant.drive(now_ns, "n1", gpio, (minute + gpio) % 3 > 0)
            minute += 1
            draws += len(plant.take_draws())
        if reads:
            for address in (0x41, 0x42, 0x43):
                for register in (BUS, SHUNT):
                    plant.read_word(now_ns, "n1", 1, address, register)
                    transfers += 1
    seconds = time.process_time() - began
    return {
        "cpu_s": round(seconds, 2),
        "times_real": round(hours * 3600 / seconds),
        "changes": draws,
        "transfers": transfers,
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--hours", type=float, default=1.0)
    hours = parser.parse_args().hours
    print(json.dumps({"hours": hours, "unread": passed(hours, reads=False)}))
    print(json.dumps({"hours": hours, "read": passed(hours, reads=True)}))


if __name__ == "__main__":
    main()
