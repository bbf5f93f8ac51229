"""Fails if a Pi that may hang for ever, at any time of its life, passes for a watched one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.doctor.boot_file import parse
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.cli.doctor.watchdog import CHECKS, DISARMING, Facts, judge, look
from rackgrid_firmware.profile_file import load_profile

ROOT = Path(__file__).parents[5]
PROFILE = load_profile(ROOT / "hardware" / "profiles" / "pi-relay4.toml")
PASS, WARN, SKIP = Grade.PASS, Grade.WARN, Grade.SKIP
TIMED = parse(Path("config.txt"), "kernel_watchdog_timeout=60")
SOUND = Facts(
    needs_watchdog=True,
    has_device=True,
    runtime="15s",
    reboot="15s",
    boot=TIMED,
    command_line="console=tty1 watchdog.open_timeout=60 root=/dev/mmcblk0p2",
    disarms=False,
)
NO = Unknown("no word")
WORLDS = [
    world("hardware-watchdog", PASS, "after 15 s"),
    world("hardware-watchdog", WARN, "dtparam=watchdog=on", has_device=False),
    world("hardware-watchdog", WARN, "nobody feeds", runtime="0"),
    world("hardware-watchdog", WARN, "modulo 16 s", runtime="1min"),
    world("hardware-watchdog", SKIP, "no word", runtime=NO),
    world("reboot-watchdog", PASS, "reset after 15 s"),
    world("reboot-watchdog", WARN, "600 s, which a Pi refuses", reboot="10min"),
    world("reboot-watchdog", WARN, "no watchdog runs", reboot="0"),
    world("reboot-watchdog", SKIP, "see hardware-watchdog", has_device=False),
    world("reboot-watchdog", SKIP, "no word", reboot=NO),
    world("boot-watchdog", PASS, "not booted after 60 s"),
    world("boot-watchdog", WARN, "kernel_watchdog_timeout=60", boot=parse(Path("c"), "")),
    world("boot-watchdog", WARN, "was not told", command_line="quiet"),
    world("boot-watchdog", WARN, "add watchdog_disarm=0", disarms=True),
    world(
        "boot-watchdog",
        PASS,
        "after 60 s",
        disarms=True,
        command_line="watchdog.open_timeout=60 watchdog_disarm=0",
    ),
    world("boot-watchdog", SKIP, "no word", boot=NO),
    world("boot-watchdog", SKIP, "no word", command_line=NO),
    *(world(check.code, SKIP, "a mock", needs_watchdog=Unknown("a mock")) for check in CHECKS),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_watchdogs_are_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_look_asks_systemd_the_boot_disk_and_the_kernel(tmp_path: Path) -> None:
    put(tmp_path, "/dev/watchdog", "")
    put(tmp_path, "/boot/firmware/config.txt", "[all]\nkernel_watchdog_timeout = 30\n")
    put(tmp_path, "/proc/cmdline", "watchdog.open_timeout=30\n")
    put(tmp_path, DISARMING, "echo -n V > /dev/watchdog0\n")

    def run(argv: Sequence[str]) -> str:
        return {"--property=RuntimeWatchdogUSec": "15s\n"}.get(argv[2], "\n")

    facts = look(case_in(tmp_path, host=Host(tmp_path, run), profile=PROFILE))
    assert facts.needs_watchdog is True
    assert facts.has_device
    assert facts.runtime == "15s"
    assert facts.reboot == Unknown("systemd does not say RebootWatchdogUSec")
    assert not isinstance(facts.boot, Unknown)
    assert facts.boot.watchdog_s == 30
    assert facts.command_line == "watchdog.open_timeout=30"
    assert facts.disarms


def test_look_at_a_machine_that_says_nothing_knows_nothing(tmp_path: Path) -> None:
    facts = look(case_in(tmp_path, profile=PROFILE))
    assert not facts.has_device
    assert not facts.disarms
    assert isinstance(facts.runtime, Unknown)
    assert isinstance(facts.boot, Unknown)
