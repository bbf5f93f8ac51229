from __future__ import annotations

import errno
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from rackgrid_firmware.device import Meter, Quality, Reading
from rackgrid_firmware.errors import DeviceFault, DeviceUnavailable
from rackgrid_firmware.meter import (
    BACK_OFF_MAX_NS,
    BACK_OFF_NS,
    STALE_MIN_NS,
    Channel,
    Health,
    Sampler,
)
from rackgrid_firmware.registers import Sample

MS = 1_000_000
PERIOD = 50 * MS
SECOND = 1000 * MS


@dataclass
class Clock:
    now_ns: int = 10 * SECOND

    def __call__(self) -> int:
        return self.now_ns


@dataclass
class ScriptedChip:
    """A chip that says what the test wants, and takes the time that the test wants."""

    clock: Clock
    name: str = "m"
    period_ns: int = PERIOD
    resets: int = 0
    sample_now: Sample | None = field(default_factory=lambda: Sample(12.0, 0.5, Quality.FRESH))
    error: Exception | None = None
    takes_ns: int = 0
    visits: list[int] = field(default_factory=list)

    def sample(self) -> Sample | None:
        self.visits.append(self.clock.now_ns)
        self.clock.now_ns += self.takes_ns
        if self.error is not None:
            raise self.error
        return self.sample_now


def hung() -> DeviceUnavailable:
    error = DeviceUnavailable("the bus hangs")
    error.errno = errno.ETIMEDOUT
    return error


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(sampler: Sampler, clock: Clock, until_ns: int) -> None:
    """Do what the thread does, on the test's clock."""
    while clock.now_ns < until_ns:
        clock.now_ns = max(sampler.poll(), clock.now_ns)


# --- a channel ----------------------------------------------------------------------------------


def test_channel_is_a_meter(clock: Clock) -> None:
    chip = ScriptedChip(clock)
    meter: Meter = Channel(chip, clock)
    assert meter.read() == Reading("m", clock.now_ns, 12.0, 0.5, 0, Quality.FRESH)
    chip.sample_now = None
    assert meter.read().volts == 12.0
    chip.error = DeviceFault("nonsense")
    with pytest.raises(DeviceFault):
        meter.read()


def test_channel_before_its_first_sample_is_stale(clock: Clock) -> None:
    assert Channel(ScriptedChip(clock), clock).latest(clock.now_ns).quality is Quality.STALE


def test_channel_whose_chip_says_its_pace_late_is_not_stale_between_its_samples(
    clock: Clock,
) -> None:
    """Fails if a kernel's meter that comes after the firmware is stale for ever."""
    chip = ScriptedChip(clock)
    channel = Channel(chip, clock)
    chip.period_ns = SECOND
    first = channel.read()
    clock.now_ns += SECOND
    assert channel.latest(clock.now_ns).quality is Quality.FRESH
    reading = channel.read()
    assert (reading.energy_mj - first.energy_mj, reading.estimated_mj) == (6000, 0)


def test_channel_in_silence_is_stale_after_its_time_and_keeps_its_last_moment(
    clock: Clock,
) -> None:
    """Fails if an old value is passed on as a new one."""
    channel = Channel(ScriptedChip(clock), clock)
    taken_ns = channel.read().t_ns
    assert channel.latest(taken_ns + STALE_MIN_NS).quality is Quality.FRESH
    late = channel.latest(taken_ns + STALE_MIN_NS + 1)
    assert (late.quality, late.t_ns) == (Quality.STALE, taken_ns)


def test_channel_of_a_slow_chip_is_given_four_periods(clock: Clock) -> None:
    channel = Channel(ScriptedChip(clock, period_ns=SECOND), clock)
    taken_ns = channel.read().t_ns
    assert channel.latest(taken_ns + 4 * SECOND).quality is Quality.FRESH
    assert channel.latest(taken_ns + 4 * SECOND + 1).quality is Quality.STALE


def test_channel_that_failed_twice_is_stale_at_once_and_fresh_again_with_its_next_sample(
    clock: Clock,
) -> None:
    chip = ScriptedChip(clock)
    channel = Channel(chip, clock)
    channel.read()
    chip.error = DeviceUnavailable("gone")
    qualities: list[Quality] = []
    for _ in range(2):
        with pytest.raises(DeviceUnavailable):
            channel.read()
        qualities.append(channel.latest(clock.now_ns).quality)
    chip.error = None
    channel.read()
    qualities.append(channel.latest(clock.now_ns).quality)
    assert qualities == [Quality.FRESH, Quality.STALE, Quality.FRESH]


def test_channel_at_its_end_stop_says_so(clock: Clock) -> None:
    chip = ScriptedChip(clock, sample_now=Sample(12.0, 3.2, Quality.SATURATED))
    channel = Channel(chip, clock)
    channel.read()
    assert channel.latest(clock.now_ns).quality is Quality.SATURATED


# --- the schedule -------------------------------------------------------------------------------


def test_sampler_reads_each_chip_at_its_period_without_drift(clock: Clock) -> None:
    """Each read takes 0.9 ms, and after ten seconds there were still 200 and 20 of them."""
    chips = [
        ScriptedChip(clock, "quick", takes_ns=900_000),
        ScriptedChip(clock, "slow", period_ns=10 * PERIOD, takes_ns=900_000),
    ]
    sampler = Sampler(chips, clock)
    run(sampler, clock, clock.now_ns + 10 * SECOND)
    assert len(chips[0].visits) == pytest.approx(200, abs=1)
    assert len(chips[1].visits) == pytest.approx(20, abs=1)


def test_sampler_wakes_once_for_chips_of_one_period(clock: Clock) -> None:
    chips = [ScriptedChip(clock, name, takes_ns=900_000) for name in "abc"]
    sampler = Sampler(chips, clock)
    wakes = 0
    start_ns = clock.now_ns
    while clock.now_ns < start_ns + SECOND:
        wakes += 1
        clock.now_ns = max(sampler.poll(), clock.now_ns)
    assert wakes <= 1 + SECOND // PERIOD
    assert [len(chip.visits) for chip in chips] == [wakes] * 3


def test_sampler_that_was_held_up_skips_what_it_missed(clock: Clock) -> None:
    chip = ScriptedChip(clock)
    sampler = Sampler([chip], clock)
    sampler.poll()
    clock.now_ns += 10 * SECOND
    assert sampler.poll() > clock.now_ns
    assert len(chip.visits) == 2


def test_sampler_asks_again_soon_while_a_chip_makes_its_first_conversion(clock: Clock) -> None:
    chip = ScriptedChip(clock, sample_now=None)
    sampler = Sampler([chip], clock)
    assert sampler.poll() == clock.now_ns + PERIOD // 8
    assert sampler.latest()[0].quality is Quality.STALE
    assert sampler.health() == (Health("m", False, "", 0, 0),)


def test_sampler_leaves_a_failing_chip_alone_for_longer_each_time(clock: Clock) -> None:
    chip = ScriptedChip(clock, error=DeviceUnavailable("gone"))
    sampler = Sampler([chip], clock)
    run(sampler, clock, clock.now_ns + 30 * SECOND)
    pauses = [later - sooner for sooner, later in zip(chip.visits, chip.visits[1:], strict=False)]
    assert pauses[:6] == [BACK_OFF_NS << doubling for doubling in range(6)]
    assert set(pauses[6:]) == {BACK_OFF_MAX_NS}


def test_sampler_with_a_dead_chip_does_not_starve_the_others(clock: Clock) -> None:
    dead = ScriptedChip(clock, "dead", error=DeviceUnavailable("gone"))
    alive = ScriptedChip(clock, "alive")
    sampler = Sampler([dead, alive], clock)
    run(sampler, clock, clock.now_ns + 10 * SECOND)
    assert len(alive.visits) == pytest.approx(200, abs=2)
    assert [reading.quality for reading in sampler.latest()] == [Quality.STALE, Quality.FRESH]


def test_sampler_with_one_chip_that_hangs_the_bus_still_reads_the_others(clock: Clock) -> None:
    hanging = ScriptedChip(clock, "hanging", error=hung(), takes_ns=SECOND)
    alive = ScriptedChip(clock, "alive")
    run(Sampler([hanging, alive], clock), clock, clock.now_ns + 60 * SECOND)
    assert len(alive.visits) > 60 * 20 * 4 / 6 * 0.9


def test_sampler_on_a_hung_bus_probes_with_one_chip_until_it_answers(clock: Clock) -> None:
    """Eight chips that each wait a second would need eight to find that the bus works again."""
    chips = [ScriptedChip(clock, f"m{n}", error=hung(), takes_ns=SECOND) for n in range(8)]
    sampler = Sampler(chips, clock)
    start_ns = clock.now_ns
    run(sampler, clock, start_ns + 60 * SECOND)
    assert sum(len(chip.visits) for chip in chips) < 20
    for chip in chips:
        chip.error, chip.takes_ns = None, 0
    run(sampler, clock, clock.now_ns + BACK_OFF_MAX_NS + SECOND)
    assert {reading.quality for reading in sampler.latest()} == {Quality.FRESH}


def test_sampler_tells_when_a_meter_fails_and_works_again_and_not_more(clock: Clock) -> None:
    told: list[Health] = []
    chip = ScriptedChip(clock)
    sampler = Sampler([chip], clock, on_health=told.append)
    run(sampler, clock, clock.now_ns + SECOND)
    chip.error = DeviceUnavailable("gone")
    run(sampler, clock, clock.now_ns + SECOND)
    chip.error = None
    run(sampler, clock, clock.now_ns + 2 * SECOND)
    assert [health.failing for health in told] == [True, False]
    assert told[0] == Health("m", True, "gone", 1, 0)


def test_sampler_hands_on_each_new_reading(clock: Clock) -> None:
    readings: list[Reading] = []
    sampler = Sampler([ScriptedChip(clock)], clock, on_reading=readings.append)
    run(sampler, clock, clock.now_ns + SECOND)
    assert len(readings) == pytest.approx(20, abs=1)
    assert readings[-1] == sampler.latest()[0]
    assert readings[-1].energy_mj == pytest.approx(6000, rel=0.06)


@dataclass
class PacingChip(ScriptedChip):
    """A chip that can hurry; while it is read for the third time, somebody asks it to."""

    sampler: Sampler | None = None
    begun_ns: int = 0
    due_ns: int = 0
    late_ns: int = 0
    ended_ns: int = 0

    def sample(self) -> Sample | None:
        if len(self.visits) == 2:
            assert self.sampler is not None
            self.sampler.hurry("m", self.clock.now_ns + SECOND)
        return super().sample()

    def hurry(self, until_ns: int) -> None:
        """Nothing but the moment matters here."""

    def rest(self) -> None:
        """Nothing to do."""


def test_sampler_that_is_asked_to_hurry_while_it_reads_reads_again_at_once(clock: Clock) -> None:
    """Fails if the visit under way puts off the look at a start by a whole conversion."""
    chip = PacingChip(clock)
    chip.sampler = sampler = Sampler([chip], clock)
    begun_ns = clock.now_ns
    run(sampler, clock, begun_ns + 3 * PERIOD)
    assert [at - begun_ns for at in chip.visits] == [0, PERIOD, 2 * PERIOD, 2 * PERIOD]


def test_sampler_without_chips_is_our_bug(clock: Clock) -> None:
    with pytest.raises(AssertionError, match="no sampler"):
        Sampler([], clock)


# --- a soft feed --------------------------------------------------------------------------------


@dataclass
class SoftChip(ScriptedChip):
    """A chip on a soft feed; paced, and read on the grid."""

    soft_ohms: float = 0.5
    is_looking: bool = False
    usual_ns: int = PERIOD
    missed: int = 0
    begun_ns: int = 0
    due_ns: int = 0
    late_ns: int = 0
    ended_ns: int = 0
    looks_at: list[int] = field(default_factory=list)

    def look(self, until_ns: int) -> None:
        self.looks_at.append(self.clock.now_ns)
        assert PERIOD <= until_ns - self.clock.now_ns < 2 * PERIOD

    def hurry(self, until_ns: int) -> None:
        raise AssertionError

    def rest(self) -> None:
        raise AssertionError


def test_sampler_lets_one_chip_of_a_bus_look_at_a_time_and_begins_at_once(clock: Clock) -> None:
    """Fails if looks, which fill a bus, are in each other's way."""
    chips = [SoftChip(clock, name=name, takes_ns=MS) for name in "abc"]
    sampler = Sampler(chips, clock)
    run(sampler, clock, clock.now_ns + SECOND)
    begun = sorted(at for chip in chips for at in chip.looks_at)
    assert [len(chip.looks_at) for chip in chips] == [1, 1, 1]
    assert all(after - before >= PERIOD for before, after in pairwise(begun))
    first = chips[0]
    assert first.visits[:2] == [begun[0] - MS, begun[0] + 2 * MS], "after the other two, no later"


def test_sampler_of_a_stiff_feed_looks_never(clock: Clock) -> None:
    chip = SoftChip(clock, soft_ohms=0.0)
    run(Sampler([chip], clock), clock, clock.now_ns + 30 * SECOND)
    assert chip.looks_at == []


def test_channel_counts_to_the_end_of_a_conversion_and_not_to_when_it_was_read(
    clock: Clock,
) -> None:
    """Fails if each start adds what its conversion lay in the chip: its begin is seen at once."""
    chip = SoftChip(clock, soft_ohms=0.0, sample_now=Sample(10.0, 0.0, Quality.FRESH))
    channel = Channel(chip, clock)
    chip.ended_ns = clock.now_ns
    channel.read()
    chip.sample_now = Sample(10.0, 1.0, Quality.FRESH)
    chip.begun_ns = clock.now_ns
    for number in range(1, 21):
        chip.ended_ns = chip.begun_ns + number * PERIOD
        clock.now_ns = chip.ended_ns + PERIOD // 3
        channel.read()
    energy_mj = channel.latest(clock.now_ns).energy_mj
    assert energy_mj == pytest.approx(10 * 20 * PERIOD / MS, abs=1)


@dataclass
class OwnPaceChip(PacingChip):
    """A chip with a pace of its own, which knows when it has converted."""

    own_ns: int = PERIOD
    seen: int = 0
    late_ns: int = 0
    lost: int = 0
    twice: int = 0

    def sample(self) -> Sample | None:
        self.visits.append(self.clock.now_ns)
        number = self.clock.now_ns // self.own_ns
        self.lost += number - self.seen - 1 if self.seen else 0
        self.twice += number == self.seen
        self.seen = number
        self.due_ns = (number + 1) * self.own_ns
        self.late_ns = self.due_ns + self.own_ns // 2
        return self.sample_now


def test_sampler_lets_chips_of_different_paces_share_wake_ups_and_misses_none(
    clock: Clock,
) -> None:
    """Four chips alone would be 80 wake-ups a second; one that waits for each would be late."""
    paces = (0.95, 0.99, 1.01, 1.05)
    chips = [
        OwnPaceChip(clock, name=f"m{at}", own_ns=round(PERIOD * pace))
        for at, pace in enumerate(paces)
    ]
    sampler = Sampler(chips, clock)
    start_ns, wakes = clock.now_ns, 0
    while clock.now_ns < start_ns + 10 * SECOND:
        wakes += 1
        clock.now_ns = max(sampler.poll(), clock.now_ns)
    assert [chip.lost for chip in chips] == [chip.twice for chip in chips] == [0, 0, 0, 0]
    assert wakes <= 1.9 * 10 * SECOND / PERIOD
    assert all(len(chip.visits) >= 10 * SECOND / chip.own_ns - 1 for chip in chips)


def test_sampler_reads_a_chip_that_is_alone_as_soon_as_it_has_converted(clock: Clock) -> None:
    chip = OwnPaceChip(clock, own_ns=PERIOD + 1_234)
    run(Sampler([chip], clock), clock, clock.now_ns + 3 * SECOND)
    assert all(at % chip.own_ns == 0 for at in chip.visits[1:])
