"""Random troubles of a meter on its bus, and a judge that looks at what the sampler says.

A chip that is register-true meets a bus that loses, hangs and garbles, resets and strangers in its
place, on a clock that nobody waits for. `test_meter_law` plays hundreds of these stories,
`tests/bench/bench_faults.py` as many as are wished.
"""

from __future__ import annotations

from random import Random

from tests.unit.firmware.chip_desk import ADDRESS, INA219, INA226, INA260, INA3221, Desk

from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.doubt import FAST_STEPS, HELD_STEPS
from rackgrid_firmware.meter import BACK_OFF_MAX_NS, STALE_MIN_NS, STALE_PERIODS, Sampler
from rackgrid_firmware.mock.fault import Fault
from rackgrid_firmware.mock.shelf import make_chip

MS = 1_000_000
EVENTS = 16
KINDS = (INA219, INA226, INA260, INA3221)
PROFILES = ("energy", "fast", "inrush")
RECOVERY_NS = 3 * BACK_OFF_MAX_NS
"""A bus that is whole again is read again within so long, ns: a back-off, and a new set-up."""


class Story:
    """One meter's story of anything that happens.

    Raises:
        AssertionError: a counter fell, an old value was passed on as a new one, or a meter did not
            come back. Whatever else is raised has escaped from the driver.
    """

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.desk = Desk(self.chance.choice(KINDS))
        profile = self.chance.choice(PROFILES) if self.desk.kind is INA219 else "energy"
        self.pause_ms = 300 if profile == "energy" else 10
        self.meter = self.desk.open(profile=profile)
        self.sampler = Sampler([self.meter], lambda: self.desk.now_ns, self._read)
        self.newest: Reading | None = None

    def play(self) -> None:
        """Let everything happen, and then nothing more: the meter must be well again."""
        for _ in range(EVENTS):
            self._happen()
            self._pass(self.chance.randrange(self.pause_ms) * MS)
        self.desk.faults.clear()
        self.desk.dip_after = None
        well_ns = self.desk.now_ns + RECOVERY_NS
        while self.sampler.latest()[0].quality is Quality.STALE:
            assert self.desk.now_ns < well_ns, "it did not come back"
            self._pass(20 * MS)

    def _happen(self) -> None:
        desk, chance = self.desk, self.chance
        match chance.randrange(8):
            case 0 | 1 | 2:
                fault = chance.choice(tuple(Fault))
                address = chance.choice((None, ADDRESS))
                desk.faults.add(fault, address=address, count=chance.randrange(1, 8))
            case 3:
                desk.dip_after = chance.randrange(5)
            case 4:
                desk.plug(make_chip(desk.kind.driver, desk.now_ns, noise=0.0))
            case 5:
                with desk.stuck_bus():
                    self._pass(chance.randrange(self.pause_ms) * MS)
            case 6:
                self.sampler.hurry(self.meter.name, desk.now_ns + chance.randrange(200) * MS)
            case _:
                desk.feel(chance.uniform(0, 16), chance.uniform(-0.2, 1.2) * desk.kind.full_a)

    def _pass(self, span_ns: int) -> None:
        """Do what the sampling thread does; a transfer takes no time, and a wait all of its own."""
        desk, until_ns = self.desk, self.desk.now_ns + span_ns
        while desk.now_ns < until_ns:
            desk.now_ns = min(max(self.sampler.poll(), desk.now_ns + 1), until_ns)
        (reading,) = self.sampler.latest()
        age_ns = desk.now_ns - reading.t_ns
        is_young = age_ns <= max(STALE_MIN_NS, STALE_PERIODS * self.meter.period_ns)
        assert is_young or reading.quality is Quality.STALE, "an old value was passed on as new"

    def _read(self, reading: Reading) -> None:
        before, self.newest = self.newest, reading
        assert 0 <= reading.estimated_mj <= reading.energy_mj, "more is estimated than counted"
        if before is not None:
            assert reading.t_ns >= before.t_ns, "time goes back"
            assert reading.energy_mj >= before.energy_mj, "a counter fell"
            assert reading.estimated_mj >= before.estimated_mj, "an estimate was taken back"


class Glitch:
    """A load whose meter's bus garbles a sample now and then, or a part of it, wherever that falls.

    A sample are two words; three where the ready flag has a register of its own.

    Raises:
        AssertionError: a reading was far from what flowed, would have tripped, or more energy was
            booked for it than two steps of the meter for the time of a conversion are worth.
    """

    VOLTS = 12.0

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.desk = Desk(self.chance.choice(KINDS), self.chance.uniform(0.9, 1.1))
        kind, self.profile = self.desk.kind, self.chance.choice(PROFILES)
        self.desk.limit_a = 0.6 * kind.full_a
        held = self.profile == "energy"
        self.step_a = kind.full_a * 1.01 / (HELD_STEPS if held else FAST_STEPS)
        self.step_v = 41.0 / (HELD_STEPS if held else FAST_STEPS)
        self.levels = [0.0, 0.0]
        """What flowed before, and what flows, A."""
        self.meter = self.desk.open(profile=self.profile)
        self.pause_ms = 400 if held else 20
        self.sampler = Sampler([self.meter], lambda: self.desk.now_ns, self._read)
        self.drawn_mj = self.bound_mj = 0.0
        self._pass(300)
        self.first_mj = self.sampler.latest()[0].energy_mj

    def play(self) -> None:
        """Garble one sample after the other, beside a load that switches."""
        for _ in range(EVENTS):
            if self.chance.random() < 0.3:
                self._switch()
            self._pass(self.chance.randrange(self.pause_ms))
            count = self.chance.randrange(1, 3 + (self.desk.kind is not INA219))
            self.desk.faults.add(Fault.GARBAGE, address=ADDRESS, count=count)
            cycles_s = 4 * self.meter.period_ns / 1e9
            self.bound_mj += self.most_w * cycles_s * 1e3
            self._pass(self.pause_ms)
        booked_mj = self.sampler.latest()[0].energy_mj - self.first_mj
        assert abs(booked_mj - self.drawn_mj) <= self.bound_mj, "booked what did not flow"

    @property
    def most_w(self) -> float:
        """What is booked at most for nothing while one conversion lasts, W."""
        return 2 * self.step_a * self.VOLTS + 2 * self.step_v * max(self.levels)

    def _switch(self) -> None:
        self.levels = [self.levels[1], self.chance.uniform(0.0, 0.55) * self.desk.kind.full_a]
        self.desk.feel(self.VOLTS, self.levels[1])
        # An edge within a conversion, and what was being converted, are booked as it sees them.
        self.bound_mj += 2 * max(self.levels) * self.VOLTS * self.meter.period_ns / 1e6

    def _pass(self, span_ms: int) -> None:
        desk, begun_ns = self.desk, self.desk.now_ns
        while desk.now_ns < begun_ns + span_ms * MS:
            desk.now_ns = min(max(self.sampler.poll(), desk.now_ns + 1), begun_ns + span_ms * MS)
        self.drawn_mj += self.VOLTS * self.levels[1] * (desk.now_ns - begun_ns) / MS
        desk.faults.clear()

    def _read(self, reading: Reading) -> None:
        low_a, high_a = min(self.levels), max(self.levels)
        assert low_a - 2 * self.step_a <= reading.amps <= high_a + 2 * self.step_a, "far from it"
        assert abs(reading.amps) < self.desk.limit_a, "it would have tripped"
