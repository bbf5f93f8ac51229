"""Fails if a socket can be seen before it can be connected to, or two processes share one lock."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rackgrid_firmware.listener import PATH_MAX, listen_at, lock, seize


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(str(path))
    return True


def test_listener_can_be_connected_to_under_its_name(tmp_path: Path) -> None:
    with listen_at(str(tmp_path / "s")):
        assert connects(tmp_path / "s")
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_listener_replaces_what_an_earlier_process_left(tmp_path: Path) -> None:
    listen_at(str(tmp_path / "s")).close()
    (tmp_path / "s.new").write_text("left by a crash")
    with listen_at(str(tmp_path / "s")):
        assert connects(tmp_path / "s")


def test_listener_path_too_long_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="choose a shorter one"):
        listen_at(str(tmp_path / ("s" * PATH_MAX)))


def test_listener_without_its_directory_raises_and_leaks_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        listen_at(str(tmp_path / "no" / "s"))


def test_lock_is_one_processs_until_it_lets_go(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    held = lock(path)
    assert held is not None
    assert lock(path) is None
    os.close(held)
    again = lock(path)
    assert again is not None
    os.close(again)


def test_seize_takes_the_lock_of_a_server_that_is_gone_and_makes_none(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with pytest.raises(FileNotFoundError):
        seize(path)
    assert list(tmp_path.iterdir()) == []
    server = lock(path)
    assert server is not None
    assert seize(path) is None
    os.close(server)
    tool = seize(path)
    assert tool is not None
    assert lock(path) is None, "nobody serves meanwhile"
    os.close(tool)
