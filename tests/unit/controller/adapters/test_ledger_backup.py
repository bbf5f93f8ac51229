"""What lies beside a copy since its format changed goes when the copy has proven itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_schema import third_format
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.ledger_backup import KEEP_DAYS, need, old_backups
from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.errors import StoreError
from rackgrid.identity import NodeId
from rackgrid.market.row import Row

DAY_NS = 86_400_000_000_000
OWNER = NodeId(0xABC)
MADE_DAY = 20_000
"""2024-10-04"""


@pytest.fixture
def told() -> list[Row]:
    return rows("fan", 9)


def migrated(folder: Path, told: list[Row]) -> tuple[LedgerCopy, Path]:
    """A copy that was of format 3, and its backup."""
    path = folder / f"{OWNER:016x}.db"
    third_format(path, told[:4], told[4:])
    copy = LedgerCopy(path)
    (backup,) = folder.glob("*.db.v3-*")
    return copy, backup


def go_on(copy: LedgerCopy, signature: bytes | None = b"signature") -> None:
    last = copy.last_rows()["fan"]
    copy.append(rows("fan", 3, last), KERNEL, None, lambda _: signature)


def test_backup_is_old_after_a_month_and_whose_it_is_is_known(tmp_path: Path) -> None:
    """Fails if anything but a backup is taken for one."""
    names = (
        f"{OWNER:016x}.db",
        f"{OWNER:016x}.db.v3-2024-10-04",
        f"{OWNER:016x}.db.v3-2024-10-04-wal",
        f"{OWNER:016x}.db.v2-2024-10-04.2",
        f"{OWNER:016x}.db.v3-2024-10-05",
        f"{OWNER:016x}.db.v3-2024-13-45",
        f"{OWNER:016x}.db.aside",
        f"{OWNER:016x}.db.bad",
        f"{OWNER:016x}.left",
        "ledger.db.v3-2024-10-04",
    )
    for name in names:
        (tmp_path / name).touch()
    assert list(old_backups(tmp_path, (MADE_DAY + KEEP_DAYS) * DAY_NS - 1)) == []
    found = list(old_backups(tmp_path, (MADE_DAY + KEEP_DAYS) * DAY_NS))
    assert found == [(OWNER, tmp_path / names[3]), (OWNER, tmp_path / names[1])]
    assert list(old_backups(tmp_path / "none", 10**18)) == []


def test_backup_is_needed_until_the_owner_has_gone_on(tmp_path: Path, told: list[Row]) -> None:
    copy, backup = migrated(tmp_path, told)
    assert need(backup, copy) == "its owner has not gone on with it since"
    go_on(copy, None)
    assert need(backup, copy) == "its owner has not gone on with it since"
    go_on(copy)
    assert need(backup, copy) == ""
    copy.close()


def test_backup_is_needed_if_the_copy_does_not_verify(tmp_path: Path, told: list[Row]) -> None:
    """Fails if the only whole file is thrown away."""
    copy, backup = migrated(tmp_path, told)
    go_on(copy)
    copy._file.execute("UPDATE entry SET energy_mj = energy_mj + 1 WHERE id = 2")
    copy._file.commit()
    assert "row 2, of fan" in need(backup, copy)
    copy.close()


def test_backup_is_needed_if_the_copy_is_of_another_chain(tmp_path: Path, told: list[Row]) -> None:
    _, backup = migrated(tmp_path, told)
    other = LedgerCopy(tmp_path / "other.db")
    for _ in range(3):
        last = other.last_rows().get("fan")
        other.append(rows("fan", 3, last), "another boot", None, lambda _: b"signature")
    assert need(backup, other) == "its batch 2 is another than that of the backup"
    other.close()


def test_backup_whose_end_the_owner_has_summed_up_is_not_needed(
    tmp_path: Path, told: list[Row]
) -> None:
    """Such a copy was fetched anew, and took its place for its sums (`copies`)."""
    copy, backup = migrated(tmp_path, told)
    go_on(copy)
    with closing(sqlite3.connect(backup)) as file:
        file.execute("UPDATE batch SET id = 9, hash = x'00' WHERE id = 2")
        file.execute("UPDATE entry SET batch = 9 WHERE batch = 2")
        file.commit()
    for _ in range(8):
        go_on(copy)
    copy._file.execute("UPDATE batch SET id = id + 100 WHERE id >= 9")
    copy._file.execute("UPDATE entry SET batch = batch + 100 WHERE batch >= 9")
    copy._file.commit()
    assert need(backup, copy) == ""
    copy.close()


def test_backup_that_cannot_be_read_is_an_error(tmp_path: Path, told: list[Row]) -> None:
    copy, backup = migrated(tmp_path, told)
    go_on(copy)
    backup.write_bytes(b"no ledger" * 500)
    with pytest.raises(StoreError):
        need(backup, copy)
    copy.close()
