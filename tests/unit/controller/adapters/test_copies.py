"""The folder of copies: few are open, damaged ones are set aside, none is begun anew for ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_backup import DAY_NS, go_on, migrated
from tests.unit.controller.adapters.test_ledger_fold import Books
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters import copies as folder_of_copies
from rackgrid.adapters.copies import ASIDES_MAX, LOOK_S, Copies
from rackgrid.adapters.ledger_file import Mend
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.identity import NodeId

OWNER = NodeId(0xABC)


def test_copies_are_found_again_and_few_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_of_copies, "OPEN_MAX", 2)
    copies = Copies(tmp_path / "copies")
    assert copies.find(OWNER) is None
    assert copies.head(OWNER) is None
    for node in range(1, 6):
        copies.copy(NodeId(node)).append(rows("fan", node), KERNEL, None)
    assert len(copies._open) == 2
    found = copies.find(NodeId(1))
    assert found is not None
    assert len(list(found.entries())) == 1
    copies.close()
    assert len(list((tmp_path / "copies").glob("*.db"))) == 5


def test_copy_that_is_held_stays_open_while_others_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if the offers of a large rack close the copy that a parcel is about to be put into."""
    monkeypatch.setattr(folder_of_copies, "OPEN_MAX", 2)
    copies = Copies(tmp_path / "copies")
    held = copies.hold(OWNER)
    for node in range(1, 6):
        copies.copy(NodeId(node))
    held.append(rows("fan", 1), KERNEL, None)
    assert len(copies._open) == 2
    assert copies.copy(OWNER) is held
    copies.hold(NodeId(1))
    for node in range(2, 6):
        copies.copy(NodeId(node))
    assert copies.copy(OWNER) is not held, "the one before is let go"
    copies.close()


def test_copy_that_is_damaged_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copies = Copies(tmp_path / "copies")
    copies.copy(OWNER).append(rows("fan", 3), KERNEL, None)
    copies.close()
    path = copies.path(OWNER)
    path.write_bytes(b"no copy" * 500)
    head = copies.head(OWNER)
    assert head is not None
    assert head.id == 0
    assert path.with_name(f"{path.name}.bad").exists()
    assert "is damaged" in caplog.text
    copies.close()


def test_copy_is_begun_anew_seldom_and_not_beside_many_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if whoever says that a batch is gone can fill the disk of a keeper."""
    copies = Copies(tmp_path / "copies")
    for hour in range(ASIDES_MAX + 2):
        copies.copy(OWNER).append(rows("fan", 1), f"{KERNEL} {hour}", None)
        fresh = copies.anew(OWNER, hour * 3600.0)
        assert copies.anew(OWNER, hour * 3600.0 + 60) is None
        if fresh is not None:
            fresh.append(rows("lamp", 1), f"{KERNEL} {hour}", None)
            assert copies.settle(OWNER).hash == copies.copy(OWNER).last_hash()
    asides = list((tmp_path / "copies").glob("*.aside*"))
    assert len(asides) == ASIDES_MAX
    assert "look at" in caplog.text
    copies.close()


def test_copy_anew_that_has_all_of_the_former_takes_its_place(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "copies")
    former = copies.copy(OWNER)
    former.append(rows("fan", 3), KERNEL, None)
    told = list(former.after(0))
    fresh = copies.anew(OWNER, 0.0)
    assert fresh is not None
    assert fresh.take(told) == ""
    copies.settle(OWNER)
    assert [path.name for path in (tmp_path / "copies").glob("*.db*")].count(
        f"{OWNER:016x}.db"
    ) == 1
    assert not list((tmp_path / "copies").glob("*.aside*"))
    copies.close()


def test_ledger_that_came_back_takes_the_place_of_the_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no ledger" * 500)
    open_ledger(path).close()
    copies = Copies(tmp_path / "copies")
    found = copies.beside(path)
    found.append(rows("fan", 3), KERNEL, None)
    copies.bring_back(path, found, NodeId(9))
    store = open_ledger(path)
    assert store.mends() == [Mend(1, f"{9:016x}", "ledger.db.bad")]
    assert store.verify() == []
    store.close()
    assert not path.with_name("ledger.db.back").exists()


def test_nothing_that_came_back_leaves_the_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_ledger(path).close()
    copies = Copies(tmp_path / "copies")
    copies.bring_back(path, None, None)
    copies.bring_back(path, copies.beside(path), NodeId(9))
    store = open_ledger(path)
    assert (store.head().id, store.mends()) == (0, [])
    store.close()


def folded(path: Path, days: int) -> tuple[Books, Copies]:
    """An owner that sums up all but the newest two days, each day, and the copy of its ledger."""
    owner, copies = Books(path), Copies(path.parent / "copies")
    for day in range(days):
        owner.book(24)
        owner.fold(day - 1)
        copy = copies.copy(OWNER)
        assert copy.take(list(owner.store.after(copy.head().id))) == ""
    return owner, copies


def test_copy_is_outgrown_when_its_owner_has_summed_up_much_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if copies grow for ever, or the rest of a ledger is fetched anew day by day."""
    monkeypatch.setattr(folder_of_copies, "FOLDS_MAX", 4)
    owner, copies = folded(tmp_path / "ledger.db", 5)
    assert copies.copy(OWNER).unfolded() == 3
    assert copies.outgrown(OWNER, 0.0) is None
    owner.book(24)
    owner.fold(4)
    copy = copies.copy(OWNER)
    assert copy.take(list(owner.store.after(copy.head().id))) == ""
    assert copies.outgrown(OWNER, LOOK_S - 1) is None, "it was looked at today"
    fresh = copies.outgrown(OWNER, LOOK_S)
    assert fresh is not None
    assert fresh.take(list(owner.store.after(0))) == ""
    rows_before = len(list(copy.entries()))
    assert copies.settle(OWNER) == owner.store.head()
    renewed = copies.copy(OWNER)
    assert (renewed.verify(), renewed.unfolded()) == ([], 0)
    assert renewed.totals() == owner.store.totals()
    assert len(list(renewed.entries())) == len(list(owner.store.entries())) < rows_before / 2
    assert not list((tmp_path / "copies").glob("*.aside*"))
    copies.close()
    owner.store.close()


def test_sums_that_are_not_those_of_the_rows_leave_the_rows_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if an owner can sum up its bills to less, and have the proof of it thrown away."""
    monkeypatch.setattr(folder_of_copies, "FOLDS_MAX", 3)
    owner, copies = folded(tmp_path / "ledger.db", 5)
    fresh = copies.outgrown(OWNER, 0.0)
    assert fresh is not None
    assert fresh.take(list(owner.store.after(0))) == ""
    fresh._file.execute(
        "UPDATE entry SET cost_nc = cost_nc - 1 WHERE id = 1 + (SELECT min(id) FROM entry)"
    )
    fresh._file.commit()
    copies.settle(OWNER)
    assert len(list((tmp_path / "copies").glob("*.aside*"))) == 1
    assert "goes on from another ledger" in caplog.text
    copies.close()
    owner.store.close()


def test_copy_that_could_not_be_begun_anew_stays_as_it_was(tmp_path: Path) -> None:
    """Fails if half of a new copy takes the place of a whole one."""
    copies = Copies(tmp_path / "copies")
    copies.copy(OWNER).append(rows("fan", 3), KERNEL, None)
    head = copies.head(OWNER)
    assert copies.anew(OWNER, 0.0) is not None
    copies.abandon(OWNER)
    assert copies.settle(OWNER) == head
    assert [path.name for path in (tmp_path / "copies").glob("*.db")] == [f"{OWNER:016x}.db"]
    copies.close()


def test_copy_that_is_removed_is_gone_open_or_not(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "copies")
    copies.copy(OWNER).append(rows("fan", 3), KERNEL, None)
    copies.copy(NodeId(5)).append(rows("fan", 3), KERNEL, None)
    copies.remove(OWNER)
    assert copies.find(OWNER) is None
    assert copies.head(NodeId(5)) is not None
    copies.close()


def test_backup_beside_a_copy_goes_when_the_copy_has_proven_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if what a copy was before its format changed stays for ever, or goes too soon."""
    folder = tmp_path / "copies"
    folder.mkdir()
    copy, backup = migrated(folder, rows("fan", 9))
    copy.close()
    copies, now_ns = Copies(folder), time.time_ns()
    copies.clear(0.0, now_ns)
    copies.clear(0.0, now_ns + 40 * DAY_NS)
    copies.clear(LOOK_S, now_ns + 41 * DAY_NS)
    assert caplog.text.count("stays beside its copy: its owner has not gone on") == 1
    go_on(copies.copy(OWNER))
    copies.clear(LOOK_S + 3600, now_ns + 41 * DAY_NS)
    assert backup.exists(), "it was looked at today"
    copies.clear(2 * LOOK_S, now_ns + 42 * DAY_NS)
    assert [path.name for path in folder.iterdir() if ".v3" in path.name] == []
    assert copies.copy(OWNER).verify() == []
    copies.close()


def test_backup_that_cannot_be_read_stays_and_so_does_one_without_a_copy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    copy, backup = migrated(folder, rows("fan", 9))
    go_on(copy)
    copy.close()
    backup.write_bytes(b"no ledger" * 500)
    alone = backup.with_name(f"{5:016x}.db.v3-2024-10-04")
    alone.touch()
    copies = Copies(folder)
    copies.clear(0.0, time.time_ns() + 40 * DAY_NS)
    assert (backup.exists(), alone.exists()) == (True, True)
    assert "stays beside its copy: cannot open" in caplog.text
    copies.close()
