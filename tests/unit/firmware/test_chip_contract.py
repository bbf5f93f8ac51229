"""The contract of a meter driver: what each of them keeps, on its register-true chip.

The range and both signs to the last step, saturation said, nothing invented before the first
conversion, no zero after a reset that is not the truth, every fault of the bus a DeviceError and
then repaired, and a bounded number of transfers. What is special to one driver is in its own test.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.firmware.chip_desk import INA219, INA226, INA260, INA3221, KINDS, Desk, Kind

from rackgrid_firmware.device import Quality
from rackgrid_firmware.errors import DeviceError, DeviceFault, DeviceUnavailable, ProfileError
from rackgrid_firmware.mock.fault import Fault
from rackgrid_firmware.mock.shelf import make_chip

SECOND = 1_000_000_000
VERIFY_NS = 10 * SECOND


@pytest.fixture(params=KINDS, ids=lambda kind: kind.driver)
def kind(request: pytest.FixtureRequest) -> Kind:
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def desk(kind: Kind) -> Desk:
    return Desk(kind)


@pytest.mark.parametrize("profile", ["energy", "fast"])
@pytest.mark.parametrize("volts", [0.0, 3.3, 5.1, 12.0, 25.9])
@pytest.mark.parametrize("share", [-0.98, -0.2, 0.0, 0.01, 0.5, 0.98])
def test_sample_says_what_lies_at_the_inputs(
    desk: Desk, kind: Kind, profile: str, volts: float, share: float
) -> None:
    amps = share * kind.full_a
    desk.feel(volts, amps)
    sample = desk.opened(profile=profile).sample()
    assert sample is not None
    assert sample.volts == pytest.approx(volts, abs=0.51 * kind.volts_lsb)
    # A single 12-bit sample of the INA219 at its widest range steps by eight LSB.
    steps = 4.1 if kind.driver in ("ina219", "pi-ina219") and profile == "fast" else 0.51
    assert sample.amps == pytest.approx(amps, abs=steps * kind.amps_lsb)
    assert sample.quality is Quality.FRESH


def test_sample_is_calibrated_by_the_profile(desk: Desk, kind: Kind) -> None:
    desk.feel(12.0, 0.5)
    sample = desk.opened(gain=1.1, offset_a=-0.02).sample()
    assert sample is not None
    assert sample.amps == pytest.approx(0.5 * 1.1 - 0.02, abs=0.6 * kind.amps_lsb)


@pytest.mark.parametrize("sign", [1, -1])
def test_sample_beyond_the_range_is_saturated_at_its_end(desk: Desk, kind: Kind, sign: int) -> None:
    desk.feel(12.0, sign * 1.3 * kind.full_a)
    sample = desk.opened().sample()
    assert sample is not None
    assert sample.quality is Quality.SATURATED
    assert sample.amps == pytest.approx(sign * kind.full_a, abs=1.01 * kind.amps_lsb)


def test_sample_before_the_first_conversion_is_none(desk: Desk) -> None:
    """Fails if registers that the chip has not filled yet are passed on as 0 W."""
    desk.feel(12.0, 0.5)
    driver = desk.open()
    assert driver.sample() is None
    desk.now_ns += driver.period_ns - 1000
    assert driver.sample() is None
    desk.now_ns += 2000
    assert driver.sample() is not None


def test_sample_is_never_older_than_two_periods(desk: Desk, kind: Kind) -> None:
    driver = desk.opened()
    for amps in (0.4, 2.0, 0.8, -1.2):
        desk.feel(12.0, amps)
        desk.convert(driver)
        sample = driver.sample()
        assert sample is not None
        assert sample.amps == pytest.approx(amps, abs=kind.amps_lsb)


@pytest.mark.parametrize("wait_us", [10, 600, 1200, 3000, 8000, 100_000])
@pytest.mark.parametrize("dip_after", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", [INA219, INA226, INA260, INA3221], ids=lambda kind: kind.driver)
def test_reset_between_any_two_transfers_never_makes_a_zero(
    kind: Kind, dip_after: int, wait_us: int
) -> None:
    """The brown-out after which a driver that trusts the calibration register reads 0 A."""
    desk = Desk(kind)
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    desk.dip_after = dip_after
    for _ in range(4):
        sample = driver.sample()
        if sample is not None:
            assert sample.volts == pytest.approx(12.0, abs=2 * kind.volts_lsb)
            assert sample.amps == pytest.approx(0.5, abs=8 * kind.amps_lsb)
        desk.now_ns += wait_us * 1000
    desk.now_ns += VERIFY_NS
    driver.sample()
    desk.convert(driver)
    assert driver.sample() is not None
    assert driver.resets == 1
    assert desk.configuration() != kind.power_on


def test_reset_with_no_load_at_all_is_found_within_ten_seconds(desk: Desk, kind: Kind) -> None:
    driver = desk.opened()
    assert driver.sample() is not None
    desk.chip.brown_out(desk.now_ns)
    desk.now_ns += VERIFY_NS
    assert (driver.sample(), driver.resets) == (None, 1)
    assert desk.configuration() != kind.power_on


def test_zeros_of_a_healthy_chip_are_the_truth(desk: Desk, kind: Kind) -> None:
    driver = desk.opened()
    for _ in range(20):
        desk.next(driver)
    desk.transfers.clear()
    for _ in range(40):
        sample = desk.next(driver)
        assert (sample.volts, sample.amps, sample.quality) == (0.0, 0.0, Quality.FRESH)
    assert len(desk.transfers) <= 40 * kind.transfers[1] + 6
    assert driver.resets == 0


def test_sample_costs_its_transfers_and_a_look_each_ten_seconds(desk: Desk, kind: Kind) -> None:
    """One flag in some thirty is down: what is not known of the cycle is halved then."""
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    for _ in range(20):  # the cycle is being learned
        desk.next(driver)
    desk.transfers.clear()
    samples = 0
    while desk.now_ns < 27 * SECOND:
        desk.next(driver)
        samples += 1
    assert [each for each in desk.transfers if each[0] == "w"] == []
    assert desk.transfers.count(("r", 0)) == 2
    assert len(desk.transfers) <= samples * (kind.transfers[0] + 0.05) + 2


@pytest.mark.parametrize("pace", [0.9, 0.95, 1.0, 1.02, 1.1])
def test_every_conversion_is_read_and_none_twice_whatever_the_chips_pace(
    kind: Kind, pace: float
) -> None:
    desk = Desk(kind, pace=pace)
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    for _ in range(5):
        desk.next(driver)
    shunt = 2 * kind.channels - 1
    before = desk.chip.converted[shunt]
    for number in range(1, 400):
        desk.next(driver)
        assert desk.chip.converted[shunt] - before == number
        assert driver.sample() is None, "it was read already"


@pytest.mark.parametrize("profile", ["energy", "fast", "inrush"])
def test_converter_that_stands_still_is_started_again_and_counted(
    desk: Desk, kind: Kind, profile: str
) -> None:
    """Fails if the last reading of a converter that has stopped passes for what it sees now."""
    desk.feel(12.0, 0.5)
    driver = desk.opened(profile=profile)
    desk.next(driver)
    word = desk.configuration()
    desk.chip.halt(desk.now_ns)
    stopped_ns = desk.now_ns
    while driver.resets == 0:
        assert driver.sample() is None or kind.driver == "ina219"
        desk.now_ns += driver.period_ns // 4
        assert desk.now_ns - stopped_ns < 2 * SECOND
    assert desk.configuration() == word
    desk.next(driver)
    assert driver.resets == 1


@pytest.mark.parametrize("profile", ["energy", "fast", "inrush"])
def test_converter_that_cannot_be_started_again_is_a_fault_that_says_what_and_where(
    desk: Desk, profile: str
) -> None:
    desk.feel(12.0, 0.5)
    driver = desk.opened(profile=profile)
    desk.next(driver)
    stopped_ns = desk.now_ns
    text = r"0x41 on I2C bus 1 does not convert: its ready flag \(bit . of ..h\) has .* replace it"

    def watch() -> None:
        while desk.now_ns - stopped_ns < 2 * SECOND:
            desk.chip.halt(desk.now_ns)
            driver.sample()
            desk.now_ns += driver.period_ns // 4

    with pytest.raises(DeviceFault, match=text):
        watch()
    desk.now_ns += 100_000_000
    for _ in range(3):  # it is still there, and comes back
        driver.sample()
        desk.convert(driver)
    assert driver.sample() is not None


def test_configuration_that_reads_garbled_once_is_no_reset(desk: Desk) -> None:
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    desk.now_ns += VERIFY_NS
    desk.faults.add(Fault.GARBAGE, count=1)
    assert driver.sample() is not None
    assert driver.resets == 0


def test_chip_that_does_not_answer_raises_and_recovers(desk: Desk) -> None:
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    desk.faults.add(Fault.NACK, count=-1)
    for _ in range(3):
        with pytest.raises(DeviceUnavailable, match="no chip answers at 0x41 on I2C bus 1"):
            driver.sample()
    desk.faults.clear()
    desk.transfers.clear()
    desk.convert(driver)
    assert driver.sample() is not None
    assert desk.transfers[0] == ("r", 0)  # it may have been reset meanwhile


def test_bus_that_hangs_says_so_and_a_chip_that_is_absent_at_first_is_configured_later(
    desk: Desk,
) -> None:
    desk.feel(12.0, 0.5)
    desk.faults.add(Fault.TIMEOUT, count=1)
    driver = desk.open()
    with pytest.raises(DeviceUnavailable, match="hangs") as caught:
        driver.sample()
    assert caught.value.errno == 110
    assert (driver.sample(), driver.resets) == (None, 0)
    desk.convert(driver)
    assert driver.sample() is not None


def test_words_that_no_chip_can_say_are_a_fault(desk: Desk, kind: Kind) -> None:
    """A bus whose data line is loose reads all ones."""
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    part = kind.driver.removeprefix("pi-").upper()
    with desk.stuck_bus(), pytest.raises(DeviceFault, match=f"at 0x41 on I2C bus 1 .* no {part}"):
        driver.sample()
    desk.convert(driver)
    assert driver.sample() is not None


def test_chip_that_forgets_what_it_is_told_is_a_fault(desk: Desk, kind: Kind) -> None:
    desk.faults.add(Fault.GARBAGE, count=-1)
    words = "is no" if kind.knows_itself else "does not keep its configuration"
    with pytest.raises(DeviceFault, match=f"the chip at 0x41 on I2C bus 1 {words}"):
        desk.open().sample()


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        (kind, other)
        for kind in (INA226, INA260, INA3221)
        for other in ("ina219", "ina226", "ina260", "ina3221")
        if other != kind.driver
    ],
    ids=lambda each: each if isinstance(each, str) else each.driver,
)
def test_another_chip_in_the_place_is_named_and_left_alone(kind: Kind, other: str) -> None:
    desk = Desk(kind)
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    right, wrong = desk.chip, make_chip(other, desk.now_ns, noise=0.0)
    desk.plug(wrong)
    before = desk.configuration()
    desk.now_ns += VERIFY_NS
    with pytest.raises(DeviceFault, match=f'write driver = "{other}"'):
        driver.sample()
    assert desk.configuration() == before
    desk.plug(right)
    desk.convert(driver)
    assert driver.sample() is not None


def test_same_chip_exchanged_for_a_new_one_is_configured(desk: Desk, kind: Kind) -> None:
    desk.feel(12.0, 0.5)
    driver = desk.opened()
    desk.plug(make_chip(kind.driver, desk.now_ns, noise=0.0))
    desk.feel(12.0, 0.7)
    desk.now_ns += VERIFY_NS
    assert (driver.sample(), driver.resets) == (None, 1)
    desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert sample.amps == pytest.approx(0.7, abs=kind.amps_lsb)


def test_current_that_the_shunt_cannot_carry_is_an_error_of_the_profile(desk: Desk) -> None:
    with pytest.raises(ProfileError, match=r"meter 'm1': 50.*at most"):
        desk.open(amps_max=50.0)


STEPS: dict[str, Callable[[Desk], None]] = {
    "nack": lambda desk: desk.faults.add(Fault.NACK, count=3),
    "hang": lambda desk: desk.faults.add(Fault.TIMEOUT, count=1),
    "garbage": lambda desk: desk.faults.add(Fault.GARBAGE, count=2),
    "reset": lambda desk: desk.chip.brown_out(desk.now_ns),
    "dip": lambda desk: setattr(desk, "dip_after", 1),
    "repair": lambda desk: desk.faults.clear(),
}


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([each for each in KINDS if isinstance(each, Kind)]),
    st.lists(st.sampled_from([*STEPS, "nothing", "nothing"]), max_size=30),
    st.integers(1, 200),
)
def test_driver_under_any_faults_raises_only_device_errors_and_recovers(
    kind: Kind, steps: list[str], wait_ms: int
) -> None:
    desk = Desk(kind)
    desk.feel(12.0, 0.5)
    driver = desk.open()
    for step in steps:
        STEPS.get(step, lambda _: None)(desk)
        with suppress(DeviceError):
            driver.sample()
        desk.now_ns += wait_ms * 1_000_000
    desk.faults.clear()
    desk.dip_after = None
    desk.now_ns += VERIFY_NS
    driver.sample()
    desk.convert(driver)
    sample = driver.sample()
    assert sample is not None
    assert sample.volts == pytest.approx(12.0, abs=kind.volts_lsb)
    assert sample.amps == pytest.approx(0.5, abs=kind.amps_lsb)
    assert desk.configuration() != kind.power_on


def test_contract_is_kept_by_every_driver_of_a_chip() -> None:
    """Fails if a driver is added and not put through this contract."""
    from rackgrid_firmware.part import PARTS

    named = {each.driver for each in KINDS if isinstance(each, Kind)} | {"pi-ina219"}
    assert named == set(PARTS)
    assert INA219.driver in named
