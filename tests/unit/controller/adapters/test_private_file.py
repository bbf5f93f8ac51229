from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from rackgrid.adapters.private_file import one_at_a_time, replace_whole, write_new


def test_replaced_file_is_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_new(path, "one")
    replace_whole(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_new(path, "one")
    with pytest.raises(UnicodeEncodeError):
        replace_whole(path, "ü")
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["file"]


def test_second_one_waits_while_a_file_is_changed(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with one_at_a_time(tmp_path / "file"), pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def test_private_file_written_leaves_no_trace_where_one_stands(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_new(path, "one")
    with pytest.raises(FileExistsError):
        write_new(path, "two")
    assert path.read_text() == "one"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
