"""Copies do not grow for ever: they follow their owner, and go when it has long left."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_copyist import Member, Net, head_of, verified
from tests.unit.controller.adapters.test_copyist import net as net
from tests.unit.controller.adapters.test_ledger_backup import KEEP_DAYS
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters import copies as folder_of_copies
from rackgrid.adapters.copyist import SWEEP_S
from rackgrid.adapters.departed import Retention
from rackgrid.adapters.ledger_file import LedgerFile

DAY_NS = 86_400_000_000_000


def live_days(net: Net, owner: Member, days: range) -> None:
    """Let days pass; the owner sums up what is older than two of them, and is copied meanwhile."""
    for day in days:
        owner.write(batches=0)
        assert owner.store is not None
        for _ in range(4):
            told = rows("fan", 6, owner.told)
            owner.told = told[-1]
            owner.store.append(told, f"{KERNEL} {day}", day * DAY_NS, owner._sign)
        owner.store.fold((day - 1) * DAY_NS, owner._sign)
        owner.copyist.wrote(net.now_s)
        net.run(3)


def size_of(path: Path) -> int:
    file = LedgerFile(path, writable=False)
    count = len(list(file.entries()))
    file.close()
    return count


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_copy_follows_the_retention_of_its_owner(
    net: Net, loss: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if what an owner has summed up stays one by one with its keepers for ever."""
    monkeypatch.setattr(folder_of_copies, "FOLDS_MAX", 5)
    monkeypatch.setattr(folder_of_copies, "LOOK_S", 1.0)
    net.loss = loss
    broker, owner = net.all[:2]
    live_days(net, owner, range(1, 5))
    net.run(40)
    assert size_of(broker.copy_of(owner)) == 4 * 24
    live_days(net, owner, range(5, 9))
    net.run(100)
    assert verified(broker.copy_of(owner)) == head_of(owner)
    assert owner.store is not None
    copy = LedgerFile(broker.copy_of(owner), writable=False)
    assert copy.totals() == owner.store.totals()
    copy.close()
    assert size_of(broker.copy_of(owner)) < 5 * 24
    assert not list((broker.folder / "copies").glob("*.aside*"))


def test_copy_of_a_node_that_has_left_goes_when_its_time_is_over(net: Net) -> None:
    """Fails if a node whose floor is reserved loses its copy, or one that has left keeps it."""
    broker, owner, successor, _ = net.all
    day, keep_days = [100], 30
    for member in (broker, successor):
        member.copyist._retention = Retention(keep_days, lambda: day[0] * DAY_NS)
    owner.write(batches=2)
    net.run(3)

    def passes(days: int) -> None:
        day[0] += days
        net.now_s += SWEEP_S
        net.run(1)

    settled = replace(broker.copyist.circle, is_settled=True)
    broker.copyist.circle = replace(settled, live=frozenset())
    for _ in range(3):
        passes(keep_days + 1)
    assert broker.copy_of(owner).exists(), "it is silent, and on the roster"
    left = settled.members - {owner.me}
    broker.copyist.circle = replace(settled, members=left, live=left, is_settled=False)
    passes(keep_days + 1)
    passes(keep_days + 1)
    assert broker.copy_of(owner).exists(), "a node without a roster knows of nobody who has left"
    broker.copyist.circle = replace(settled, members=left, live=left)
    passes(1)
    passes(keep_days - 1)
    assert verified(broker.copy_of(owner)) == head_of(owner)
    passes(1)
    assert not list((broker.folder / "copies").glob(f"{owner.me:016x}*"))
    assert successor.copy_of(owner).exists(), "nobody told that one"


def test_backup_of_a_copy_goes_a_month_after_its_format_changed(net: Net) -> None:
    """Fails if every migration doubles what a keeper has of the others, for ever."""
    broker, owner = net.all[:2]
    owner.write(batches=2)
    net.run(3)
    backup = broker.copy_of(owner).with_name(f"{owner.me:016x}.db.v3-1970-04-11")
    broker.copyist.copies.close()
    shutil.copy(broker.copy_of(owner), backup)
    owner.write(batches=2)
    net.run(3)
    broker.copyist.circle = replace(broker.copyist.circle, is_settled=True)
    day = [100 + KEEP_DAYS - 1]
    broker.copyist._retention = Retention(400, lambda: day[0] * DAY_NS)
    net.run(1)
    assert backup.exists()
    day[0] += 1
    net.now_s += SWEEP_S
    net.run(1)
    assert not backup.exists()
    assert verified(broker.copy_of(owner)) == head_of(owner)
