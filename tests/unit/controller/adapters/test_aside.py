"""Small files written beside the loop: whole, and said if they cannot be."""

from __future__ import annotations

from pathlib import Path

from rackgrid.adapters.aside import write_aside


def test_file_is_written_whole_by_a_thread(tmp_path: Path) -> None:
    path, said = tmp_path / "days.json", list[str]()
    for text in (b"old", b"new"):
        write_aside(path, text, said.append).join()
    assert (path.read_bytes(), said) == (b"new", [])


def test_file_that_cannot_be_written_is_said_and_raises_nothing(tmp_path: Path) -> None:
    said = list[str]()
    write_aside(tmp_path / "nowhere" / "days.json", b"", said.append).join()
    assert len(said) == 1
    assert "days.json cannot be written: No such file" in said[0]
