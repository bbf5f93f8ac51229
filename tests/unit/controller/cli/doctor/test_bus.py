"""Fails if a bus or a meter that does not work passes for one that does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.api import Record
from rackgrid.cli.doctor.bus import (
    CHECKS,
    Facts,
    Seen,
    first_sample,
    judge,
    look,
    read_meters,
    volts_max_of,
)
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.device import Quality
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.profile import MeterProfile, Profile
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.registers import Sample

ROOT = Path(__file__).parents[5]
PROFILE = load_profile(ROOT / "hardware" / "profiles" / "pi-relay4.toml")
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP


def seen(volts: float | None = 12.1, quality: str = "fresh", trouble: str = "") -> tuple[Seen, ...]:
    return (Seen("server", trouble, volts, quality),)


SOUND = Facts(
    needs_bus=True,
    buses=(1,),
    there=frozenset({1}),
    hz={1: 400_000},
    bound=(),
    seen=seen(),
    extra=True,
)
WORLDS = [
    world("i2c-device", PASS, "/dev/i2c-1"),
    world("i2c-device", FAIL, "dtparam=i2c_arm=on", there=frozenset()),
    world("i2c-device", SKIP, "no meter", buses=()),
    world("i2c-device", SKIP, "a mock", needs_bus=Unknown("a mock")),
    world("i2c-speed", PASS, "400 kHz"),
    world("i2c-speed", WARN, "400000", hz={1: 1_000_000}),
    world("i2c-speed", SKIP, "gives no clock", hz={}),
    world("i2c-kernel-driver", PASS, "no kernel driver"),
    world("i2c-kernel-driver", FAIL, "ina2xx has 1-0040", bound=(("1-0040", "ina2xx"),)),
    world("i2c-kernel-driver", SKIP, "no I2C bus", bound=Unknown("no I2C bus 1")),
    world("meter-answers", PASS, "meter server answers"),
    world("meter-answers", FAIL, "no ack", seen=seen(None, "stale", "no ack")),
    world("meter-answers", FAIL, "does not answer", seen=seen(12.0, "stale")),
    world("meter-answers", FAIL, "does not read it", missing=("flexible",)),
    world("meter-answers", FAIL, "does not read it", seen=(), missing=("flexible",)),
    world("meter-answers", WARN, "not on this board: other", foreign=("other",)),
    world("meter-answers", SKIP, "busy", seen=Unknown("busy")),
    world("meter-answers", SKIP, "no meter was seen", seen=()),
    world("meter-plausible", PASS, "12.10 V"),
    world("meter-plausible", FAIL, "more than its pins bear", seen=seen(27.5)),
    world("meter-plausible", PASS, "27.50 V", seen=(replace(seen(27.5)[0], volts_max=36.0),)),
    world("meter-plausible", WARN, "connect V+", seen=seen(0.02)),
    world("meter-plausible", WARN, "smaller shunt", seen=seen(12.0, "saturated")),
    world("meter-plausible", SKIP, "no meter has", seen=seen(12.0, "stale")),
    world("meter-plausible", SKIP, "busy", seen=Unknown("busy")),
    world("pi-ina219", PASS, "installed"),
    world("pi-ina219", FAIL, "gcc", extra=False),
    world("pi-ina219", SKIP, "no meter", extra=Unknown("no meter asks")),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_bus_is_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_look_finds_devices_clocks_and_drivers(tmp_path: Path) -> None:
    put(tmp_path, "/dev/i2c-1", "")
    put(
        tmp_path, "/sys/bus/i2c/devices/i2c-1/of_node/clock-frequency", (100_000).to_bytes(4, "big")
    )
    (tmp_path / "sys/bus/i2c/drivers/ina2xx").mkdir(parents=True)
    chip = tmp_path / "sys/bus/i2c/devices/1-0041"
    chip.mkdir()
    (chip / "driver").symlink_to(tmp_path / "sys/bus/i2c/drivers/ina2xx")
    facts = look(case_in(tmp_path, profile=PROFILE))
    assert facts.buses == (1,)
    assert facts.there == {1}
    assert facts.hz == {1: 100_000}
    assert facts.bound == (("1-0041", "ina2xx"),)
    assert facts.seen == Unknown("another machine's bus is not read")


def test_look_without_a_bus_does_not_call_its_addresses_free(tmp_path: Path) -> None:
    facts = look(case_in(tmp_path, profile=PROFILE))
    assert facts.bound == Unknown("the kernel has no I2C bus 1")


def test_look_asks_the_daemon_first_and_leaves_the_firmware_its_bus(tmp_path: Path) -> None:
    meters = [{"name": "server", "volts": 12.0, "quality": "fresh"}]
    state = Record({"firmware": True, "meters": meters})
    told = look(case_in(tmp_path, profile=PROFILE, state=state, firmware_runs=True))
    assert told.seen == (Seen("server", "", 12.0, "fresh"),)
    kept_out = look(case_in(tmp_path, profile=PROFILE, firmware_runs=True))
    assert isinstance(kept_out.seen, Unknown)
    assert "the firmware has the bus" in kept_out.seen.reason
    not_known = look(case_in(tmp_path, profile=PROFILE, firmware_runs=Unknown("no rights")))
    assert not_known.seen == Unknown("no rights")


def test_look_compares_the_daemons_meters_with_the_boards(tmp_path: Path) -> None:
    """Fails if meters of another board pass, or what a plug meters is taken for one on a bus."""
    meters = [
        {"name": "server", "volts": 12.0, "quality": "fresh"},
        {"name": "m1", "volts": 12.0, "quality": "fresh"},
        {"name": "plug/heater", "volts": 230.0, "quality": "stale"},
    ]
    state = Record({"firmware": True, "meters": meters})
    facts = look(case_in(tmp_path, profile=PROFILE, state=state, firmware_runs=True))
    assert facts.seen == (Seen("server", "", 12.0, "fresh"),)
    assert facts.missing == ("flexible",)
    assert facts.foreign == ("m1",)


def test_look_at_a_daemon_without_its_firmware_knows_no_meter(tmp_path: Path) -> None:
    state = Record({"firmware": False, "meters": []})
    facts = look(case_in(tmp_path, profile=PROFILE, state=state))
    assert isinstance(facts.seen, Unknown)
    assert (facts.missing, facts.foreign) == ((), ())


def test_voltage_that_pins_bear_is_that_of_the_chip() -> None:
    meter = PROFILE.meters[0]
    assert volts_max_of(meter) == 26.0
    assert volts_max_of(replace(meter, driver="ina226")) == 36.0
    assert volts_max_of(replace(meter, driver="hwmon")) == 26.0


def board(*meters: MeterProfile) -> Profile:
    return replace(PROFILE, meters=meters)


def test_meters_are_configured_and_read_and_one_that_is_missing_is_said() -> None:
    import time

    started_ns = time.monotonic_ns()

    def clock() -> int:
        return time.monotonic_ns() - started_ns

    chip = Ina219Chip(seed=1)
    chip.feel(0, 0.05, 12.0)
    server = replace(PROFILE.meters[0], profile="fast")
    absent = replace(PROFILE.meters[1], address=0x4F)
    found = read_meters(board(server, absent), lambda _: MockSMBus(ChipPort({0x40: chip}, clock)))
    assert found[0].quality == "fresh"
    assert found[0].volts == pytest.approx(12.0, abs=0.1)
    assert found[1].quality == "stale"
    assert "0x4f" in found[1].trouble


def test_chip_is_looked_at_once_more_when_this_process_stood_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = iter((0.0, 0.1, 5.0))
    monkeypatch.setattr("rackgrid.cli.doctor.bus.time.monotonic", lambda: next(now_s))
    sample = Sample(12.0, 0.1, Quality.FRESH)
    looks = iter((None, sample))
    assert first_sample(lambda: next(looks)) is sample


def test_meter_of_a_kernel_driver_is_read_and_asks_for_no_bus(tmp_path: Path) -> None:
    shown = tmp_path / "hwmon1"
    shown.mkdir()
    (shown / "in1_input").write_text("12000\n")
    (shown / "curr1_input").write_text("500\n")
    kernels = replace(
        PROFILE.meters[0], driver="hwmon", bus=0, address=0, shunt_ohms=0.0, path=str(shown)
    )
    (found,) = read_meters(board(kernels), lambda number: pytest.fail(f"opened bus {number}"))
    assert (found.volts, found.quality, found.trouble) == (12.0, "fresh", "")
    (shown / "curr1_input").unlink()
    (found,) = read_meters(board(kernels))
    assert (found.quality, "curr1_input" in found.trouble) == ("stale", True)
