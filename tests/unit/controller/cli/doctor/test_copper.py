"""Fails if a relay that closes at boot, a blind shunt or a full bus passes for sound copper."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import (
    World,
    case_in,
    hold,
    of,
    put,
    uncovered,
    world,
)

from rackgrid.cli.doctor.boot_file import parse
from rackgrid.cli.doctor.copper import CHECKS, Facts, judge, look
from rackgrid.cli.doctor.finding import Finding, Grade
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config_file import load_config
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.profile_file import load_profile

ROOT = Path(__file__).parents[5]
SHIPPED = load_profile(ROOT / "hardware" / "profiles" / "pi-relay4.toml")
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    put(tmp_path, "board.toml", (ROOT / "hardware/profiles/pi-relay4.toml").read_bytes())
    put(tmp_path, "rackgrid.toml", (ROOT / "systemd/rackgrid.toml").read_bytes())
    config = load_config(tmp_path / "rackgrid.toml")
    return Facts(SHIPPED, config, parse(Path("config.txt"), ""), True)


def fan(profile: Profile = SHIPPED, **change: object) -> Profile:
    """Change the second output, a flexible one."""
    outputs = list(profile.outputs)
    outputs[1] = replace(outputs[1], **change)  # type: ignore[arg-type]
    return replace(profile, outputs=tuple(outputs))


def boot(text: str) -> object:
    return parse(Path("config.txt"), text)


WORLDS = [
    world("gpio-boot-state", PASS, "3 flexible outputs stay off"),
    world("gpio-boot-state", WARN, "is on until the firmware starts", profile=fan(gpio=5)),
    world("gpio-boot-state", WARN, "pulled down at power-on", profile=fan(active_high=False)),
    world("gpio-boot-state", PASS, "stay off", profile=fan(gpio=5, active_high=False)),
    world("gpio-boot-state", PASS, "stay off", profile=fan(gpio=5, pulled="down")),
    world("gpio-boot-state", WARN, "pulled up by the board", profile=fan(pulled="up")),
    world("gpio-boot-state", PASS, "though required: server"),
    world(
        "gpio-boot-state",
        WARN,
        "for the first seconds",
        profile=fan(active_high=False),
        boot=boot("gpio=22=op,dh"),
    ),
    world("gpio-boot-state", PASS, "no flexible", profile=replace(SHIPPED, outputs=())),
    world("gpio-boot-lines", PASS, "switches no flexible output on"),
    world("gpio-boot-lines", FAIL, "gpio=22=op,dl", boot=boot("gpio=22=op,dh")),
    world("gpio-boot-lines", PASS, "no flexible", boot=boot("gpio=17=op,dh")),
    world("gpio-boot-lines", SKIP, "no boot disk", boot=Unknown("no boot disk")),
    world("gpio-taken", PASS, "gives no output's pin"),
    world("gpio-taken", FAIL, "to SPI", profile=fan(gpio=8), boot=boot("dtparam=spi=on")),
    world("gpio-taken", FAIL, "1-wire", profile=fan(gpio=4), boot=boot("dtoverlay=w1-gpio")),
    world("gpio-taken", FAIL, "1-wire", boot=boot("dtoverlay=w1-gpio,gpiopin=22")),
    world("gpio-taken", FAIL, "own PWM", profile=fan(gpio=18), boot=boot("dtoverlay=pwm")),
    world("gpio-taken", FAIL, "own PWM", boot=boot("dtoverlay=pwm-2chan,pin=12,func=4,pin2=22")),
    world("gpio-taken", PASS, "to a bus", profile=fan(gpio=18), boot=boot("dtoverlay=pwm,pin=12")),
    world(
        "gpio-taken",
        FAIL,
        "the heartbeat is at GPIO 8",
        profile=replace(SHIPPED, heartbeat_pin=8),
        boot=boot("dtparam=spi=on"),
    ),
    world("gpio-taken", SKIP, "no boot disk", boot=Unknown("no boot disk")),
    world("hold-reach", PASS, "held up to 20 s"),
    world("hold-reach", WARN, "loads blink", profile=replace(SHIPPED, hold_max_s=10.0)),
    world("hold-reach", FAIL, "a grant lives", profile=replace(SHIPPED, hold_max_s=2.0)),
    world("hold-reach", SKIP, "no file", config=Unknown("no file")),
    world("stagger", PASS, "0.2 s between"),
    world("stagger", WARN, "fan, pump", profile=replace(SHIPPED, stagger_s=0.0)),
    world("stagger", PASS, "can start together", profile=replace(SHIPPED, outputs=())),
    *(world(check.code, SKIP, "no profile", profile=Unknown("no profile")) for check in CHECKS),
]


def judged(facts: Facts, each: World) -> list[Finding]:
    return list(judge(replace(facts, **each.change)))


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_copper_is_judged(facts: Facts, each: World) -> None:
    hold([each], lambda each: judged(facts, each))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_boot_table_warns_exactly_where_the_pull_switches_a_flexible_load_on(facts: Facts) -> None:
    """Pin by pull by polarity: BCM2835 ARM peripherals, table 6-31."""
    for gpio, active_high, required in itertools.product(
        range(4, 28), (True, False), (True, False)
    ):
        profile = fan(gpio=gpio, active_high=active_high, required=required)
        is_up = gpio <= 8
        expected = WARN if is_up == active_high and not required else PASS
        (found,) = of(judge(replace(facts, profile=profile)), "gpio-boot-state")
        assert found.grade is expected, (gpio, active_high, required)


def test_boot_table_goes_with_the_first_finding_and_has_every_output(facts: Facts) -> None:
    both = replace(SHIPPED, outputs=tuple(replace(o, pulled="up") for o in SHIPPED.outputs))
    for profile, count in ((SHIPPED, 1), (fan(gpio=5), 1), (both, 3)):
        first, *others = of(judge(replace(facts, profile=profile)), "gpio-boot-state")
        assert len(others) == count - 1
        assert [row["output"] for row in first.rows] == [each.name for each in profile.outputs]
        assert not any(each.rows for each in others)


def test_look_reads_the_boot_file_and_what_the_kernel_does_with_pins(tmp_path: Path) -> None:
    put(tmp_path, "/boot/firmware/config.txt", "dtparam=spi=on")
    put(tmp_path, "/sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "N")
    seen = look(case_in(tmp_path, profile=SHIPPED))
    assert not isinstance(seen.boot, Unknown)
    assert seen.boot.has("spi")
    assert seen.keeps is False
