"""Files are verified side by side, and each as if it were the only one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.adapters.ledger_examination import all_examined, examined
from rackgrid.adapters.ledger_file import Mend
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_rack import examine
from rackgrid.errors import StoreError


def written(path: Path, count: int) -> Path:
    store = open_ledger(path)
    store.append(rows("fan", count), KERNEL, 5)
    store.append(rows("lamp", 2), KERNEL, 5, None)
    store.close()
    return path


def test_files_are_verified_side_by_side_in_their_order(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{count}.db", count) for count in (3, 4, 5)]
    store = open_ledger(paths[1])
    store._file.execute("UPDATE entry SET energy_mj = energy_mj + 1 WHERE id = 2")
    store._file.commit()
    store.close()
    found = all_examined(paths, gathers=False)
    assert [bool(each.findings) for each in found] == [False, True, False]
    assert found == [examined(path) for path in paths]
    assert found[0].unchecked == (
        "whose it is: no batch is signed",
        "2 of the newest rows: their batch has no hash yet",
    )


def test_what_is_gathered_on_the_way_is_what_the_rows_say(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{count}.db", count) for count in (3, 4)]
    gatherings = [each.gathering for each in all_examined(paths, gathers=True)]
    for path, gathering in zip(paths, gatherings, strict=True):
        store = open_ledger(path)
        assert gathering is not None
        assert gathering.hours
        assert examine({str(path): store.entries()}).hours == 0
        store.close()


def test_where_a_file_came_from_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no ledger" * 100)
    open_ledger(path).close()
    copy = LedgerCopy(path)
    copy.mend(Mend(3, "00ff", "ledger.db.bad"))
    copy.close()
    said = "\n".join(examined(path).unchecked)
    assert "came back from the copy of node 00ff, after ledger.db.bad was damaged" in said
    assert "it goes on from ledger.db.bad" in said


def test_file_that_is_not_there_is_an_error_from_another_process_too(tmp_path: Path) -> None:
    paths = [written(tmp_path / "1.db", 1), tmp_path / "nothing.db"]
    with pytest.raises(StoreError, match="there is no ledger"):
        all_examined(paths, gathers=False)
