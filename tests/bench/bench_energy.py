"""How far the counters of energy are from what the loads truly took, on a stiff and a soft feed.

    python tests/bench/bench_energy.py [--hours 1] [--seed 1] [--hertz 400000] [--late-us 2000]

Register-true chips before five loads that switch all the time: pulse-width modulation, a motor, a
supply with empty capacitors, a thermostat-like cycle, a lamp with a cold filament. Each is switched
on and off at random, a minute apart on average, and looked at closely while it starts, as the
firmware does it. The chips share one bus, a transfer takes its time on the wire, and the reader
comes late by up to `--late-us`. The clock is virtual; the truth is the plant's. The feed has 12.05
V, which is no whole step of any converter's.

On a feed of half an ohm voltage and current are no longer independent, and who samples them apart
loses their covariance: of a load alone -R·var(I), with the variance within one of the meter's
cycles (`inside_percent`, of the energy; what is slower the meter sees); the variance over all the
time bounds it (`bound_percent`). Ways to meter:

    energy      the profile of that name: the shunt 128 times, the bus once
    looks       the same with `feed_ohms`: V and I by turns for 69 ms now and then (`covariance`)
    alike       shunt and bus 64 times each: both averaged, the shunt half of the time
    fast        V and I by turns all the time, 12 bit each
    inrush      as fast, with 9 bit of V
    ina226, ina226_fast   an INA226 in these two profiles, for comparison
    poll        one look at V and I a second, as dashboards do it

`fast` also says what it would have counted with other pairs: `before_after` takes V with the mean
of I on both sides of it, `line` with I at that moment, by the line through two I on either side.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.spread import Spread

from rackgrid_firmware.board import look_ns
from rackgrid_firmware.chip import open_chip
from rackgrid_firmware.device import Reading
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.meter import Sampler
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.wire import READ_BITS, WRITE_BITS
from rackgrid_firmware.mock.wiring import ChipWiring, LoadWiring, NodeWiring
from rackgrid_firmware.profile import MeterMock, MeterProfile
from rackgrid_firmware.profile_mock import BoardMock, LoadMock
from rackgrid_firmware.registers import BUS, BUS_V_PER_LSB, SHUNT, SHUNT_V_PER_LSB, bus_raw, signed

S: Final = 1_000_000_000
CYCLE_NS: Final = 68_632_000
"""Of the profile "energy"."""
FAST_NS: Final = 1_064_000
OPEN_V: Final = 12.05
SOFT_OHMS: Final = 0.5
INRUSH_S: Final = 0.4
INRUSH_W: Final = 20.0
"""With all the others on, what half an ohm lets through is still within the meter's range."""
DRAW_W: Final = 9.0
STIFF_PERCENT: Final = 0.1
"""What the counters may be off on a stiff feed, without the chips' own errors."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to meter: the chip, and how it converts."""

    driver: str = "ina219"
    profile: str = "energy"
    adc: str = ""
    feed_ohms: float = 0.0

    @property
    def shunt_ohms(self) -> float:
        """Of the shunt: an INA226 ends at 82 mV."""
        return 0.1 if self.driver == "ina219" else 0.02

    def meter(self, name: str, at: int) -> MeterProfile:
        """Make the profile of a meter."""
        return MeterProfile(
            *(name, self.driver, 1, 0x40 + at, self.shunt_ohms, 3.2, self.profile, 1.0, 0.0),
            MeterMock(),
            shunt_adc=self.adc,
            bus_adc=self.adc,
            feed_ohms=self.feed_ohms,
        )


WAYS: Final = {
    "energy": Way(),
    "looks": Way(feed_ohms=SOFT_OHMS),
    "alike": Way(adc="64x"),
    "fast": Way(profile="fast"),
    "inrush": Way(profile="inrush"),
    "ina226": Way("ina226"),
    "ina226_fast": Way("ina226", "fast"),
    "poll": Way(),
}


def kinds(hz: float) -> dict[str, LoadMock]:
    """Give the five loads; the first one pulses so fast."""
    return {
        "pwm": LoadMock(kind="pwm", hz=hz, duty=0.4),
        "motor": LoadMock(kind="motor"),
        "supply": LoadMock(kind="supply"),
        "cycle": LoadMock(kind="cycle", period_s=3.0, duty=0.5),
        "lamp": LoadMock(kind="lamp"),
    }


class World:
    """The plant at a virtual time, behind a bus that takes its time."""

    def __init__(self, ohms: float, seed: int, way: Way, given: argparse.Namespace) -> None:
        self.now_ns = 0
        self.transfers = 0
        self.plant_s = 0.0
        """CPU time that the plant took, s."""
        self.ohms = ohms
        self.kinds = kinds(given.hz)
        self.plant = Plant(seed=seed, ohms=ohms, volts=OPEN_V)
        self._bit_ns = S // given.hertz
        loads = tuple(
            LoadWiring(
                name, 10 + at, True, False, 24.0, INRUSH_W, INRUSH_S, DRAW_W, 0.03, name, kind
            )
            for at, (name, kind) in enumerate(self.kinds.items())
        )
        chips = tuple(
            ChipWiring(name, 1, 0x40 + at, way.shunt_ohms, 0.0, way.driver, pace=given.pace)
            for at, name in enumerate(self.kinds)
        )
        self.plant.plug(0, NodeWiring("n1", 3.0, loads, chips, BoardMock()))
        self.plant.take_draws()
        self.spreads: dict[str, Spread] = {}
        self._drawn = dict.fromkeys(self.kinds, 0.0)
        self._rail_v = OPEN_V
        self._close_ns = dict.fromkeys(self.kinds, 0)

    def clock(self) -> int:
        """The virtual CLOCK_MONOTONIC, ns."""
        return self.now_ns

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        """As SMBus does it: the low byte first."""
        del force
        self.transfers += 1
        self.now_ns += READ_BITS * self._bit_ns
        began = time.thread_time()
        word = self.plant.read_word(self.now_ns, "n1", 1, i2c_addr, register)
        self.plant_s += time.thread_time() - began
        return (word & 0xFF) << 8 | word >> 8

    def write_word_data(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> None:
        """As SMBus does it: the low byte first."""
        del force
        self.transfers += 1
        self.now_ns += WRITE_BITS * self._bit_ns
        word = (value & 0xFF) << 8 | value >> 8
        self.plant.write_word(self.now_ns, "n1", 1, i2c_addr, register, word)

    def close(self) -> None:
        """Nothing to let go of."""

    def observe(self) -> None:
        """Begin to watch how the currents vary."""
        self.spreads = {name: Spread(self.now_ns, CYCLE_NS) for name in self.kinds}
        self.follow()

    def follow(self) -> None:
        """Take down how the currents varied until now."""
        for draw in self.plant.take_draws():
            self._flow(draw.t_ns)
            self._drawn = dict(draw.loads)
            square = OPEN_V * OPEN_V - 4 * self.ohms * draw.watts
            self._rail_v = (OPEN_V + square**0.5) / 2
        self._flow(self.now_ns)

    def _flow(self, until_ns: int) -> None:
        for name, spread in self.spreads.items():
            kind, close_ns = self.kinds[name], min(until_ns, self._close_ns[name])
            amps = self._drawn[name] / self._rail_v
            duty = kind.duty if kind.kind == "pwm" else 1.0
            spread.add(close_ns, amps, duty, is_close=True)
            spread.add(until_ns, amps, duty)

    def hurry(self, name: str, until_ns: int) -> None:
        """A load is looked at closely until then."""
        self.follow()
        self._close_ns[name] = until_ns


class OnceASecond:
    """What a dashboard does: read V and I, and take their product for the second to come."""

    def __init__(self, world: World) -> None:
        self.joules = dict.fromkeys(world.kinds, 0.0)
        self._world = world
        self._due_ns = 0
        self._last: dict[str, tuple[int, float]] = dict.fromkeys(world.kinds, (0, 0.0))

    def poll(self) -> int:
        """Read every chip if it is time; say when the next time is, ns."""
        if self._world.now_ns >= self._due_ns:
            self._due_ns = self._world.now_ns + S
            for at, name in enumerate(self.joules):
                bus = self._word(at, BUS)
                watts = bus_raw(bus) * BUS_V_PER_LSB * signed(self._word(at, SHUNT))
                t_ns, before_w = self._last[name]
                now_ns = self._world.now_ns
                self.joules[name] += before_w * (now_ns - t_ns) / S
                self._last[name] = now_ns, watts * SHUNT_V_PER_LSB / 0.1
        return self._due_ns

    def hurry(self, meter: str, until_ns: int) -> None:
        """Be in no hurry."""

    def _word(self, at: int, register: int) -> int:
        word = self._world.read_word_data(0x40 + at, register)
        return (word & 0xFF) << 8 | word >> 8


class Counters:
    """Our own sampler; and what other pairings of its readings would have counted."""

    def __init__(self, world: World, way: Way) -> None:
        bus = Bus(1, lambda _: world)
        chips = [
            open_chip(way.meter(name, at), bus, world.clock) for at, name in enumerate(world.kinds)
        ]
        self._sampler = Sampler(chips, world.clock, self._pair)
        self.poll = self._sampler.poll
        self.hurry = self._sampler.hurry
        self.paired = {each: dict.fromkeys(world.kinds, 0.0) for each in ("before_after", "line")}
        self._last = {name: list[Reading]() for name in world.kinds}

    @property
    def joules(self) -> dict[str, float]:
        """What each meter counted, J."""
        return {each.meter: each.energy_mj / 1000 for each in self._sampler.latest()}

    @property
    def estimated(self) -> dict[str, float]:
        """What of it nobody measured, J."""
        return {each.meter: each.estimated_mj / 1000 for each in self._sampler.latest()}

    def _pair(self, reading: Reading) -> None:
        last = self._last[reading.meter]
        last.append(reading)
        if len(last) < 5:
            return
        _, before, near, after, far = last
        del last[0]
        mean, line = near.amps, near.amps
        if far.t_ns - before.t_ns < 4 * FAST_NS:
            mean = (near.amps + after.amps) / 2
            line = 1.5 * mean - (before.amps + far.amps) / 4
        span_s = (near.t_ns - before.t_ns) / S
        self.paired["before_after"][reading.meter] += near.volts * mean * span_s
        self.paired["line"][reading.meter] += near.volts * line * span_s


def metered(name: str, ohms: float, given: argparse.Namespace) -> list[dict[str, object]]:
    """Let the hours pass; what each meter counted against the truth."""
    way = WAYS[name]
    world, chance = World(ohms, given.seed, way, given), random.Random(given.seed)
    reader = OnceASecond(world) if name == "poll" else Counters(world, way)
    reader.poll()
    world.now_ns += S
    reader.poll()
    first = world.plant.energy(world.now_ns).nodes["n1"]
    world.observe()
    began_s, began_ns, transfers, cpu_s = time.process_time(), world.now_ns, world.transfers, 0.0
    starts = _switched(world, reader, chance, round(given.hours * 3600 * S), given.late_us * 1000)
    cpu_s = time.process_time() - began_s - world.plant_s
    truth = world.plant.energy(world.now_ns).nodes["n1"]
    true_j = {each: truth[each] - first[each] for each in world.kinds}
    found: dict[str, object] = {"way": name, "ohms": ohms, "hertz": given.hertz, "starts": starts}
    seconds = (world.now_ns - began_ns) / S
    found["transfers_per_chip_second"] = round(
        (world.transfers - transfers) / seconds / len(world.kinds), 1
    )
    found["cpu_us_per_chip_second"] = round(cpu_s * 1e6 / seconds / len(world.kinds))
    found["error_percent"] = _errors(reader.joules, true_j)
    lines: list[dict[str, object]] = [found]
    if isinstance(reader, Counters):
        found["estimated_percent"] = _errors(reader.estimated, dict.fromkeys(true_j, 0.0), true_j)
        if name == "fast":
            for pairing, joules in reader.paired.items():
                errors = _errors(joules, true_j)
                lines.append({"way": pairing, "ohms": ohms, "error_percent": errors})
    shares = {
        each: (100 * ohms * spread.inside / true_j[each], 100 * ohms * spread.whole / true_j[each])
        for each, spread in world.spreads.items()
    }
    found["inside_percent"] = {each: round(inside, 3) for each, (inside, _) in shares.items()}
    found["bound_percent"] = {each: round(whole, 3) for each, (_, whole) in shares.items()}
    errors = _errors(reader.joules, true_j)
    found["is_within"] = all(
        abs(errors[each]) <= STIFF_PERCENT + whole for each, (_, whole) in shares.items()
    )
    return lines


def _errors(
    counted: dict[str, float], true_j: dict[str, float], of_j: dict[str, float] | None = None
) -> dict[str, float]:
    of_j = of_j or true_j
    return {each: round(100 * (counted[each] - true_j[each]) / of_j[each], 3) for each in true_j}


def _switched(
    world: World,
    reader: OnceASecond | Counters,
    chance: random.Random,
    span_ns: int,
    late_ns: int,
) -> int:
    """Switch each load at random for so long, and see to its end; return the starts."""
    # One after the other: five inrushes at once would pull a soft feed down, and clip the meters.
    switches = {name: world.now_ns + (at + 1) * S for at, name in enumerate(world.kinds)}
    on = dict.fromkeys(world.kinds, False)
    end_ns, starts = world.now_ns + span_ns, 0
    while world.now_ns < end_ns:
        due_ns = reader.poll()
        for at, name in enumerate(world.kinds):
            if switches[name] <= world.now_ns:
                on[name] = not on[name]
                switches[name] = world.now_ns + round(chance.expovariate(1 / 60) * S)
                world.plant.drive(world.now_ns, "n1", 10 + at, on[name])
                if on[name]:
                    starts += 1
                    until_ns = world.now_ns + look_ns(INRUSH_S, starts)
                    world.hurry(name, until_ns)
                    reader.hurry(name, until_ns)
                    due_ns = world.now_ns
        world.now_ns = max(due_ns, world.now_ns) + chance.randrange(late_ns)
    for at in range(len(world.kinds)):
        world.plant.drive(world.now_ns, "n1", 10 + at, False)
    end_ns = world.now_ns + 2 * S  # each meter shall have seen the end
    while world.now_ns < end_ns:
        world.now_ns = max(reader.poll(), world.now_ns) + chance.randrange(late_ns)
    world.follow()
    return starts


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--late-us", type=int, default=2000, help="latest wake-up of the reader")
    parser.add_argument("--hertz", type=int, default=400_000, help="of the bus")
    parser.add_argument("--hz", type=float, default=50.0, help="of the load that pulses")
    parser.add_argument("--pace", type=float, default=0.0, help="of the chips; 0: each its own")
    parser.add_argument("--ohms", default=f"0,{SOFT_OHMS}", help="of the feed")
    parser.add_argument("--ways", default="energy,looks,poll", help=f"of {', '.join(WAYS)}")
    given = parser.parse_args()
    for way in given.ways.split(","):
        for ohms in map(float, given.ohms.split(",")):
            for line in metered(way, ohms, given):
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
