"""Fails if a tool gets the chips of a running firmware, or keeps a rack of mock nodes apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rackgrid_firmware.profile_lock import hold, seize


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "board.toml"
    path.touch()
    return path


def test_firmwares_share_a_profile_and_keep_tools_out(profile: Path) -> None:
    one, two = hold(profile), hold(profile)
    assert one is not None
    assert two is not None
    assert seize(profile) is None
    os.close(one)
    assert seize(profile) is None
    os.close(two)
    held = seize(profile)
    assert held is not None
    assert hold(profile) is None
    os.close(held)


def test_lock_ends_with_its_process_however_that_ends(profile: Path) -> None:
    code = (
        "import os, pathlib, rackgrid_firmware.profile_lock as lock;"
        f"lock.hold(pathlib.Path({str(profile)!r})); print(flush=True); os.read(0, 1)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as firmware:
        assert firmware.stdout is not None
        firmware.stdout.readline()
        assert seize(profile) is None
        firmware.kill()
        firmware.wait()
    held = seize(profile)
    assert held is not None
    os.close(held)


def test_profile_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        seize(tmp_path / "none.toml")
