"""The contract of a meter driver, over a register-true chip; both drivers keep it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware import registers
from rackgrid_firmware.chip import open_chip
from rackgrid_firmware.device import Quality
from rackgrid_firmware.errors import DeviceFault, DeviceUnavailable, ProfileError
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.ina219 import VERIFY_NS, Ina219
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.fault import Fault, FaultBook
from rackgrid_firmware.profile import MeterMock, MeterProfile

ADDRESS = 0x40
PROFILE = MeterProfile(
    name="feed",
    driver="ina219",
    bus=1,
    address=ADDRESS,
    shunt_ohms=0.1,
    amps_max=0.0,
    profile="energy",
    gain=1.0,
    offset_a=0.0,
    mock=MeterMock(),
)
DRIVERS = [
    "ina219",
    pytest.param(
        "pi-ina219",
        marks=[
            pytest.mark.oracle,
            pytest.mark.skipif(find_spec("ina219") is None, reason="no pi-ina219 extra"),
        ],
    ),
]


@dataclass
class Desk:
    """A chip on a bus on a clock that the test moves; counts what crosses the bus."""

    driver: str
    now_ns: int = 1_000_000
    faults: FaultBook = field(default_factory=FaultBook)
    transfers: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chip = Ina219Chip(self.now_ns, noise=0.0)
        port = ChipPort({ADDRESS: self.chip}, lambda: self.now_ns)
        self.bus = Bus(1, lambda number: CountingBus(port, self.faults, self.transfers))

    def open(self, **profile: object) -> Ina219:
        chip = open_chip(
            replace(PROFILE, driver=self.driver, **profile),  # type: ignore[arg-type]
            self.bus,
            lambda: self.now_ns,
        )
        assert isinstance(chip, Ina219)
        return chip

    def opened(self, **profile: object) -> Ina219:
        """Open it and wait for its first conversion."""
        driver = self.open(**profile)
        assert driver.sample() is None
        self.convert(driver)
        return driver

    def feel(self, volts: float, amps: float, ohms: float = 0.1) -> None:
        self.chip.feel(self.now_ns, amps * ohms, volts)

    def next(self, driver: Ina219) -> registers.Sample:
        """Do what the sampler does until there is a new conversion."""
        for _ in range(8):
            self.now_ns = max(self.now_ns, driver.due_ns)
            if sample := driver.sample():
                return sample
        raise AssertionError("no conversion in eight looks")

    def convert(self, driver: Ina219) -> None:
        """Let two conversions pass: the first may have begun before the inputs changed."""
        self.now_ns += 2 * driver.period_ns + 1


class CountingBus(MockSMBus):
    def __init__(self, port: ChipPort, faults: FaultBook, transfers: list[tuple[str, int]]) -> None:
        super().__init__(port, faults, hang_s=0.0)
        self._crossed = transfers

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        self._crossed.append(("r", register))
        return super().read_word_data(i2c_addr, register, force)

    def write_word_data(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> None:
        self._crossed.append(("w", register))
        super().write_word_data(i2c_addr, register, value, force)


@pytest.fixture(params=DRIVERS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


@pytest.mark.parametrize("volts", [0.0, 3.3, 12.0, 25.9])
@pytest.mark.parametrize("amps", [-3.1, -0.001, 0.0, 0.5, 3.1])
def test_sample_says_what_lies_at_the_inputs(desk: Desk, volts: float, amps: float) -> None:
    desk.feel(volts, amps)
    sample = desk.opened().sample()
    assert sample is not None
    assert sample.volts == pytest.approx(volts, abs=0.004)
    assert sample.amps == pytest.approx(amps, abs=0.0001)
    assert sample.quality is Quality.FRESH


def test_sample_is_calibrated_by_the_profile(desk: Desk) -> None:
    desk.feel(12.0, 0.5)
    sample = desk.opened(gain=1.1, offset_a=-0.02).sample()
    assert sample is not None
    assert sample.amps == pytest.approx(0.5 * 1.1 - 0.02, abs=0.0002)


def test_sample_before_the_first_conversion_is_none(desk: Desk) -> None:
    """Fails if registers that the chip has not filled yet are passed on as 0 W."""
    desk.feel(12.0, 0.5)
    driver = desk.open()
    assert driver.sample() is None
    desk.now_ns += driver.period_ns - 1000
    assert driver.sample() is None
    desk.now_ns += 2000
    assert driver.sample() is not None


@pytest.mark.parametrize(
    ("profile", "amps_max", "word"),
    [("energy", 0.0, 0x39FF), ("energy", 1.0, 0x31FF), ("fast", 0.3, 0x219F)],
)
def test_chip_is_configured_as_the_profile_says(
    desk: Desk, profile: str, amps_max: float, word: int
) -> None:
    desk.open(profile=profile, amps_max=amps_max).sample()
    assert desk.chip.read(desk.now_ns, registers.CONFIGURATION) == word


@pytest.mark.parametrize("amps_max", [0.3, 0.7, 1.5, 3.2])
@pytest.mark.parametrize("sign", [1, -1])
def test_sample_beyond_the_range_is_saturated_at_its_end(
    desk: Desk, amps_max: float, sign: int
) -> None:
    desk.feel(12.0, sign * 4.0)
    shunt_range = registers.range_for(amps_max, 0.1)
    assert shunt_range is not None
    sample = desk.opened(amps_max=amps_max).sample()
    assert sample is not None
    assert sample.quality is Quality.SATURATED
    assert sample.amps == pytest.approx(sign * shunt_range.volts / 0.1)


def test_chip_that_was_reset_goes_on_measuring_and_is_configured_anew(desk: Desk) -> None:
    """The brown-out after which pi-ina219's own current() reads 0 A for ever."""
    desk.feel(12.0, 0.5)
    driver = desk.opened(amps_max=1.0)
    desk.next(driver)
    desk.chip.brown_out(desk.now_ns)
    assert desk.next(driver).amps == pytest.approx(0.5, abs=0.001)
    desk.now_ns += VERIFY_NS
    assert (driver.sample(), driver.resets) == (None, 1)
    assert desk.chip.read(desk.now_ns, registers.CONFIGURATION) == 0x31FF
    desk.convert(driver)
    assert driver.sample() is not None


def test_chip_that_was_reset_is_found_at_once_by_a_current_beyond_its_range(desk: Desk) -> None:
    driver = desk.opened(amps_max=0.3)
    desk.chip.brown_out(desk.now_ns)
    desk.feel(12.0, 2.0)
    desk.now_ns += 3_000_000
    sample = driver.sample()
    assert sample is not None
    assert sample.quality is Quality.SATURATED
    assert sample.amps == pytest.approx(2.0, abs=0.001)
    assert (driver.sample(), driver.resets) == (None, 1)


def test_chip_that_does_not_answer_raises_and_recovers(desk: Desk) -> None:
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    desk.faults.add(Fault.NACK, count=-1)
    with pytest.raises(DeviceUnavailable, match="no chip answers at 0x40 on I2C bus 1"):
        driver.sample()
    desk.faults.clear()
    desk.transfers.clear()
    assert driver.sample() is not None
    assert desk.transfers[0] == ("r", registers.CONFIGURATION)  # it may have been reset meanwhile


def test_chip_that_is_absent_at_first_is_configured_when_it_comes(desk: Desk) -> None:
    desk.faults.add(Fault.TIMEOUT, count=1)
    driver = desk.open()
    with pytest.raises(DeviceUnavailable, match="hangs"):
        driver.sample()
    assert (driver.sample(), driver.resets) == (None, 0)
    desk.convert(driver)
    assert driver.sample() is not None


def test_one_garbled_look_at_the_configuration_is_no_reset(desk: Desk) -> None:
    driver = desk.opened()
    desk.now_ns += VERIFY_NS
    desk.faults.add(Fault.GARBAGE, count=1)
    assert driver.sample() is not None
    assert driver.resets == 0


def test_chip_that_forgets_what_it_is_told_is_a_fault(desk: Desk) -> None:
    desk.faults.add(Fault.GARBAGE, count=-1)
    with pytest.raises(DeviceFault, match="does not keep its configuration: is it an INA219"):
        desk.open().sample()


def all_ones(self: ChipPort, address: int, register: int) -> int:
    return 0xFFFF


def test_words_that_no_chip_can_say_are_a_fault(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bus whose data line is loose reads all ones: 32.76 V."""
    driver = desk.opened()
    monkeypatch.setattr(ChipPort, "read_word", all_ones)
    with pytest.raises(DeviceFault, match=r"says 32.76 V and -0 mV .* no INA219 can"):
        driver.sample()


def test_current_that_the_shunt_cannot_carry_is_an_error_of_the_profile(desk: Desk) -> None:
    with pytest.raises(ProfileError, match=r"'feed': 5.0 A through 0.1 ohm .* at most 3.20"):
        desk.open(amps_max=5.0)


def test_sample_of_a_long_cycle_costs_three_transfers_and_of_a_short_one_two() -> None:
    desk = Desk("ina219")
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    desk.next(driver)  # the first one is read twice before it is believed
    desk.convert(driver)
    desk.transfers.clear()
    driver.sample()
    assert desk.transfers == [("r", registers.BUS), ("r", registers.SHUNT), ("r", registers.POWER)]


# --- pace -----------------------------------------------------------------------------------


def test_hurry_lasts_as_long_as_it_is_asked_for_and_then_all_is_as_usual(desk: Desk) -> None:
    desk.feel(12.0, 0.5)
    driver = desk.opened(amps_max=0.6)
    usual_ns = driver.period_ns
    driver.hurry(desk.now_ns + 100_000_000)
    assert driver.sample() is None, "conversions start anew"
    assert (driver.period_ns, driver.begun_ns) == (616_000, desk.now_ns)
    desk.feel(12.0, 2.9)
    desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(2.9, abs=0.01), (
        "an inrush is beyond what the profile expects"
    )
    assert sample.quality is Quality.FRESH
    desk.feel(12.0, 0.5)
    desk.now_ns += 100_000_000
    assert driver.sample() is None
    assert (driver.period_ns, driver.resets) == (usual_ns, 0)
    desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(0.5, abs=0.001)


def test_hurry_that_ends_sooner_than_one_before_changes_nothing(desk: Desk) -> None:
    driver = desk.opened()
    driver.hurry(desk.now_ns + 100_000_000)
    driver.hurry(desk.now_ns + 1_000_000)
    desk.now_ns += 50_000_000
    driver.sample()
    assert driver.period_ns == 616_000


def test_rest_lets_the_chip_sleep_and_the_next_sample_waits_for_a_conversion(desk: Desk) -> None:
    """Fails if what the chip said before it slept passes for what it sees now."""
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    assert driver.sample() is not None
    driver.rest()
    assert desk.chip.read(desk.now_ns, 0) & 7 == 0
    desk.feel(11.0, 1.5)
    desk.now_ns += 10_000_000_000
    assert driver.sample() is None
    desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(1.5, abs=0.001)
    assert driver.resets == 0


def test_inrush_profile_is_a_profile_like_the_others(desk: Desk) -> None:
    desk.feel(12.0, 0.5)
    driver = desk.opened(profile="inrush")
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(0.5, abs=0.01)
    assert driver.period_ns == 616_000


def test_chip_whose_ready_flag_clears_on_reading_it_is_still_sampled_at_its_rate() -> None:
    """A field report saw reading 02h clear CNVR; the datasheet says only 03h does."""
    desk = Desk("ina219")
    desk.chip = Ina219Chip(desk.now_ns, noise=0.0, bus_read_clears=True)
    desk.bus = Bus(1, lambda number: MockSMBus(ChipPort({ADDRESS: desk.chip}, lambda: desk.now_ns)))
    driver = desk.opened()
    for _ in range(5):
        desk.next(driver)
    before = desk.chip.converted[registers.SHUNT]
    for _ in range(100):
        desk.next(driver)
    assert desk.chip.converted[registers.SHUNT] - before == 100


STEPS: dict[str, Callable[[Desk], None]] = {
    "nack": lambda desk: desk.faults.add(Fault.NACK, count=3),
    "hang": lambda desk: desk.faults.add(Fault.TIMEOUT, count=1),
    "garbage": lambda desk: desk.faults.add(Fault.GARBAGE, count=2),
    "reset": lambda desk: desk.chip.brown_out(desk.now_ns),
    "repair": lambda desk: desk.faults.clear(),
}


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*STEPS, "nothing", "nothing"]), max_size=30))
def test_driver_under_any_faults_raises_only_device_errors_and_recovers(steps: list[str]) -> None:
    desk = Desk("ina219")
    desk.feel(12.0, 0.5)
    driver = desk.open()
    for step in steps:
        if step in STEPS:
            STEPS[step](desk)
        with suppress(DeviceUnavailable, DeviceFault):
            driver.sample()
        desk.now_ns += driver.period_ns
    desk.faults.clear()
    desk.now_ns += VERIFY_NS
    for _ in range(2):
        sample = driver.sample()
        desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert (sample.volts, sample.amps) == (pytest.approx(12.0), pytest.approx(0.5))
    assert desk.chip.read(desk.now_ns, registers.CONFIGURATION) == 0x39FF
