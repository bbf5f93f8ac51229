"""Fails if one broken device takes others with it, or a closed board is not safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rackgrid_firmware import board as board_module
from rackgrid_firmware.board import LOOK_NS, Board, Ways, look_ns, mock_ways, real_ways
from rackgrid_firmware.chip import Chips
from rackgrid_firmware.device import Modulating, Quality
from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.meter import Chip, Health
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.client import PlantControl
from rackgrid_firmware.mock.fault import Fault
from rackgrid_firmware.mock.pins import PlantFactory
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.process import PlantProcess
from rackgrid_firmware.profile import (
    MeterMock,
    MeterProfile,
    OutputMock,
    OutputProfile,
    Profile,
    TripProfile,
)
from rackgrid_firmware.protection import WINDOW_NS


def meter(name: str, address: int, *, bus: int = 1, driver: str = "ina219") -> MeterProfile:
    return MeterProfile(name, driver, bus, address, 0.1, 0.0, "fast", 1.0, 0.0, MeterMock())


def output(name: str, gpio: int, *, required: bool = False) -> OutputProfile:
    return OutputProfile(
        name, gpio, True, required, 12.0, 12.0, 0.0, 0.0, 0.0, "", OutputMock(10.0, 0.0)
    )


PROFILE = Profile(
    "bench",
    "mock",
    3.0,
    5.0,
    0.0,
    (meter("m1", 0x40), meter("m2", 0x41), meter("m3", 0x40, bus=2)),
    (output("fan", 17), output("switch", 18, required=True)),
)


class World:
    """Pins that remember, chips in this process, and faults for both."""

    def __init__(self) -> None:
        self.levels: dict[int, bool | float] = {}
        self.broken: set[int] = set()
        self.closed = 0
        self.buses = {
            1: MockSMBus(ChipPort({0x40: Ina219Chip(), 0x41: Ina219Chip()}), hang_s=0.0),
            2: MockSMBus(ChipPort({0x40: Ina219Chip()}), hang_s=0.0),
        }
        self.ways = Ways(lambda: PlantFactory(self), self.buses.__getitem__, self.close)

    def drive(self, gpio: int, level: bool) -> None:
        if gpio in self.broken:
            raise DeviceUnavailable(f"GPIO {gpio} is broken")
        self.levels[gpio] = level

    def modulate(self, gpio: int, duty: float, hz: float) -> None:
        self.levels[gpio] = duty
        assert hz == 50.0

    def close(self) -> None:
        self.closed += 1


class Ear:
    """Hears of the meters' health, and can be waited on."""

    def __init__(self) -> None:
        self.heard: list[Health] = []
        self._news = threading.Condition()

    def __call__(self, health: Health) -> None:
        with self._news:
            self.heard.append(health)
            self._news.notify_all()

    def wait_for(self, wanted: Callable[[Health], bool]) -> None:
        with self._news:
            assert self._news.wait_for(lambda: any(map(wanted, self.heard)), timeout=10)


def test_board_claims_every_output_at_its_safe_level() -> None:
    world = World()
    board = Board(PROFILE, world.ways)
    assert world.levels == {17: False, 18: True}
    assert set(board.relays) == {"fan", "switch"}
    assert board.troubles == ()
    board.close()


def test_board_closed_is_safe_and_lets_go() -> None:
    world = World()
    board = Board(PROFILE, world.ways)
    board.relays["fan"].energise(True)
    board.close()
    assert world.levels == {17: False, 18: True}
    assert world.closed == 1


def test_board_samples_all_buses_in_the_profiles_order() -> None:
    world, ear = World(), Ear()
    board = Board(PROFILE, world.ways, ear)
    assert [reading.quality for reading in board.readings] == [Quality.STALE] * 3
    board.start()
    done = threading.Event()
    for _ in range(1000):
        if all(reading.quality is Quality.FRESH for reading in board.readings):
            break
        done.wait(0.005)
    assert [reading.meter for reading in board.readings] == ["m1", "m2", "m3"]
    assert {reading.quality for reading in board.readings} == {Quality.FRESH}
    board.close()
    assert ear.heard == []


def test_board_chip_that_does_not_answer_is_told_and_the_rest_goes_on() -> None:
    world, ear = World(), Ear()
    world.buses[1].faults.add(Fault.NACK, address=0x41, count=-1)
    board = Board(PROFILE, world.ways, ear)
    board.start()
    ear.wait_for(lambda health: health.meter == "m2" and health.failing)
    assert board.readings[1].quality is Quality.STALE
    world.buses[1].faults.clear()
    ear.wait_for(lambda health: health.meter == "m2" and not health.failing)
    board.close()


def test_board_meter_that_cannot_be_opened_is_a_trouble_and_always_stale() -> None:
    meters = (meter("m1", 0x40), replace(meter("m2", 0x40, bus=2), amps_max=50.0))
    board = Board(replace(PROFILE, meters=meters), World().ways)
    (trouble,) = board.troubles
    assert trouble.device == "m2"
    assert "use a smaller shunt" in trouble.problem
    assert [reading.meter for reading in board.readings] == ["m1", "m2"]
    assert board.readings[1].quality is Quality.STALE
    board.close()


def test_board_meter_of_a_kernel_driver_is_sampled_on_a_line_of_its_own(tmp_path: Path) -> None:
    shown = tmp_path / "hwmon1"
    shown.mkdir()
    for name, text in (("in1_input", "12000"), ("curr1_input", "1500")):
        (shown / name).write_text(text)
    kernels = MeterProfile(
        "k", "hwmon", 0, 0, 0.0, 0.0, "energy", 1.0, 0.0, MeterMock(), path=str(shown)
    )
    board = Board(replace(PROFILE, meters=(kernels, meter("m1", 0x40))), World().ways)
    board.start()
    deadline = time.monotonic() + 10
    while board.readings[0].quality is not Quality.FRESH:
        assert time.monotonic() < deadline, board.readings
        threading.Event().wait(0.005)
    assert board.readings[0].watts == pytest.approx(18.0)
    board.close()


def test_board_output_that_cannot_be_claimed_is_a_trouble_and_the_others_work() -> None:
    world = World()
    world.broken.add(17)
    board = Board(PROFILE, world.ways)
    assert [each.device for each in board.troubles] == ["fan"]
    assert "GPIO 17" in board.troubles[0].problem
    assert set(board.relays) == {"switch"}
    board.close()


def test_board_without_gpio_still_measures() -> None:
    def no_gpio() -> Any:
        raise DeviceUnavailable("no /dev/gpiochip*")

    board = Board(PROFILE, replace(World().ways, pins=no_gpio))
    assert [each.device for each in board.troubles] == ["fan", "switch"]
    assert board.relays == {}
    board.close()


def test_board_of_meters_only_needs_no_gpio() -> None:
    def no_gpio() -> Any:
        raise AssertionError("asked for pins")

    board = Board(replace(PROFILE, outputs=()), replace(World().ways, pins=no_gpio))
    assert board.troubles == ()
    board.close()


def test_board_output_that_does_not_follow_at_the_end_is_raised_after_the_others() -> None:
    world = World()
    board = Board(replace(PROFILE, outputs=(output("a", 17), output("b", 22))), world.ways)
    for relay in board.relays.values():
        relay.energise(True)
    world.broken.add(17)
    with pytest.raises(DeviceUnavailable, match="GPIO 17"):
        board.close()
    assert world.levels == {17: True, 22: False}
    assert world.closed == 1


def test_board_bug_while_opening_leaves_the_pins_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(board_module, "by_bus", broken)
    with pytest.raises(ZeroDivisionError):
        Board(PROFILE, world.ways)
    assert world.levels == {17: False, 18: True}
    assert world.closed == 1


def test_mock_ways_reach_the_plants_process(tmp_path: Path) -> None:
    path = str(tmp_path / "plant")
    process = PlantProcess(Plant(), path)
    thread = threading.Thread(target=process.run)
    thread.start()
    control = PlantControl(path)
    board = Board(PROFILE, mock_ways(PROFILE, "n1", path))
    board.relays["fan"].energise(True)
    assert control.draws()["nodes"]["n1"]["loads"] == {"fan": 10.0, "switch": 10.0}
    board.close()
    assert control.levels("n1") == {17: False, 18: True}
    control.close()
    process.stop()
    thread.join(5)
    process.close()


def test_mock_ways_without_a_plant_are_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="plant"):
        mock_ways(PROFILE, "n1", str(tmp_path / "none"))


def test_real_ways_open_this_machines_own_devices() -> None:
    ways = real_ways()
    with pytest.raises(OSError, match="i2c-250"):
        ways.bus(250)
    ways.close()


def test_board_output_that_modulates_is_claimed_off_and_takes_levels() -> None:
    world = World()
    lamp = replace(output("lamp", 13), pwm_hz=50.0, min_level=100)
    board = Board(replace(PROFILE, outputs=(*PROFILE.outputs, lamp)), world.ways)
    assert world.levels == {17: False, 18: True, 13: False}
    relay = board.relays["lamp"]
    assert isinstance(relay, Modulating)
    assert not isinstance(board.relays["fan"], Modulating)
    relay.modulate(250)
    assert world.levels[13] == 0.25
    board.close()
    assert world.levels[13] is False


def test_look_at_a_start_is_over_before_the_verdict_begins_and_never_as_long_as_the_last() -> None:
    lengths = [look_ns(0.5, count) - 500_000_000 for count in range(64)]
    assert all(LOOK_NS <= each < WINDOW_NS for each in lengths)
    assert len({each // 1_000_000 for each in lengths}) > 30


def test_board_tells_each_chip_at_which_current_the_first_output_behind_it_trips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails if a driver believes a wrong word beyond a limit of which it does not know."""
    told: dict[str, float] = {}
    really = Chips.open

    def spy(self: Chips, meter: MeterProfile, bus: Bus, limit_a: float = 0.0) -> Chip:
        told[meter.name] = limit_a
        return really(self, meter, bus, limit_a)

    monkeypatch.setattr(Chips, "open", spy)
    behind = [
        replace(output(name, gpio), meter=meter, trip=TripProfile(trip_a=trip_a))
        for name, gpio, meter, trip_a in (
            ("a", 17, "m1", 4.0),
            ("b", 18, "m1", 2.5),
            ("c", 19, "m1", 0.0),
            ("d", 20, "m2", 0.0),
        )
    ]
    board = Board(replace(PROFILE, outputs=tuple(behind)), World().ways)
    board.close()
    assert told == {"m1": 2.5, "m2": 0.0, "m3": 0.0}
