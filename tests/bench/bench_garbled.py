"""What becomes of samples that the bus garbles, two words of each: wrong readings, and false trips.

    python tests/bench/bench_garbled.py [--samples 2000]

Each chip's driver on its register-true chip, a steady tenth of its range, a trip at three tenths;
after each garbled sample a sound one. A reading counts as wrong if it is off by more than a
thirtieth of the range or 1.3 V, which is what a driver may believe unseen in its slow profile.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.firmware.chip_desk import INA219, INA226, INA260, INA3221, Desk

from rackgrid_firmware.meter import Chip
from rackgrid_firmware.mock.fault import Fault
from rackgrid_firmware.registers import Sample

SHARE, LIMIT_SHARE, OFF_SHARE, OFF_V = 0.1, 0.3, 1 / 30, 1.3
VOLTS = 12.0
LOOK_NS = 50_000


def taken(desk: Desk, driver: Chip) -> Sample:
    """Look again each 50 us, as transfers take their time, until there is a new sample."""
    while (sample := driver.sample()) is None:
        desk.now_ns += LOOK_NS
    return sample


def main() -> None:
    """Print a line of JSON for each chip and profile."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--samples", type=int, default=2000)
    given = parser.parse_args()
    for kind in (INA219, INA226, INA260, INA3221):
        for profile in ("energy", "fast", "inrush"):
            desk = Desk(kind)
            desk.limit_a = LIMIT_SHARE * kind.full_a
            desk.feel(VOLTS, SHARE * kind.full_a)
            driver = desk.opened(profile=profile)
            for _ in range(6):
                taken(desk, driver)
            wrong = beyond = 0
            for _ in range(given.samples):
                desk.faults.add(Fault.GARBAGE, count=2)
                for sample in (taken(desk, driver), taken(desk, driver)):
                    off_a = abs(sample.amps - SHARE * kind.full_a)
                    wrong += off_a > OFF_SHARE * kind.full_a or abs(sample.volts - VOLTS) > OFF_V
                    beyond += abs(sample.amps) >= desk.limit_a
            found = {"chip": kind.driver, "profile": profile, "garbled": given.samples}
            print(json.dumps(found | {"wrong": wrong, "would_trip": beyond}), flush=True)


if __name__ == "__main__":
    main()
