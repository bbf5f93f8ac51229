"""Fails if a machine that rackgrid cannot run on passes for one that it can."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.machine import (
    CHECKS,
    Facts,
    judge,
    look,
    numbers,
    release_of,
    version_of,
)
from rackgrid.cli.doctor.unknown import Unknown

PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
SOUND = Facts(
    model="Raspberry Pi 4 Model B Rev 1.4",
    needs_pi=True,
    release=("debian", "12"),
    python=(3, 11, 2),
    smbus2="0.4.3",
    processor="aarch64",
)
NO_PI = Unknown("a mock one")
WORLDS = [
    world("pi-model", PASS, "Raspberry Pi 4"),
    world("pi-model", FAIL, "no device tree", model=Unknown("none")),
    world("pi-model", FAIL, "Rock 5", model="Radxa Rock 5"),
    world("pi-model", SKIP, "a mock one", needs_pi=NO_PI),
    world("os-release", PASS, "debian 12"),
    world("os-release", PASS, "raspbian 13", release=("raspbian", "13")),
    world("os-release", WARN, "debian 11", release=("debian", "11")),
    world("os-release", WARN, "arch", release=("arch", "")),
    world("os-release", SKIP, "no file", release=Unknown("no file")),
    world("python-version", PASS, "Python 3.11.2"),
    world("python-version", FAIL, "3.11 or newer", python=(3, 10, 9)),
    world("python-version", FAIL, "smbus2>=0.6", python=(3, 14, 0)),
    world("python-version", PASS, "smbus2 0.6.1", python=(3, 14, 0), smbus2="0.6.1"),
    world("python-version", FAIL, "not installed", smbus2=Unknown("smbus2 is not installed")),
    world("architecture", PASS, "aarch64"),
    world("architecture", WARN, "python3-lgpio", processor="armv7l"),
    world("architecture", SKIP, "no Raspberry Pi's", processor="x86_64"),
    world("architecture", SKIP, "a mock one", needs_pi=NO_PI),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_machine_is_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_look_reads_model_and_release(tmp_path: Path) -> None:
    put(tmp_path, "/proc/device-tree/model", b"Raspberry Pi Zero 2 W Rev 1.0\0")
    put(tmp_path, "/etc/os-release", 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="13"\n')
    facts = look(case_in(tmp_path))
    assert facts.model == "Raspberry Pi Zero 2 W Rev 1.0"
    assert facts.release == ("debian", "13")
    assert isinstance(facts.needs_pi, Unknown)
    assert facts.python >= (3, 11)


def test_release_without_what_is_looked_for_is_empty() -> None:
    assert release_of("NAME=x\n# nothing\n") == ("", "")


@pytest.mark.parametrize(
    ("version", "expected"),
    [("2.0.1.post3", (2, 0, 1)), ("0.6rc1", (0, 6)), ("12", (12,)), ("", ()), ("sid", ())],
)
def test_numbers_end_where_words_begin(version: str, expected: tuple[int, ...]) -> None:
    assert numbers(version) == expected


def test_version_of_a_package_that_is_not_there_is_not_known() -> None:
    assert isinstance(version_of("smbus2"), str)
    assert isinstance(version_of("no-such-package"), Unknown)
