"""Opening a ledger that something happened to: it is set aside, and a new one goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.ledger_crash import Machine, differences
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.ledger_opening import damage_of, open_ledger
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.errors import StoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def written(path: Path) -> bytes:
    """Write 600 rows in 20 batches; the hash of the last."""
    store = open_ledger(path)
    told = rows("fan", 30)
    for _ in range(20):
        store.append(told, KERNEL, None)
        told = rows("fan", 30, told[-1])
    last_hash = store.last_hash()
    store.close()
    return last_hash


def tear_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 5 : 4096 * 8] = b"\xff" * (4096 * 3)
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scribble(path: Path) -> None:
    path.write_bytes(b"this is no SQLite file, whatever it is called" * 100)


def change(asked: str) -> Callable[[Path], None]:
    def changed(path: Path) -> None:
        with sqlite3.connect(path) as file:
            file.execute(asked)
        file.close()

    return changed


@pytest.mark.parametrize(
    ("harm", "said", "is_read"),
    [
        (tear_pages, "", None),
        (cut, "malformed", None),
        (empty, "it is empty", False),
        (scribble, "not a database", False),
        (change("UPDATE entry SET cost_nc = 1 WHERE batch = 7 AND cost_nc > 1"), "energy", True),
        (change("DELETE FROM entry WHERE batch = 7"), "batch 7 is not", True),
        (change("DELETE FROM batch WHERE id = 7"), "batch 7 has rows and no hash", True),
        (change("UPDATE entry SET round = 'x' WHERE id = 7"), "batch 1", True),
        (change("DROP TABLE boot"), "cannot be read", True),
    ],
)
def test_ledger_that_is_damaged_is_kept_aside_and_a_new_one_says_where_its_chain_ended(
    path: Path,
    caplog: pytest.LogCaptureFixture,
    harm: Callable[[Path], None],
    said: str,
    is_read: bool | None,
) -> None:
    last_hash = written(path)
    harm(path)
    harmed = path.read_bytes()
    store = open_ledger(path)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "is damaged" in caplog.text
    assert said in caplog.text
    aside = path.with_name("ledger.db.bad")
    assert aside.read_bytes() == harmed
    origin = store.origin()
    assert origin is not None
    assert origin.aside == aside.name
    if is_read is not None:
        assert origin.hash == (last_hash if is_read else None)
    assert list(store.entries()) == []
    store.append(rows("fan", 3), KERNEL, None)
    assert store.verify() == []
    store.close()
    again = open_ledger(path)
    assert (again.origin(), len(list(again.entries()))) == (origin, 3)
    again.close()


def test_where_a_chain_ended_cannot_be_changed_either(path: Path) -> None:
    written(path)
    scribble(path)
    store = open_ledger(path)
    store.append(rows("fan", 3), KERNEL, None)
    store.close()
    change("UPDATE origin SET aside = 'nothing'")(path)
    store = LedgerStore(path, writable=False)
    assert store.verify() == ["batch 1 is not what was written, or a batch before it is missing"]
    store.close()


def test_every_damaged_ledger_is_kept_under_a_name_of_its_own(path: Path) -> None:
    for name in ("ledger.db.bad", "ledger.db.bad.2", "ledger.db.bad.3"):
        scribble(path)
        open_ledger(path).close()
        assert path.with_name(name).read_bytes().startswith(b"this is no")


def test_ledger_that_may_not_be_had_is_not_taken_for_damaged(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match="cannot open the ledger"):
        open_ledger(path)
    assert path.is_dir()


def test_sound_ledger_is_opened_as_it_is(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    last_hash = written(path)
    store = open_ledger(path)
    assert (store.last_hash(), store.origin(), caplog.text) == (last_hash, None, "")
    store.close()


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_the_truth_however_often_process_and_power_fail(path: Path, seed: int) -> None:
    """Fails if a crash at any write loses a mJ or books it twice, or a power cut tears the file."""
    machine = Machine(path, seed, crash=0.02)
    machine.run(2500)
    machine.end()
    assert machine.crashes > 20
    assert machine.cuts
    assert machine.torn
    assert machine.set_aside == 0, "what a power cut leaves behind is no damage"
    store = LedgerStore(path, writable=False)
    assert store.verify() == []
    rows = [entry.row for entry in store.entries()]
    store.close()
    assert differences(rows, machine.meters) == []
    assert min(machine.meters.values()) > 1_000_000


def test_what_differs_from_the_truth_is_found(path: Path) -> None:
    """The judge of the test above: a row lost, or booked twice, or a unit of money."""
    machine = Machine(path, 1, crash=0.0)
    machine.run(500)
    machine.end()
    store = LedgerStore(path, writable=False)
    rows = [entry.row for entry in store.entries()]
    store.close()
    assert differences(rows, machine.meters) == []
    energetic = next(at for at, row in enumerate(rows) if row.energy_mj and row.cost_nc)
    row = rows[energetic]
    assert differences([*rows[:energetic], *rows[energetic + 1 :]], machine.meters)
    assert differences([*rows[:energetic], row, *rows[energetic:]], machine.meters)
    odd = replace(row, cost_nc=(row.cost_nc or 0) + 1)
    assert differences([*rows[:energetic], odd, *rows[energetic + 1 :]], machine.meters)


@pytest.mark.parametrize("damage", [tear_pages, cut, empty, scribble])
def test_damage_is_told_without_touching_the_file(
    path: Path, damage: Callable[[Path], None]
) -> None:
    written(path)
    assert damage_of(path) == ""
    damage(path)
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    assert damage_of(path)
    assert {each: each.read_bytes() for each in path.parent.iterdir()} == before


def test_damage_of_a_ledger_that_cannot_be_had_is_not_known(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match="cannot copy"):
        damage_of(path)
