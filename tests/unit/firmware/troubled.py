"""Random troubles of a meter on its bus, and a judge that looks at what the sampler says.

A chip that is register-true meets a bus that loses, hangs and garbles, resets and strangers in its
place, on a clock that nobody waits for. `test_meter_law` plays hundreds of these stories,
`tests/bench/bench_faults.py` as many as are wished.
"""

from __future__ import annotations

from random import Random

from tests.unit.firmware.chip_desk import ADDRESS, INA219, INA226, INA260, INA3221, Desk

from rackgrid_firmware.device import Quality, Reading
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
    """One meter's story.

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
