"""Fails if a file with mistakes, or one that others can change or read, passes for sound."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.lint import CHECKS, Facts, Owned, judge, look, owned
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config_file import read_config
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.section import Finding as Fault

ROOT = Path(__file__).parents[5]
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
FOLDER = Path("/etc/rackgrid")


def at(name: str, uid: int = 0, mode: int = 0o644, size: int = 70) -> Owned:
    return Owned(FOLDER / name, uid, mode, size)


FAULT = Fault("rack.toml", 3, "[feed]", "missing")
GONE = Fault("rack.toml", 0, "", "cannot be read: No such file or directory")
SOUND = Facts(
    faults=(),
    notes=(),
    is_given=True,
    profile=at("board.toml"),
    folder=Owned(FOLDER, 0, 0o755, 4096),
    key=at("rack.key", 999, 0o600),
    password=at("mqtt.password", 999, 0o400),
)
WORLDS = [
    world("config-sound", PASS, "no mistakes"),
    world("config-sound", FAIL, "rack.toml:3", faults=(FAULT,)),
    world("config-sound", FAIL, "mend that line", faults=(FAULT,)),
    world("config-sound", FAIL, "mend that file", faults=(replace(FAULT, line=0),)),
    world("config-sound", FAIL, "name a file that is there", faults=(GONE,)),
    world("config-sound", WARN, "rack.toml:3", notes=(FAULT,)),
    world("config-sound", SKIP, "give --config", is_given=False),
    world("profile-owner", PASS, "is root's"),
    world("profile-owner", FAIL, "chmod 644", profile=at("board.toml", uid=1000)),
    world("profile-owner", FAIL, "written by others", profile=at("board.toml", mode=0o666)),
    world("profile-owner", FAIL, "chmod 755", folder=Owned(FOLDER, 0, 0o777, 4096)),
    world("profile-owner", FAIL, "another user", folder=Owned(FOLDER, 7, 0o755, 4096)),
    world("profile-owner", SKIP, "a mock one", profile=Unknown("a mock one")),
    world("key-file", PASS, "0600"),
    world("key-file", FAIL, "chmod 600", key=at("rack.key", 999, 0o640)),
    world("key-file", FAIL, "rackgrid key new", key=at("rack.key", -1, 0, -1)),
    world("key-file", FAIL, "is empty", key=at("rack.key", 0, 0o600, 0)),
    world("key-file", SKIP, "run as root", key=Unknown("run as root")),
    world("mqtt-password", PASS, "0400"),
    world("mqtt-password", FAIL, "others can read", password=at("mqtt.password", 0, 0o644)),
    world("mqtt-password", SKIP, "none", password=Unknown("none")),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_files_are_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_look_finds_owner_and_mode_of_what_the_configuration_names(tmp_path: Path) -> None:
    board = put(tmp_path, "board.toml", (ROOT / "hardware/profiles/pi-relay4.toml").read_bytes())
    text = (ROOT / "systemd/rackgrid.toml").read_text().replace("/etc/rackgrid/rack.key", "key")
    mqtt = '\n[mqtt]\nhost = "x"\nusername = "u"\npassword_file = "pw"\n'
    outcome = read_config(put(tmp_path, "rackgrid.toml", text + mqtt))
    assert outcome.config is not None
    put(tmp_path, "key", "k" * 64).chmod(0o640)
    case = case_in(tmp_path, config=outcome.config, profile=load_profile(board), profile_path=board)
    facts = look(case)
    assert facts.key == Owned(tmp_path / "key", os.getuid(), 0o640, 64)
    assert facts.password == Owned(tmp_path / "pw", -1, 0, -1)
    assert isinstance(facts.profile, Owned)
    assert facts.profile.path == board
    assert isinstance(facts.folder, Owned)
    assert facts.folder.path == tmp_path


def test_look_at_a_mock_board_asks_nothing_of_its_owner(tmp_path: Path) -> None:
    profile = load_profile(ROOT / "hardware" / "profiles" / "mock-demo.toml")
    facts = look(case_in(tmp_path, profile=profile))
    assert facts.profile == Unknown("the board mock-demo is a mock one")
    assert isinstance(facts.key, Unknown)


def test_owner_of_a_path_that_cannot_be_looked_at_is_not_known(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    found = owned(loop)
    assert isinstance(found, Unknown)
    assert "run as root" in found.reason
