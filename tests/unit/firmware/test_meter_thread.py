"""The sampling thread in real time, over register-true chips; test_meter.py has the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from rackgrid_firmware.chip import open_chip
from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.energy import Energy
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.meter import Health, Sampler
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.fault import Fault, FaultBook
from rackgrid_firmware.profile import MeterMock, MeterProfile
from rackgrid_firmware.registers import Sample


def profile(name: str, address: int, driver: str = "ina219") -> MeterProfile:
    return MeterProfile(name, driver, 1, address, 0.1, 0.0, "fast", 1.0, 0.0, MeterMock())


def wait_for(holds: Callable[[], bool], what: str) -> None:
    """Wait on a condition, with a deadline."""
    deadline = time.monotonic() + 20
    changed = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        changed.wait(0.002)


@dataclass
class LiveBus:
    """Real time, a register-true chip at each address, faults on demand."""

    faults: FaultBook = field(default_factory=FaultBook)

    def __post_init__(self) -> None:
        now_ns = time.monotonic_ns()
        self.chips = {address: Ina219Chip(now_ns, noise=0.0) for address in (0x40, 0x41)}
        for chip in self.chips.values():
            chip.feel(now_ns, 0.05, 12.0)
        self.bus = Bus(1, lambda number: MockSMBus(ChipPort(self.chips), self.faults, hang_s=0.001))

    def sampler(
        self,
        on_reading: Callable[[Reading], None] | None = None,
        on_health: Callable[[Health], None] | None = None,
    ) -> Sampler:
        chips = [open_chip(profile(f"m{at:x}", at), self.bus) for at in self.chips]
        return Sampler(chips, on_reading=on_reading, on_health=on_health)


def test_thread_reads_real_chips_until_it_is_stopped() -> None:
    sampler = LiveBus().sampler()
    sampler.start()
    try:
        wait_for(lambda: all(r.energy_mj > 0 for r in sampler.latest()), "energy on both meters")
    finally:
        assert sampler.stop(20)
    for reading in sampler.latest():
        assert (reading.volts, reading.amps) == (pytest.approx(12.0), pytest.approx(0.5))
    still = sampler.latest()
    assert [r.t_ns for r in sampler.latest()] == [r.t_ns for r in still]


def test_thread_looks_closely_for_a_while_and_lets_its_chips_sleep_at_the_end() -> None:
    """Fails if a hurry waits for the slow conversion under way, or never ends."""
    live, seen = LiveBus(), list[Reading]()
    slow = [replace(profile(f"m{at:x}", at), profile="energy") for at in live.chips]
    sampler = Sampler([open_chip(each, live.bus) for each in slow], on_reading=seen.append)
    sampler.start()
    try:
        wait_for(lambda: len(seen) >= 2, "a reading of both")
        begun_ns = time.monotonic_ns()
        sampler.hurry("m40", begun_ns + 300_000_000)
        sampler.hurry("none", begun_ns)
        wait_for(lambda: time.monotonic_ns() > begun_ns + 600_000_000, "it is over")
    finally:
        assert sampler.stop(20)
    soon = [r for r in seen if r.t_ns < begun_ns + 300_000_000]
    hasty, other = (sum(r.meter == name for r in soon) for name in ("m40", "m41"))
    assert hasty > 3 * other, "the other one goes on as ever"
    late = [r for r in seen if r.meter == "m40" and r.t_ns > begun_ns + 400_000_000]
    assert len(late) < 6
    for chip in live.chips.values():
        assert chip.read(time.monotonic_ns(), 0) & 7 == 0


def test_thread_goes_on_counting_where_an_earlier_process_ended() -> None:
    live = LiveBus()
    chips = [open_chip(profile("m40", 0x40), live.bus)]
    sampler = Sampler(chips, before={"m40": Energy(5_000, 40), "gone": Energy(1, 0)})
    (reading,) = sampler.latest()
    assert (reading.energy_mj, reading.estimated_mj) == (5_000, 40)
    sampler.start()
    try:
        wait_for(lambda: sampler.latest()[0].energy_mj > 5_000, "more energy")
    finally:
        assert sampler.stop(20)
    assert sampler.latest()[0].estimated_mj == 40


def test_thread_outlives_a_chip_that_goes_and_comes_back() -> None:
    live = LiveBus()
    told: list[Health] = []
    sampler = live.sampler(on_health=told.append)
    sampler.start()
    try:
        wait_for(lambda: sampler.latest()[0].quality is Quality.FRESH, "a first reading")
        live.faults.add(Fault.NACK, address=0x40, count=-1)
        wait_for(lambda: sampler.latest()[0].quality is Quality.STALE, "stale")
        wait_for(lambda: sampler.latest()[1].quality is Quality.FRESH, "the other one is read")
        live.faults.clear()
        wait_for(lambda: sampler.latest()[0].quality is Quality.FRESH, "fresh again")
    finally:
        assert sampler.stop(20)
    assert [(health.meter, health.failing) for health in told] == [("m40", True), ("m40", False)]


def test_thread_that_meets_a_bug_tells_it_and_its_readings_go_stale() -> None:
    live = LiveBus()
    told: list[Health] = []

    def stumble(reading: Reading) -> None:
        raise ZeroDivisionError("a bug of ours")

    sampler = live.sampler(on_health=told.append, on_reading=stumble)
    sampler.start()
    try:
        wait_for(lambda: len(told) == 2, "the bug on both meters")
        wait_for(lambda: sampler.latest()[1].quality is Quality.STALE, "stale")
    finally:
        assert sampler.stop(20)
    assert {(health.failing, health.problem) for health in told} == {
        (True, "a bug: ZeroDivisionError('a bug of ours')")
    }


def test_thread_that_meets_a_bug_in_one_chip_goes_on_reading_the_others() -> None:
    """Fails if the first of them is always the one that is visited."""
    told: list[Health] = []

    class Broken:
        name, period_ns, resets = "broken", 1_000_000, 0

        def sample(self) -> Sample | None:
            raise ZeroDivisionError("a bug of ours")

    class Sound:
        name, period_ns, resets = "sound", 1_000_000, 0

        def sample(self) -> Sample | None:
            return Sample(12.0, 1.0, Quality.FRESH)

    sampler = Sampler([Broken(), Sound()], on_health=told.append)
    sampler.start()
    try:
        wait_for(lambda: sampler.latest()[1].energy_mj > 0, "the other one is read again and again")
    finally:
        assert sampler.stop(20)
    assert [(health.meter, health.failing) for health in told] == [("broken", True)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_thread_that_meets_a_bug_and_has_nobody_to_tell_ends_and_its_readings_go_stale() -> None:
    live = LiveBus()

    def stumble(reading: Reading) -> None:
        raise ZeroDivisionError("a bug of ours")

    sampler = live.sampler(on_reading=stumble)
    sampler.start()
    wait_for(lambda: sampler.latest()[1].quality is Quality.STALE, "stale")
    assert sampler.stop(20)


def test_thread_that_hangs_in_a_transfer_is_reported_as_not_ended() -> None:
    entered, leave = threading.Event(), threading.Event()

    class HangingChip:
        name, period_ns, resets = "m", 1_000_000, 0

        def sample(self) -> Sample | None:
            entered.set()
            assert leave.wait(20)
            return None

    sampler = Sampler([HangingChip()])
    sampler.start()
    assert entered.wait(20)
    assert sampler.latest()[0].quality is Quality.STALE, "latest() waits for nobody"
    assert not sampler.stop(0.01)
    leave.set()
    assert sampler.stop(20)


def test_sampler_that_was_never_started_stops() -> None:
    assert LiveBus().sampler().stop()


def test_sampler_started_twice_is_our_bug() -> None:
    sampler = LiveBus().sampler()
    sampler.start()
    try:
        with pytest.raises(AssertionError, match="started twice"):
            sampler.start()
    finally:
        assert sampler.stop(20)
