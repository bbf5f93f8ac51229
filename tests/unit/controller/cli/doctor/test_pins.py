"""Fails if a way to the pins that leads nowhere passes for one, or a kept level for a safe one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world
from tests.unit.firmware.test_pin_holder import Kernel

from rackgrid.cli.doctor.boot_file import parse
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host, run_command
from rackgrid.cli.doctor.pins import (
    CHECKS,
    LOOK,
    Device,
    Facts,
    device,
    groups_of,
    held_of,
    judge,
    look,
)
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.pin_holder import KERNEL
from rackgrid_firmware.profile_file import load_profile

ROOT = Path(__file__).parents[5]
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
STRICT = parse(Path("config.txt"), "dtparam=strict_gpiod")
SOUND = Facts(
    needs_pins=True,
    lgpio="whole",
    chips=(0,),
    is_pi_5=False,
    gpiozero="2.0.1",
    groups=frozenset({"gpio", "i2c", "rackgrid"}),
    devices=(Device("/dev/gpiochip0", "gpio", True), Device("/dev/i2c-1", "i2c", True)),
    held={},
    persists=False,
    boot=parse(Path("config.txt"), ""),
)
TAKEN = {"output fan (GPIO 22)": "lg"}
WORLDS = [
    world("lgpio", PASS, "can be imported"),
    world("lgpio", FAIL, "empty wheel", lgpio="empty"),
    world("lgpio", FAIL, "python3-lgpio", lgpio=Unknown("no module")),
    world("gpiochip", PASS, "gpiochip0"),
    world("gpiochip", FAIL, "no /dev/gpiochip", chips=()),
    world("gpiochip", FAIL, "gpiochip0 is missing", chips=(1,)),
    world("gpiochip", PASS, "Pi 5", is_pi_5=True, chips=(0, 4)),
    world("gpiochip", FAIL, "2.0.1.post3", is_pi_5=True),
    world("gpiochip", PASS, "Pi 5", is_pi_5=True, gpiozero="2.0.1.post3"),
    world("gpiochip", PASS, "Pi 5", is_pi_5=True, gpiozero="2.1"),
    world("gpio-access", PASS, "/dev/i2c-1"),
    world("gpio-access", WARN, "systemd-sysusers", groups=None),
    world("gpio-access", FAIL, "udev", groups=frozenset({"gpio"})),
    world("gpio-access", FAIL, "not write", devices=(Device("/dev/gpiochip0", "gpio", False),)),
    world("gpio-access", SKIP, "see gpiochip", devices=()),
    world("gpio-held", PASS, "held by anybody"),
    world("gpio-held", FAIL, "output fan (GPIO 22) is held by lg", held=TAKEN),
    world("gpio-held", SKIP, "runs", held=Unknown("the firmware runs")),
    world("gpio-keeps-level", PASS, "makes a pin an input"),
    world("gpio-keeps-level", WARN, "dtparam=strict_gpiod", persists=True),
    world("gpio-keeps-level", WARN, "all the same", persists=True, boot=STRICT),
    world("gpio-keeps-level", PASS, "strict_gpiod", persists=Unknown("no word"), boot=STRICT),
    world("gpio-keeps-level", SKIP, "no word", persists=Unknown("no word")),
    *(world(each.code, SKIP, "a mock", needs_pins=Unknown("a mock")) for each in CHECKS),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_pins_are_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_look_reads_chips_parameter_and_lgpio(tmp_path: Path) -> None:
    put(tmp_path, "/dev/gpiochip0", "")
    put(tmp_path, "/dev/gpiochip4", "")
    put(tmp_path, "/dev/i2c-1", "")
    put(tmp_path, "/proc/device-tree/model", b"Raspberry Pi 5 Model B\0")
    put(tmp_path, "/sys/module/pinctrl_rp1/parameters/persist_gpio_outputs", "Y\n")
    profile = load_profile(ROOT / "hardware" / "profiles" / "pi-relay4.toml")
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str]) -> str:
        asked.append(argv)
        return "empty\n"

    facts = look(case_in(tmp_path, host=Host(tmp_path, run), profile=profile))
    assert facts.chips == (0, 4)
    assert facts.is_pi_5
    assert facts.persists is True
    assert facts.lgpio == "empty"
    assert [each.path for each in facts.devices] == [
        *("/dev/gpiochip0", "/dev/gpiochip4", "/dev/i2c-1")
    ]
    assert asked[0][1:] == ["-I", "-c", LOOK]


@pytest.mark.parametrize(
    ("source", "says"), [("", "empty"), ("def gpiochip_open(chip): ...", "whole")]
)
def test_lgpio_is_looked_at_in_a_process_of_its_own(tmp_path: Path, source: str, says: str) -> None:
    """Importing it makes a pipe, and goes there: nothing for the process that prints findings."""
    import sys

    (tmp_path / "lgpio.py").write_text(source)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{LOOK}"
    assert run_command([sys.executable, "-c", program]) == f"{says}\n"


def test_device_tells_whether_its_group_may_write(tmp_path: Path) -> None:
    node = put(tmp_path, "/dev/i2c-1", "")
    node.chmod(0o660)
    shared = device(Host(tmp_path), "/dev/i2c-1")
    assert shared is not None
    assert shared.is_shared
    node.chmod(0o640)
    alone = device(Host(tmp_path), "/dev/i2c-1")
    assert alone is not None
    assert not alone.is_shared
    assert device(Host(tmp_path), "/dev/i2c-9") is None


def test_groups_of_a_user_hold_its_own_and_nobody_has_none() -> None:
    mine = groups_of(pwd.getpwuid(os.getuid()).pw_name)
    assert mine
    assert groups_of("no-such-user") is None


def test_pins_of_outputs_and_heartbeat_are_looked_at_and_no_others(tmp_path: Path) -> None:
    profile = load_profile(ROOT / "hardware/profiles/pi-relay4.toml")
    profile = replace(profile, heartbeat_pin=6)
    chip = put(tmp_path, "gpiochip0", "")
    kernel = Kernel(g22=(1, b"lg"), g6=(1, b""), g5=(1, b"button"))
    assert held_of(profile, str(chip), kernel.ioctl) == {
        f"output {profile.outputs[1].name} (GPIO 22)": "lg",
        "the heartbeat (GPIO 6)": KERNEL,
    }


def test_pins_are_left_alone_where_they_say_nothing(tmp_path: Path) -> None:
    """Those of a running firmware are its own, and those of another machine are not these."""
    profile = load_profile(ROOT / "hardware/profiles/pi-relay4.toml")
    host = Host(run=lambda argv: Unknown(f"{argv[0]} is not asked"))
    for runs, says in ((True, "the firmware runs"), (Unknown("no rights"), "no rights")):
        found = look(case_in(tmp_path, host=host, profile=profile, firmware_runs=runs)).held
        assert isinstance(found, Unknown)
        assert says in found.reason
    found = look(case_in(tmp_path, profile=profile)).held
    assert found == Unknown("another machine's pins are not looked at")
    assert isinstance(look(case_in(tmp_path)).held, Unknown)
