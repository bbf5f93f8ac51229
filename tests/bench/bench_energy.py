"""How far the counters of energy are from what the loads truly took.

    python tests/bench/bench_energy.py [--hours 1] [--seed 1]

A register-true INA219 before each of five loads that switch all the time: pulse-width modulation, a
motor, a supply with empty capacitors, a thermostat-like cycle, a lamp with a cold filament. Each is
switched on and off at random, a minute apart on average, and looked at closely while it starts, as
the firmware does it. A transfer takes its time on the wire (100 kbit/s), and the reader comes late
by up to 2 ms. The clock is virtual; the truth is the plant's.

Once on a stiff feed; once on one of half an ohm, where voltage and current, sampled apart, are no
longer independent. What that costs at most is stated beside it: the chip shows V at a moment, and
I as a mean, so that V·I lacks their covariance, which at a feed of R ohm is -R·var(I) for a load
alone; if it is on for a part d of its time, that is a share R·(1-d)·I_on/V of its energy.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Final

from rackgrid_firmware.board import LOOK_NS
from rackgrid_firmware.chip import open_chip
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.meter import Sampler
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.wiring import ChipWiring, LoadWiring, NodeWiring
from rackgrid_firmware.profile import MeterMock, MeterProfile
from rackgrid_firmware.profile_mock import BoardMock, LoadMock

S: Final = 1_000_000_000
TRANSFER_NS: Final = 480_000
"""48 bits of a word's read, each 10 µs."""
LATE_NS: Final = 2_000_000
INRUSH_S: Final = 0.4
SHUNT_OHMS: Final = 0.1
DRAW_W: Final = 9.0
LOADS: Final = {
    "pwm": LoadMock(kind="pwm", hz=50.0, duty=0.4),
    "motor": LoadMock(kind="motor"),
    "supply": LoadMock(kind="supply"),
    "cycle": LoadMock(kind="cycle", period_s=3.0, duty=0.5),
    "lamp": LoadMock(kind="lamp"),
}
DUTIES: Final = {"pwm": 0.4, "cycle": 0.5}


class World:
    """The plant at a virtual time, behind a bus that takes its time."""

    def __init__(self, ohms: float, seed: int) -> None:
        self.now_ns = 0
        self.plant = Plant(seed=seed, ohms=ohms)
        loads = tuple(
            LoadWiring(name, 10 + at, True, False, 24.0, 30.0, INRUSH_S, DRAW_W, 0.03, name, kind)
            for at, (name, kind) in enumerate(LOADS.items())
        )
        chips = tuple(
            ChipWiring(name, 1, 0x40 + at, SHUNT_OHMS, 0.0) for at, name in enumerate(LOADS)
        )
        self.plant.plug(0, NodeWiring("n1", 3.0, loads, chips, BoardMock()))

    def clock(self) -> int:
        """The virtual CLOCK_MONOTONIC, ns."""
        return self.now_ns

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        """As SMBus does it: the low byte first."""
        del force
        self.now_ns += TRANSFER_NS
        word = self.plant.read_word(self.now_ns, "n1", 1, i2c_addr, register)
        return (word & 0xFF) << 8 | word >> 8

    def write_word_data(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> None:
        """As SMBus does it: the low byte first."""
        del force
        self.now_ns += TRANSFER_NS
        word = (value & 0xFF) << 8 | value >> 8
        self.plant.write_word(self.now_ns, "n1", 1, i2c_addr, register, word)

    def close(self) -> None:
        """Nothing to let go of."""


def metered(hours: float, ohms: float, seed: int) -> dict[str, object]:
    """Let the hours pass; what each meter counted against the truth."""
    world, chance, began = World(ohms, seed), random.Random(seed), time.process_time()
    bus = Bus(1, lambda _: world)
    meters = [
        MeterProfile(n, "ina219", 1, 0x40 + i, SHUNT_OHMS, 3.2, "energy", 1.0, 0.0, MeterMock())
        for i, n in enumerate(LOADS)
    ]
    sampler = Sampler([open_chip(each, bus, world.clock) for each in meters], world.clock)
    sampler.poll()
    world.now_ns += S
    sampler.poll()
    first = world.plant.energy(world.now_ns).nodes["n1"]
    switches = dict.fromkeys(LOADS, world.now_ns)
    on = dict.fromkeys(LOADS, False)
    end_ns = world.now_ns + round(hours * 3600 * S)
    starts = 0
    while world.now_ns < end_ns:
        due_ns = sampler.poll()
        for at, name in enumerate(LOADS):
            if switches[name] <= world.now_ns:
                on[name] = not on[name]
                switches[name] = world.now_ns + round(chance.expovariate(1 / 60) * S)
                world.plant.drive(world.now_ns, "n1", 10 + at, on[name])
                if on[name]:
                    starts += 1
                    until_ns = world.now_ns + round(INRUSH_S * S) + LOOK_NS
                    sampler.hurry(name, until_ns)
                    due_ns = world.now_ns
        world.now_ns = max(due_ns, world.now_ns) + chance.randrange(LATE_NS)
    world.plant.take_draws()
    for at in range(len(LOADS)):
        world.plant.drive(world.now_ns, "n1", 10 + at, False)
    end_ns = world.now_ns + S  # each meter shall have seen the end
    while world.now_ns < end_ns:
        world.now_ns = max(sampler.poll(), world.now_ns) + chance.randrange(LATE_NS)
    truth = world.plant.energy(world.now_ns).nodes["n1"]
    found: dict[str, object] = {"ohms": ohms, "starts": starts}
    for reading in sampler.latest():
        name = reading.meter
        true_j = truth[name] - first[name]
        line = {
            "true_j": round(true_j, 1),
            "error_percent": round(100 * (reading.energy_mj / 1000 - true_j) / true_j, 4),
            "estimated_percent": round(reading.estimated_mj / 10 / true_j, 4),
        }
        if name in DUTIES:
            share = ohms * (1 - DUTIES[name]) * (DRAW_W / DUTIES[name] / 12.0) / 12.0
            line["covariance_percent"] = round(100 * share, 3)
        found[name] = line
    found["cpu_s"] = round(time.process_time() - began, 1)
    return found


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for ohms in (0.0, 0.5):
        print(json.dumps(metered(given.hours, ohms, given.seed)), flush=True)


if __name__ == "__main__":
    main()
