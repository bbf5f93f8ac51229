"""Reading the ledger's file: batches and the rows of each, and what is not of one yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.adapters.test_ledger_schema import first_format
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.ledger_chain import FIRST_HASH, Batch
from rackgrid.adapters.ledger_file import LedgerFile
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.errors import StoreError


def test_head_of_an_empty_ledger_is_what_its_first_batch_is_chained_to(tmp_path: Path) -> None:
    store = open_ledger(tmp_path / "ledger.db")
    assert store.head() == Batch(0, FIRST_HASH)
    assert (store.batch(1), store.signed(), store.public_key(), store.mends()) == (*[None] * 3, [])
    assert (list(store.after(0)), store.open_rows()) == ([], 0)
    store.close()


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=12))
def test_batches_after_any_one_come_with_their_rows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
) -> None:
    """Fails if a row is looked for in the wrong half, or given to the batch beside its own."""
    store = open_ledger(tmp_path_factory.mktemp("ledger") / "ledger.db")
    told, closed, is_open = rows("fan", 1), [], []
    for count, closes in steps:
        told = rows("fan", count, told[-1] if closed or is_open else None)
        is_open += told
        if closes:
            store.append(told, KERNEL, None)
            closed, is_open = [*closed, is_open], []
        else:
            store.append(told, KERNEL, None, None)
    assert store.open_rows() == len(is_open)
    assert store.head().id == len(closed)
    for number in range(len(closed) + 1):
        found = [[entry.row for entry in entries] for _, entries in store.after(number)]
        assert found == closed[number:]
        assert store.count_after(number) == len(closed) - number
    store.close()


def test_file_of_an_older_format_has_no_signature(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first_format(path, [rows("fan", 3)])
    file = LedgerFile(path, writable=False)
    assert (file.signed(), file.public_key(), file.mends()) == (None, None, [])
    assert file.head().id == 1
    assert [len(entries) for _, entries in file.after(0)] == [3]
    file.close()


def test_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no ledger"):
        LedgerFile(tmp_path / "ledger.db", writable=False)
