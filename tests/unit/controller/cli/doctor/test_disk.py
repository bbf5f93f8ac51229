"""Fails if a disk that loses or refuses what is stored passes for one that keeps it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.doctor.disk import CHECKS, Disk, Facts, disk, judge, kind_of, look
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware.profile_file import load_profile

BOARD = Path(__file__).parents[5] / "hardware/profiles/pi-relay4.toml"
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
STATE = Disk(Path("/var/lib/rackgrid"), "ext4", 9_000_000_000, False)
SOUND = Facts(
    state=STATE,
    runtime=Disk(Path("/run/rackgrid"), "tmpfs", 100_000_000, False),
    journal="memory",
)
NO = Unknown("run as root")
WORLDS = [
    world("disk-space", PASS, "9000 MB"),
    world("disk-space", WARN, "vacuum", state=replace(STATE, free_bytes=90_000_000)),
    world("disk-space", FAIL, "3 MB", state=replace(STATE, free_bytes=3_000_000)),
    world("disk-space", SKIP, "run as root", state=NO),
    world("disk-writable", PASS, "writable ext4"),
    world("disk-writable", FAIL, "read-only", state=replace(STATE, is_read_only=True)),
    world("disk-writable", SKIP, "run as root", state=NO),
    world("state-lasts", PASS, "ext4"),
    world("state-lasts", WARN, "ends with the power", state=replace(STATE, kind="overlay")),
    world("state-lasts", WARN, "ends with the power", state=replace(STATE, kind="tmpfs")),
    world("state-lasts", SKIP, "not known", state=replace(STATE, kind="?")),
    world("runtime-in-memory", PASS, "tmpfs"),
    world("runtime-in-memory", WARN, "ext4", runtime=STATE),
    world("runtime-in-memory", SKIP, "not known", runtime=replace(STATE, kind="?")),
    world("runtime-in-memory", SKIP, "run as root", runtime=NO),
    world("journal-storage", PASS, "ends with the power"),
    world("journal-storage", PASS, "/dev/sda2", journal="/dev/sda2"),
    world("journal-storage", WARN, "Storage=volatile", journal="/dev/mmcblk0p2"),
    world("journal-storage", SKIP, "run as root", journal=NO),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_disk_is_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


MOUNTS = """\
22 1 179:2 / / rw,relatime shared:1 - ext4 /dev/root rw
25 22 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw,size=400m
26 22 179:3 / /var/lib rw shared:6 - btrfs /dev/x rw
27 22 0:30 / /mnt/two\\040words rw - nfs4 server:/x rw
28 26 0:31 / /var/lib rw - overlay overlay rw
broken
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/etc/rackgrid", "ext4"),
        ("/run/rackgrid", "tmpfs"),
        ("/running", "ext4"),
        ("/var/lib/rackgrid", "overlay"),
        ("/mnt/two words/x", "nfs4"),
    ],
)
def test_kind_is_that_of_the_last_and_longest_mount(folder: str, kind: str) -> None:
    assert kind_of(Path(folder), MOUNTS) == kind


def test_kind_without_mounts_is_not_known(tmp_path: Path) -> None:
    assert kind_of(tmp_path, "") == "?"


def test_disk_of_a_folder_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    found = disk(tmp_path / "a" / "b", f"1 0 0:1 / {tmp_path} rw - ext4 /dev/x rw")
    assert isinstance(found, Disk)
    assert found.kind == "ext4"
    free = os.statvfs(tmp_path)
    assert found.free_bytes == pytest.approx(free.f_bavail * free.f_frsize, rel=0.5)
    assert not found.is_read_only


def test_look_without_a_configuration_knows_nothing(tmp_path: Path) -> None:
    assert look(case_in(tmp_path)).state == Unknown("not given")


def test_look_finds_where_the_journal_is_kept(tmp_path: Path) -> None:
    put(tmp_path, "/etc/machine-id", "abc\n")
    put(tmp_path, "/proc/self/mountinfo", "22 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n")
    case = case_in(tmp_path, profile=load_profile(BOARD))
    assert look(case).journal == Unknown("journald keeps no log here")
    put(tmp_path, "/run/log/journal/abc/system.journal", "")
    assert look(case).journal == "memory"
    put(tmp_path, "/var/log/journal/abc/system.journal", "")
    assert look(case).journal == "/dev/mmcblk0p2"
    mock = look(case_in(tmp_path, profile=load_profile(BOARD.with_name("mock-demo.toml"))))
    assert isinstance(mock.journal, Unknown)
