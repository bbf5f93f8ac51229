"""Fails if a disk that loses or refuses what is stored passes for one that keeps it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.adapters.store import Store
from rackgrid.cli.doctor.disk import CHECKS, Disk, Facts, disk, judge, kind_of, look
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import Config
from rackgrid.config_file import load_config

ROOT = Path(__file__).parents[5]
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
STATE = Disk(Path("/var/lib/rackgrid"), "ext4", 9_000_000_000, False)
SOUND = Facts(
    state=STATE,
    runtime=Disk(Path("/run/rackgrid"), "tmpfs", 100_000_000, False),
    copies={"terms.a": True, "terms.b": True},
    set_aside=(),
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
    world("state-whole", PASS, "2 copies"),
    world("state-whole", WARN, "terms.a", copies={"terms.a": False, "terms.b": True}),
    world("state-whole", WARN, "roster.b.bad", set_aside=("roster.b.bad",)),
    world("state-whole", FAIL, "backup", copies={"terms.a": False, "terms.b": False}),
    world("state-whole", SKIP, "nothing is stored", copies={}),
    world("state-whole", SKIP, "run as root", copies=NO),
    world("runtime-in-memory", PASS, "tmpfs"),
    world("runtime-in-memory", WARN, "ext4", runtime=STATE),
    world("runtime-in-memory", SKIP, "not known", runtime=replace(STATE, kind="?")),
    world("runtime-in-memory", SKIP, "run as root", runtime=NO),
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


def configured(tmp_path: Path) -> Config:
    put(tmp_path, "board.toml", (ROOT / "hardware/profiles/pi-relay4.toml").read_bytes())
    text = (ROOT / "systemd/rackgrid.toml").read_text()
    node = f'board = "board.toml"\nstate_dir = "{tmp_path}/state"\nruntime_dir = "{tmp_path}/run"'
    return load_config(put(tmp_path, "r.toml", text.replace('board = "board.toml"', node)))


def test_look_reads_back_what_the_store_wrote(tmp_path: Path) -> None:
    config = configured(tmp_path)
    case = case_in(tmp_path, config=config)
    before = look(case)
    assert isinstance(before.copies, Unknown)
    assert "first start" in before.copies.reason
    store = Store(config.node.state_dir, config.node.runtime_dir)
    store.reserve_block(100)
    store.close()
    assert look(case).copies == {"terms.a": True, "terms.b": True}
    copy = config.node.state_dir / "terms.b"
    copy.write_bytes(copy.read_bytes()[:-2])
    put(tmp_path, "state/roster.a.bad", "")
    damaged = look(case)
    assert damaged.copies == {"terms.a": True, "terms.b": False}
    assert damaged.set_aside == ("roster.a.bad",)
    assert copy.exists(), "looking changes nothing"


def test_look_without_a_configuration_knows_nothing(tmp_path: Path) -> None:
    assert look(case_in(tmp_path)).state == Unknown("not given")
