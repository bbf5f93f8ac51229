"""A disk that is really full: a small tmpfs, filled to the last page beside the ledger."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rack.rig import wait_until
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters import ledger as ledgers
from rackgrid.adapters.ledger import Ledger
from rackgrid.adapters.ledger_store import LedgerStore

pytestmark = pytest.mark.root

WAITING_MAX = 500


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """Take all the room that there is."""
    with path.open("wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(4096)):
                pass
        except OSError:
            return


def test_full_disk_is_said_once_and_nothing_of_the_bill_is_lost(
    disk: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a full disk stops the node, fills its memory, or costs it a mJ or a unit."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(ledgers, "WAITING_MAX", WAITING_MAX)
    told = rows("fan", 4000)
    ledger = Ledger(disk / "ledger.db", KERNEL, lambda: 5, 0.005)
    for row in told[:50]:
        ledger.add(row)
    wait_until("the first rows are written", lambda: ledger.waiting == 0)
    fill(disk / "ballast")
    for row in told[50:]:
        ledger.add(row)
        assert ledger.waiting <= WAITING_MAX + ledgers.BATCH_MAX
    wait_until("it is said", lambda: "rows wait in memory" in caplog.text)
    assert ledger.waiting
    assert ledger.coalesced
    (disk / "ballast").unlink()
    wait_until("all is written", lambda: ledger.waiting == 0)
    ledger.close()
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "rows wait in memory" in line]) == 1
    assert len([line for line in said if "is written again" in line]) == 1
    store = LedgerStore(disk / "ledger.db", writable=False)
    assert store.verify() == []
    total = store.totals()["fan"]
    assert total.energy_mj == told[-1].counter_mj
    assert total.cost_nc == sum(row.cost_nc or 0 for row in told)
    store.close()
