"""Fails if a blind shunt or a full bus passes for a meter that sees and is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.api import Record
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.metering import CHECKS, Facts, cycle_ns_of, judge, look
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.profile_file import load_profile

ROOT = Path(__file__).parents[5]
SHIPPED = load_profile(ROOT / "hardware" / "profiles" / "pi-relay4.toml")
MOCK = load_profile(ROOT / "hardware" / "profiles" / "mock-demo.toml")
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
SOUND = Facts(SHIPPED, {1: 100_000}, {})


def first_meter(**change: object) -> Profile:
    meters = list(SHIPPED.meters)
    meters[0] = replace(meters[0], **change)  # type: ignore[arg-type]
    return replace(SHIPPED, meters=tuple(meters))


def loaded(watts: float, **meter: object) -> Profile:
    """Put one load behind one meter."""
    profile = first_meter(**meter)
    output = replace(profile.outputs[0], nominal_w=watts, meter=profile.meters[0].name)
    return replace(profile, outputs=(output,), meters=profile.meters[:1])


def triple(profile: str) -> Profile:
    """Three channels of one INA3221."""
    one = replace(SHIPPED.meters[0], driver="ina3221", profile=profile, amps_max=0.0)
    return replace(SHIPPED, meters=tuple(replace(one, channel=n, name=f"m{n}") for n in (1, 2, 3)))


WORLDS = [
    world("shunt-range", PASS, "server sees 3.2 A"),
    world(
        "shunt-range", WARN, "at 4.5 V", profile=first_meter(amps_max=0.0), volts={"server": 4.5}
    ),
    world("shunt-range", PASS, "server sees", volts={"server": 12.0}),
    world("shunt-range", WARN, "up to 26 V", profile=first_meter(shunt_ohms=1.0, amps_max=0.0)),
    world("shunt-range", WARN, "raise amps_max", profile=first_meter(amps_max=0.5)),
    world("shunt-range", WARN, "raise amps_max", volts={"server": 5.1}),
    world("shunt-range", SKIP, "no meter", profile=replace(SHIPPED, meters=())),
    world("i2c-load", PASS, "3% of its time at 100 kHz"),
    world("i2c-load", WARN, "busy 92%", profile=first_meter(profile="fast")),
    world(
        "i2c-load",
        PASS,
        "23% of its time at 400 kHz",
        profile=first_meter(profile="fast"),
        bus_hz={1: 400_000},
    ),
    world(
        "i2c-load",
        FAIL,
        "i2c_arm_baudrate=400000",
        profile=replace(
            SHIPPED, meters=tuple(replace(each, profile="fast") for each in SHIPPED.meters)
        ),
    ),
    world("i2c-load", SKIP, "no meter", profile=replace(SHIPPED, meters=())),
    world(
        "shunt-range",
        WARN,
        "at most 0.016 ohm at 12 V",
        profile=loaded(60, driver="ina226", amps_max=0.0),
    ),
    world("shunt-range", PASS, "8.19 A", profile=loaded(60, driver="ina226", shunt_ohms=0.01)),
    world("shunt-range", WARN, "1.64 A", profile=loaded(80, driver="ina3221", amps_max=0.0)),
    world(
        "shunt-range", WARN, "15 A", profile=loaded(600, driver="ina260"), volts={"server": 12.0}
    ),
    world("shunt-range", SKIP, "kernel driver", profile=loaded(60, driver="hwmon")),
    world("i2c-load", PASS, "at 100 kHz", profile=first_meter(driver="ina226")),
    world("i2c-load", WARN, "busy 8", profile=loaded(1, driver="ina226", profile="fast")),
    world("i2c-load", FAIL, "busy 2", profile=loaded(1, driver="ina260", profile="inrush")),
    world("i2c-load", WARN, "busy 82%", profile=triple("fast")),
    world("i2c-load", SKIP, "no meter", profile=loaded(1, driver="iio")),
    *(world(check.code, SKIP, "no profile", profile=Unknown("no profile")) for check in CHECKS),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_metering_is_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_channels_of_one_chip_wait_for_each_other() -> None:
    meters = triple("energy").meters
    alone = cycle_ns_of(meters[0], meters[:1])
    assert cycle_ns_of(meters[0], meters) == 3 * alone
    apart = (meters[0], replace(meters[1], address=0x41))
    assert cycle_ns_of(meters[0], apart) == alone


def test_look_reads_clock_boot_file_and_fresh_voltages(tmp_path: Path) -> None:
    put(tmp_path, "/sys/bus/i2c/devices/i2c-1/of_node/clock-frequency", bytes([0, 6, 0x1A, 0x80]))
    meters = [
        {"name": "server", "volts": 11.9, "quality": "fresh"},
        {"name": "flexible", "volts": 12.1, "quality": "stale"},
    ]
    seen = look(case_in(tmp_path, profile=SHIPPED, state=Record({"meters": meters})))
    assert seen.bus_hz == {1: 400_000}
    assert seen.volts == {"server": 11.9}


def test_look_without_a_device_tree_knows_no_clock(tmp_path: Path) -> None:
    assert look(case_in(tmp_path, profile=MOCK)).bus_hz == {}
