"""The folder of copies: few are open, damaged ones are set aside, none is begun anew for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters import copies as folder_of_copies
from rackgrid.adapters.copies import ASIDES_MAX, Copies
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
