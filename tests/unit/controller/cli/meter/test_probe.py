"""Fails if two programs get the same chips, a reading comes twice, or a dead chip is waited for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.unit.controller.cli.meter.bench import Bench, bench

from rackgrid.cli.meter import probe as probes
from rackgrid.cli.meter.probe import PATIENCE_S, Probe, find_meter, probing, raw
from rackgrid_firmware.chip import open_chip
from rackgrid_firmware.errors import (
    DeviceFault,
    DeviceForbidden,
    DeviceUnavailable,
    ProfileError,
)
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.listener import lock, seize
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.client import PlantControl
from rackgrid_firmware.profile import MeterMock, MeterProfile
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.profile_lock import hold

METER = MeterProfile("m", "ina219", 1, 0x40, 0.1, 0.0, "energy", 1.02, 0.5, MeterMock())


@dataclass
class Desk:
    """A probe over two chips, one of which may be missing, on a clock that only the probe moves."""

    both: bool = True
    now_ns: int = 1_000_000

    def __post_init__(self) -> None:
        self.chips = {0x40: Ina219Chip(self.now_ns, noise=0.0)}
        if self.both:
            self.chips[0x41] = Ina219Chip(self.now_ns, noise=0.0)
        bus = Bus(1, lambda _: MockSMBus(ChipPort(self.chips, lambda: self.now_ns)))
        meters = (METER, replace(METER, name="n", address=0x41))
        chips = [open_chip(meter, bus, lambda: self.now_ns) for meter in meters]
        self.probe = Probe([chips], lambda: self.now_ns, self.wait)
        self.alone = Probe([chips[:1]], lambda: self.now_ns, self.wait)
        self.gone = Probe([chips[1:]], lambda: self.now_ns, self.wait)

    def wait(self, seconds: float) -> None:
        self.now_ns += max(1, round(seconds * 1e9))


def test_probe_takes_each_conversion_once_and_leaves_the_first_ones_out() -> None:
    desk = Desk()
    desk.chips[0x40].feel(desk.now_ns, 0.1, 12.0)
    readings = desk.alone.take(5)
    assert len(readings) == 5
    apart = [b.t_ns - a.t_ns for a, b in pairwise(readings)]
    assert all(65_000_000 < each < 72_000_000 for each in apart)
    assert {reading.amps for reading in readings} == {1.02 + 0.5}


def test_probe_that_waited_for_somebody_reads_only_what_was_converted_since() -> None:
    desk = Desk()
    desk.alone.take(3)
    desk.now_ns += 3_600_000_000_000
    desk.chips[0x40].feel(desk.now_ns, 0.1, 12.0)
    began_ns = desk.now_ns
    readings = desk.alone.take(3)
    assert readings[0].t_ns > began_ns + 68_000_000
    assert {reading.amps for reading in readings} == {1.02 + 0.5}


def test_once_gives_a_reading_of_each_meter() -> None:
    assert set(Desk().probe.once()) == {"m", "n"}


def test_once_does_not_wait_for_ever_for_a_chip_that_is_missing() -> None:
    desk = Desk(both=False)
    began_ns = desk.now_ns
    assert set(desk.probe.once()) == {"m"}
    assert desk.now_ns - began_ns < 2 * PATIENCE_S * 1e9
    assert "no chip answers at 0x41" in desk.probe.problems()["n"]
    assert "m" not in desk.probe.problems()


def test_take_from_a_chip_that_is_missing_says_what_is_wrong() -> None:
    with pytest.raises(DeviceUnavailable, match="no chip answers at 0x41"):
        Desk(both=False).gone.take(1)


def test_raw_meter_has_no_calibration() -> None:
    assert (raw(METER).gain, raw(METER).offset_a) == (1.0, 0.0)
    assert raw(METER) == replace(METER, gain=1.0, offset_a=0.0)


# --- who has the board ---------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def test_real_board_whose_firmware_has_another_profile_by_now_is_refused(desk: Bench) -> None:
    """An editor that replaces the file leaves the firmware with a lock on the old one."""
    desk.profile.write_text(desk.profile.read_text().replace('"mock"', '"pi"'))
    profile = load_profile(desk.profile)
    socket = str(desk.profile.parent / "firmware.sock")
    firmware = lock(socket)
    assert firmware is not None
    with (
        pytest.raises(DeviceUnavailable, match=r"has locked .*firmware.sock"),
        probing(desk.profile, profile, profile.meters, None, "n1", socket),
    ):
        pass
    os.close(firmware)
    with probing(desk.profile, profile, profile.meters, None, "n1", socket):
        assert lock(socket) is None, "and none starts meanwhile"


def test_meter_of_a_kernel_driver_is_probed_like_any_other(desk: Bench, tmp_path: Path) -> None:
    shown = tmp_path / "hwmon1"
    shown.mkdir()
    (shown / "in1_input").write_text("12000\n")
    (shown / "curr1_input").write_text("500\n")
    profile = replace(load_profile(desk.profile), driver="pi")
    kernels = replace(
        profile.meters[0], driver="hwmon", bus=0, address=0, shunt_ohms=0.0, path=str(shown)
    )
    socket = str(tmp_path / "firmware.sock")
    with probing(desk.profile, profile, (kernels,), None, "n1", socket) as probe:
        (reading,) = probe.take(1)
    assert reading.watts == pytest.approx(6.0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_user_who_cannot_see_the_firmware_s_lock_is_told_to_use_sudo() -> None:
    with TemporaryDirectory() as name, ExitStack() as stack:  # pytest's own are the owner's alone
        Path(name).chmod(0o711)
        socket = f"{name}/firmware.sock"
        held = lock(socket)
        assert held is not None
        stack.callback(os.close, held)
        os.seteuid(65534)
        stack.callback(os.seteuid, 0)
        with pytest.raises(DeviceForbidden, match="use sudo"):
            probes._take(socket, lambda: seize(socket), stack)


def test_real_board_under_a_firmware_is_refused_and_no_bus_opened(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(number: int) -> MockSMBus:
        raise AssertionError(f"bus {number} was opened")

    monkeypatch.setattr(probes, "open_smbus", never)
    desk.profile.write_text(desk.profile.read_text().replace('"mock"', '"pi"'))
    profile = load_profile(desk.profile)
    firmware = hold(desk.profile)
    assert firmware is not None
    with (
        pytest.raises(DeviceUnavailable, match=r"a running firmware .* has locked"),
        probing(desk.profile, profile, profile.meters, None, "n1"),
    ):
        pass
    os.close(firmware)
    with probing(desk.profile, profile, profile.meters, None, "n1"):
        assert hold(desk.profile) is None, "and no firmware starts meanwhile"
    free = hold(desk.profile)
    assert free is not None
    os.close(free)


def test_mock_board_beside_its_firmware_is_read_and_its_pins_left_alone(desk: Bench) -> None:
    desk.set(0.5)
    profile = load_profile(desk.profile)
    with probing(desk.profile, profile, profile.meters, desk.plant, "n1") as probe:
        (reading,) = probe.take(1)
    assert reading.amps == pytest.approx(0.5, abs=0.002)
    assert desk.control.levels("n1") == {17: True}


def test_mock_board_that_no_firmware_has_plugged_in_is_plugged_in(desk: Bench) -> None:
    profile = load_profile(desk.profile)
    with probing(desk.profile, profile, profile.meters, desk.plant, "n2") as probe:
        (reading,) = probe.take(1)
    assert reading.amps == pytest.approx(0.0, abs=0.002)
    with ExitStack() as stack:
        control = PlantControl(desk.plant)
        stack.callback(control.close)
        assert control.levels("n2") == {17: None}, "its pins were never driven"


@pytest.mark.parametrize(("driver", "said"), [("mock", "add --plant"), ("pi", "leave out --plant")])
def test_plant_belongs_to_mock_boards_alone(desk: Bench, driver: str, said: str) -> None:
    desk.profile.write_text(desk.profile.read_text().replace('"mock"', f'"{driver}"'))
    profile = load_profile(desk.profile)
    plant = None if driver == "mock" else desk.plant
    with (
        pytest.raises(ProfileError, match=said),
        probing(desk.profile, profile, profile.meters, plant, "n1"),
    ):
        pass


def test_meter_of_another_name_is_not_found(desk: Bench) -> None:
    profile = load_profile(desk.profile)
    assert find_meter(profile, "load").address == 0x40
    with pytest.raises(DeviceFault, match="has no meter 'x'; it has: load"):
        find_meter(profile, "x")
