"""Fails if an INA219 on a soft feed does not see how V and I go together, over a true chip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from tests.unit.firmware.test_ina219 import PROFILE, Desk

from rackgrid_firmware import registers
from rackgrid_firmware.device import Reading, Verdict
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.ina219 import Ina219
from rackgrid_firmware.meter import Sampler
from rackgrid_firmware.mock.bus import MockSMBus
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.wire import TimedBus, VirtualClock
from rackgrid_firmware.mock.wiring import ChipWiring, LoadWiring, NodeWiring
from rackgrid_firmware.profile_mock import BoardMock, LoadMock
from rackgrid_firmware.sight import Watch
from rackgrid_firmware.watch import Watchman

MS = 1_000_000
ENERGY, FAST, INRUSH = 0x39FF, 0x399F, 0x381F


def word(desk: Desk) -> int:
    return desk.chip.read(desk.now_ns, registers.CONFIGURATION)


def test_look_converts_by_turns_and_ends_by_itself() -> None:
    desk = Desk("ina219")
    desk.feel(12.0, 0.5)
    driver = desk.opened(feed_ohms=0.1)
    assert (driver.soft_ohms, driver.is_looking, word(desk)) == (0.1, False, ENERGY)
    driver.look(desk.now_ns + 50 * MS)
    assert driver.sample() is None
    assert (driver.is_looking, word(desk), driver.usual_ns) == (True, FAST, 68_632_000)
    desk.now_ns += 50 * MS
    assert driver.sample() is None
    assert (driver.is_looking, word(desk), driver.resets) == (False, ENERGY, 0)


def test_hurry_comes_before_a_look() -> None:
    """Fails if a start is looked at more slowly because the feed is soft."""
    desk = Desk("ina219")
    driver = desk.opened(feed_ohms=0.1)
    driver.look(desk.now_ns + 50 * MS)
    driver.hurry(desk.now_ns + 20 * MS)
    driver.sample()
    assert (driver.is_looking, word(desk)) == (False, INRUSH)
    desk.now_ns += 20 * MS
    driver.sample()
    assert (driver.is_looking, word(desk)) == (True, FAST)


@pytest.mark.parametrize(
    "profile", [{}, {"feed_ohms": 0.1, "profile": "fast"}, {"feed_ohms": 0.1, "bus_adc": "9bit"}]
)
def test_stiff_feed_and_a_chip_that_sees_anyway_need_no_looks(profile: dict[str, object]) -> None:
    ohms = Desk("ina219").open(**profile).soft_ohms
    assert ohms == (0.1 if "bus_adc" in profile else 0.0)


class PlantPort:
    """The chips of a node in a plant, at the time of a clock."""

    def __init__(self, plant: Plant, clock: VirtualClock) -> None:
        self._plant = plant
        self._clock = clock

    def read_word(self, address: int, register: int) -> int:
        return self._plant.read_word(self._clock(), "n1", 1, address, register)

    def write_word(self, address: int, register: int, value: int) -> None:
        self._plant.write_word(self._clock(), "n1", 1, address, register, value)

    def close(self) -> None:
        pass


@dataclass
class Pulsing:
    """9 W in pulses, metered by a driver over a true chip.

    Attributes:
        shown: each reading that was handed on.
    """

    plant: Plant
    clock: VirtualClock
    driver: Ina219
    sampler: Sampler
    shown: list[Reading]

    def run(self, seconds: float) -> None:
        end_ns = self.clock() + round(seconds * 1e9)
        while self.clock() < end_ns:
            self.clock.until(self.sampler.poll())


def pulsing(feed_ohms: float, *, ohms: float, hz: float, duty: float = 0.4) -> Pulsing:
    clock = VirtualClock(0)
    plant = Plant(seed=3, ohms=ohms)
    load = LoadMock(kind="pwm", hz=hz, duty=duty)
    wiring = LoadWiring("l", 10, True, False, 24.0, 9.0, 0.0, 9.0, 0.0, "feed", load)
    chip = ChipWiring("feed", 1, PROFILE.address, 0.1, 0.0)
    plant.plug(0, NodeWiring("n1", 0.0, (wiring,), (chip,), BoardMock()))
    plant.drive(0, "n1", 10, True)
    bus = TimedBus(MockSMBus(PlantPort(plant, clock)), clock)
    driver = Ina219(Bus(1, lambda _: bus), replace(PROFILE, feed_ohms=feed_ohms), clock)
    shown: list[Reading] = []
    sampler = Sampler([driver], clock, on_reading=shown.append)
    return Pulsing(plant, clock, driver, sampler, shown)


def error_percent(feed_ohms: float, *, ohms: float, hz: float = 50.0) -> float:
    """Meter a minute of pulses, 40 % of the time; how far the counter is off."""
    load = pulsing(feed_ohms, ohms=ohms, hz=hz)

    def run(seconds: float) -> tuple[float, float]:
        load.run(seconds)
        truth = load.plant.energy(load.clock()).nodes["n1"]["l"]
        return load.sampler.latest()[0].energy_mj / 1e3, truth

    first, last = run(1.0), run(60.0)
    true_j = last[1] - first[1]
    return 100 * (last[0] - first[0] - true_j) / true_j


def test_pulsing_load_on_a_soft_feed_is_counted_too_high_by_its_covariance() -> None:
    """What all this is about: 0.5 ohm · 0.6 · 0.78 A of 11.6 V."""
    assert error_percent(0.0, ohms=0.5) == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("hz", [50.0, 170.0])
def test_pulsing_load_on_a_soft_feed_that_is_known_is_counted_right(hz: float) -> None:
    """Six looks in this minute, so that chance alone leaves a tenth of what was too much."""
    assert abs(error_percent(0.5, ohms=0.5, hz=hz)) <= 0.4


def test_looks_on_a_stiff_feed_do_no_harm() -> None:
    assert abs(error_percent(0.5, ohms=0.0)) <= 0.1


@pytest.mark.parametrize("hz", [20.0, 50.0])
def test_look_shows_others_the_mean_of_a_cycle_and_no_single_pulse(hz: float) -> None:
    """Fails if what is told, or shown when asked, swings between a pulse and a pause."""
    load = pulsing(0.5, ohms=0.5, hz=hz)
    asked: list[float] = []
    looks = 0
    while load.clock() < 60 * 1000 * MS:
        load.clock.until(load.sampler.poll())
        asked.append(load.sampler.latest()[0].amps)
        looks += load.driver.is_looking
    assert looks > 6 * 30, "it has looked, each time at dozens of conversions"
    amps = [reading.amps for reading in load.shown[2:]]
    mean = sum(amps) / len(amps)
    # A cycle of 69 ms holds 1.4 or 3.4 pulses, so it sees more or less than the mean.
    assert all(0.6 * mean < each < 1.5 * mean for each in [*amps, *asked[5:]])
    spans = [after.t_ns - before.t_ns for before, after in pairwise(load.shown)]
    assert max(spans[2:]) < 4 * 69 * MS, "and it does not go stale meanwhile"


@pytest.mark.parametrize("least_w", [0.0, 1.0])
def test_look_accuses_no_load_that_pulses(least_w: float) -> None:
    """Fails if the pauses of a load are taken for a contact that is stuck open, or no load."""
    load = pulsing(0.5, ohms=0.5, hz=20.0)
    watch = Watch("l", PROFILE.name, False, most_w=9.0, least_w=least_w)
    man = Watchman((watch,), {"l": True}, load.clock())
    load.run(60.0)
    verdicts: list[Verdict] = []
    for reading in load.shown:
        assert man.read(reading) == ()
        verdicts.append(man.verdicts["l"])
    assert set(verdicts) == {Verdict.UNKNOWN, Verdict.OK}
    assert verdicts[-1] is Verdict.OK


@pytest.mark.parametrize("duty", [0.6, 0.7])
def test_look_at_pulses_accuses_no_neighbour_that_is_off(duty: float) -> None:
    """Fails if a pulse above the mean that a load is rated for is taken for another's watts."""
    load = pulsing(0.5, ohms=0.5, hz=20.0, duty=duty)
    names = {"l": True, "x": False}
    watches = tuple(Watch(name, PROFILE.name, False, most_w=10 * duty) for name in names)
    man = Watchman(watches, names, load.clock())
    load.run(60.0)
    assert [trip for reading in load.shown for trip in man.read(reading)] == []
