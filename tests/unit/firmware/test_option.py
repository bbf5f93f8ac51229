"""Fails if a path depends on a working directory that lgpio changes, or a stranger is let in."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid_firmware.option import TELEMETRY_S, claim, leave_pins, open_door, parse
from rackgrid_firmware.pin_table import read_table, stamp_of
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.profile_lock import seize


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def argv(tmp_path: Path, *more: str) -> list[str]:
    profile = tmp_path / "board.toml"
    profile.touch()
    return ["--profile", str(profile), "--socket", str(tmp_path / "s"), *more]


def test_options_paths_are_absolute_and_defaults_are_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = parse(["--profile", "board.toml", "--socket", "s", "--runtime", "r", "--plant", "p"])
    assert options.profile == tmp_path / "board.toml"
    assert (options.socket, options.plant) == (str(tmp_path / "s"), str(tmp_path / "p"))
    assert options.runtime == tmp_path / "r"
    assert options.uids == {0, os.getuid()}
    assert options.telemetry_ns == TELEMETRY_S * 1e9
    assert options.node


def test_options_controller_user_is_let_in(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    options = parse(argv(tmp_path, "--controller-user", "nobody"))
    assert nobody.pw_uid in options.uids
    assert options.controller_gid == nobody.pw_gid


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--controller-user", "no-such-user"], "no-such-user"),
        (["--telemetry-s", "0"], "0.01 to 10"),
        (["--telemetry-s", "often"], "often"),
    ],
)
def test_options_wrong_ones_end_with_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv(tmp_path, *more))
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_claim_makes_the_runtime_directory_and_tells_lgpio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: contextlib.ExitStack
) -> None:
    monkeypatch.delenv("LG_WD", raising=False)
    claim(parse(argv(tmp_path, "--runtime", str(tmp_path / "a" / "run"))), stack)
    assert stat.S_IMODE((tmp_path / "a" / "run").stat().st_mode) == 0o700
    assert os.environ["LG_WD"] == str(tmp_path / "a" / "run")
    monkeypatch.delenv("LG_WD")


def test_claim_second_firmware_is_refused(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    options = parse(argv(tmp_path))
    claim(options, stack)
    with pytest.raises(OSError, match="another firmware"):
        claim(options, stack)


def test_door_opens_for_the_controllers_group_and_goes_away(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        options = replace(parse(argv(tmp_path)), controller_gid=os.getgid())
        listener = open_door(options, stack)
        stack.callback(listener.close)
        found = (tmp_path / "s").stat()
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert found.st_gid == os.getgid()
    assert not (tmp_path / "s").exists()


def test_door_in_a_group_that_is_not_ours_lets_anyone_knock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: contextlib.ExitStack
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("rackgrid_firmware.option.os.chown", forbidden)
    stack.callback(open_door(replace(parse(argv(tmp_path)), controller_gid=1), stack).close)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o666


BOARD = """\
[board]
name = "bench"
driver = "pi"
base_w = 3.0
[[output]]
name = "fan"
gpio = 17
nominal_w = 12.0
"""


def test_leave_pins_says_what_the_profile_came_to(tmp_path: Path) -> None:
    profile = tmp_path / "board.toml"
    profile.write_text(BOARD)
    options = parse(["--profile", str(profile), "--socket", "s", "--runtime", str(tmp_path)])
    leave_pins(options, load_profile(profile))
    table = read_table(str(tmp_path / "pins"))
    assert (table.board, table.driver, table.pins) == ("bench", "pi", {"fan": (17, False)})
    assert table.stamp == stamp_of(BOARD.encode())


def test_leave_pins_of_a_profile_that_was_changed_meanwhile_does_not_pass_for_the_new_one(
    tmp_path: Path,
) -> None:
    profile = tmp_path / "board.toml"
    profile.write_text(BOARD)
    options = parse(["--profile", str(profile), "--socket", "s", "--runtime", str(tmp_path)])
    read = load_profile(profile)
    profile.write_text(BOARD.replace("17", "22"))
    leave_pins(options, read)
    table = read_table(str(tmp_path / "pins"))
    assert table.pins == {"fan": (17, False)}
    assert table.stamp != stamp_of(profile.read_bytes())


def test_leave_pins_that_cannot_is_logged_and_the_firmware_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "board.toml"
    profile.write_text(BOARD)
    absent = str(tmp_path / "absent")
    options = parse(["--profile", str(profile), "--socket", "s", "--runtime", absent])
    leave_pins(options, load_profile(profile))
    assert "pins-not-left" in capsys.readouterr().err


def test_claim_is_kept_from_nothing_by_somebody_who_locks_the_profile(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = parse(argv(tmp_path))
    held = seize(options.profile)
    assert held is not None
    with contextlib.ExitStack() as first:
        claim(options, first)
    assert "profile-locked" in capfd.readouterr().err
    os.close(held)
    with contextlib.ExitStack() as second:
        claim(options, second)
        assert seize(options.profile) is None, "now it is the firmware's"
