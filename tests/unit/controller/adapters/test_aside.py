"""Small files written beside the loop: whole, the last word last, and said if they cannot be."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rackgrid.adapters import aside
from rackgrid.adapters.aside import Aside


def test_file_is_written_whole_beside_the_caller(tmp_path: Path) -> None:
    path, said = tmp_path / "days.json", list[str]()
    file = Aside(path, said.append)
    file.settle()
    for text in (b"old", b"new"):
        file.write(text)
        file.settle()
        assert path.read_bytes() == text
    assert said == []


def test_disk_that_stalls_gets_the_last_word_only_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, goes_on = list[bytes](), threading.Event()

    def stall(_path: Path, data: bytes, *, durable: bool) -> None:
        assert not durable
        written.append(data)
        assert goes_on.wait(10.0)

    monkeypatch.setattr(aside, "write_whole", stall)
    file = Aside(tmp_path / "days.json", pytest.fail)
    for text in (b"one", b"two", b"three"):
        file.write(text)
        while not written:
            file.settle(0.01)
    file.settle(0.01)
    assert written == [b"one"]
    goes_on.set()
    file.settle()
    assert written == [b"one", b"three"]


def test_file_that_cannot_be_written_is_said_and_raises_nothing(tmp_path: Path) -> None:
    said = list[str]()
    file = Aside(tmp_path / "nowhere" / "days.json", said.append)
    file.write(b"")
    file.settle()
    assert len(said) == 1
    assert "days.json cannot be written: No such file" in said[0]
