"""Copies of nodes that have left are kept for the stated time; of no other is any removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid.adapters.departed import LEFT, Departed, remove
from rackgrid.identity import NodeId

DAY_NS = 86_400_000_000_000
NOW_NS = 20_000 * DAY_NS
GONE, THERE = NodeId(0xABC), NodeId(0xDEF)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two copies, and what else may lie in it."""
    for name in (GONE, THERE):
        for suffix in (".db", ".db-wal", ".db.aside", ".db.v3-2026-11-27"):
            (tmp_path / f"{name:016x}{suffix}").touch()
    (tmp_path / "README").touch()
    (tmp_path / "0123.db").touch()
    return tmp_path


def test_copy_of_who_has_left_is_over_after_the_stated_time(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if a copy goes before its time, or its time begins anew with each process."""
    for day in (0, 1, 9):
        departed = Departed(folder, 10)
        assert departed.over({THERE}, NOW_NS + day * DAY_NS) == []
    assert Departed(folder, 10).over({THERE}, NOW_NS + 10 * DAY_NS) == [GONE]
    assert caplog.text.count("stays until 2024-10-14") == 1
    assert not (folder / f"{THERE:016x}{LEFT}").exists()


def test_copy_of_who_is_on_the_roster_is_never_over(folder: Path) -> None:
    """Fails if the last copy of a node can go whose floor is still reserved."""
    departed = Departed(folder, 10)
    for year in range(9):
        assert departed.over({THERE, GONE}, NOW_NS + year * 365 * DAY_NS) == []


def test_who_comes_back_has_a_whole_time_again(folder: Path) -> None:
    departed = Departed(folder, 10)
    departed.over({THERE}, NOW_NS)
    assert departed.over({THERE, GONE}, NOW_NS + 9 * DAY_NS) == []
    assert departed.over({THERE}, NOW_NS + 11 * DAY_NS) == []
    assert departed.over({THERE}, NOW_NS + 20 * DAY_NS) == []
    assert departed.over({THERE}, NOW_NS + 21 * DAY_NS) == [GONE]


@pytest.mark.parametrize(
    "said", [b"", b"\xff", b"soon", b"2001-01-01T00:00:00", b"2999-01-01T00:00:00Z"]
)
def test_mark_that_nobody_wrote_like_this_counts_from_now(folder: Path, said: bytes) -> None:
    (folder / f"{GONE:016x}{LEFT}").write_bytes(said)
    departed = Departed(folder, 10)
    assert departed.over({THERE}, NOW_NS) == []
    assert departed.over({THERE}, NOW_NS + 10 * DAY_NS) == [GONE]


def test_copy_is_removed_with_all_that_lies_beside_it_and_nothing_else(folder: Path) -> None:
    departed = Departed(folder, 10)
    departed.over({THERE}, NOW_NS)
    remove(folder, GONE)
    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == 6
    assert not [name for name in left if name.startswith(f"{GONE:016x}")]
    assert departed.over({THERE}, NOW_NS + 10 * DAY_NS) == []


def test_folder_that_is_not_there_has_nobody(tmp_path: Path) -> None:
    assert Departed(tmp_path / "copies", 10).over(set(), NOW_NS) == []
