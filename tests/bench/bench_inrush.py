"""How many of the conversions that INA219s make in their fastest profile are read, and how often.

    python tests/bench/bench_inrush.py [--seconds 5] [--seed 1] [--late-us 50] [--overhead-us 0]

Register-true chips, each at a pace of its own within the datasheet's, on a bus that takes the
wire's time; the sampler reads them as it does on a Pi, and is late by up to `--late-us` each time
it waits. `--overhead-us` is what the kernel's driver adds to each transfer. The clock is virtual:
nothing here depends on this machine. Beside the figures stands what the wire allows: the share that
two transfers a sample can read when nothing is ever looked for.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from typing import Final

from rackgrid_firmware.device import Reading
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.ina219 import Ina219
from rackgrid_firmware.meter import Sampler
from rackgrid_firmware.mock.audit import Audit
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.wire import READ_BITS, TimedBus, VirtualClock
from rackgrid_firmware.profile import MeterMock, MeterProfile

COUNTS: Final = (1, 4, 16)
HERTZ: Final = (100_000, 400_000)


@dataclass(frozen=True, slots=True)
class Late:
    """How far the machine is from an ideal one.

    Attributes:
        wake_us: the sampler wakes up so much too late at most, µs.
        overhead_us: the kernel's driver takes so long beside each transfer, µs.
    """

    wake_us: float
    overhead_us: float


def measured(count: int, hertz: int, late: Late, seconds: float, seed: int) -> dict[str, object]:
    """Let the seconds pass; how `count` chips on one bus were read."""
    chance, clock = random.Random(seed), VirtualClock()
    paces = [1.0, *(chance.uniform(0.95, 1.1) for _ in range(count - 1))]
    chips = {
        0x40 + at: Ina219Chip(clock(), seed=seed + at, pace=pace) for at, pace in enumerate(paces)
    }
    for chip in chips.values():
        chip.feel(clock(), 0.05, 12.0)
    audit = Audit(MockSMBus(ChipPort(chips, clock)), chips)
    wire = TimedBus(audit, clock, hertz, round(late.overhead_us * 1e3))
    bus = Bus(1, lambda _: wire)
    addresses = {f"m{address:x}": address for address in chips}
    meters = [
        MeterProfile(name, "ina219", 1, address, 0.1, 3.2, "inrush", 1.0, 0.0, MeterMock())
        for name, address in addresses.items()
    ]

    def on_reading(reading: Reading) -> None:
        audit.took(addresses[reading.meter])

    sampler = Sampler([Ina219(bus, each, clock) for each in meters], clock, on_reading)
    end_ns = clock() + round(seconds * 1e9)
    while clock() < end_ns:
        clock.until(sampler.poll())
        clock.sleep(chance.random() * late.wake_us * 1e-6)
    tallies = [audit.tally(address) for address in chips]
    read, made = sum(each.samples for each in tallies), sum(each.converted for each in tallies)
    transfer_s = READ_BITS / hertz + late.overhead_us * 1e-6
    return {
        "chips": count,
        "hertz": hertz,
        "read_percent": round(100 * (read - sum(each.twice for each in tallies)) / made, 2),
        "wire_allows_percent": round(100 * min(1.0, seconds / (2 * transfer_s) / made), 2),
        "read_twice": sum(each.twice for each in tallies),
        "transfers_per_sample": round(wire.transfers / read, 3),
        "samples_per_s": round(read / seconds, 1),
    }


def main() -> None:
    """Print the figures as JSON lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--late-us", type=float, default=50.0)
    parser.add_argument("--overhead-us", type=float, default=0.0)
    parser.add_argument("--json", action="store_true", help="the only way it prints")
    given = parser.parse_args()
    late = Late(given.late_us, given.overhead_us)
    for hertz in HERTZ:
        for count in COUNTS:
            print(json.dumps(measured(count, hertz, late, given.seconds, given.seed)))


if __name__ == "__main__":
    main()
