"""Parcels: batches in bytes, and what is no parcel does no harm."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.adapters.test_ledger_fold import Books
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.ledger_file import Origin
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.parcel import (
    BYTES_MAX,
    ROWS_MIN,
    Parcel,
    packed,
    parcel_after,
    unpacked,
)


def test_parcel_is_read_as_it_was_packed(tmp_path: Path) -> None:
    books = Books(tmp_path / "ledger.db")
    books.book(24 * 4)
    books.fold(2)
    lamp = [replace(row, granted_mj=2_000) for row in rows("lämp", 3)]
    books.store.append(lamp, "undated", None, lambda _: b"signature")
    books.store.belong(b"k" * 32)
    parcel = Parcel(b"k" * 32, list(books.store.after(0)), Origin("a", "b", b"c" * 32))
    assert unpacked(packed(parcel)) == parcel
    assert len(parcel.batches) > 40


def test_parcel_of_a_node_that_has_not_been_updated_is_read(tmp_path: Path) -> None:
    """Fails if the copies of a rack stop while its nodes are updated one by one."""
    store = open_ledger(tmp_path / "ledger.db")
    store.append(rows("fan", 2), KERNEL, None)
    parcel = parcel_after(store, 0)
    store.close()
    told = json.loads(zlib.decompress(packed(parcel)))
    for line in told["batches"][0][5]:
        assert line.pop() is None
    assert unpacked(zlib.compress(json.dumps(told).encode())) == parcel
    told["batches"][0][5][0].pop()
    assert unpacked(zlib.compress(json.dumps(told).encode())) == "it is no parcel"


def test_parcel_ends_with_a_signed_batch(tmp_path: Path) -> None:
    """Fails if a keeper can be sent what nobody vouches for, and would have to ask for ever."""
    store, told = open_ledger(tmp_path / "ledger.db"), rows("fan", ROWS_MIN)
    store.append(told, KERNEL, None)
    store.append(rows("lamp", 1), KERNEL, None, lambda _: b"s")
    store.append(rows("pump", 1), KERNEL, None)
    parcel = parcel_after(store, 0)
    assert [batch.id for batch, _ in parcel.batches] == [1, 2]
    rest = parcel_after(store, 2)
    assert [batch.id for batch, _ in rest.batches] == [3]
    assert rest.signed().batches == []
    assert parcel.signed() == parcel
    assert parcel_after(store, 3).batches == []
    store.close()


@given(st.binary(max_size=100))
def test_bytes_that_are_no_parcel_are_said(data: bytes) -> None:
    assert isinstance(unpacked(data), str)
    assert isinstance(unpacked(zlib.compress(data)), str)


@pytest.mark.parametrize(
    "told",
    [
        [],
        {},
        {"key": 1, "origin": None, "loads": [], "boots": [], "batches": []},
        {"key": "", "origin": [1], "loads": [], "boots": [], "batches": []},
        {"key": "", "origin": None, "loads": [1], "boots": [], "batches": []},
        {"key": "", "origin": None, "loads": [], "boots": [["a"]], "batches": []},
        {"key": "", "origin": None, "loads": [], "boots": [], "batches": [[0, "", 0, 0, 0, []]]},
        {
            "key": "",
            "origin": None,
            "loads": ["a"],
            "boots": [["k", 1]],
            "batches": [[1, "", None, None, None, [[0, 0, 1.5] + [1] * 22]]],
        },
        {
            "key": "",
            "origin": None,
            "loads": ["a"],
            "boots": [["k", 1]],
            "batches": [[1, "", None, None, None, [[0, 0, 1 << 70] + [1] * 22]]],
        },
        {
            "key": "",
            "origin": None,
            "loads": ["a"],
            "boots": [["k", 1]],
            "batches": [[1, "", None, None, None, [[-1, 0, *[1] * 23]]]],
        },
        {
            "key": "",
            "origin": None,
            "loads": ["a"],
            "boots": [["k", 1]],
            "batches": [[1, "", None, None, None, [[0, 0, *[True] * 23]]]],
        },
    ],
)
def test_shape_of_everything_is_checked(told: object) -> None:
    assert unpacked(zlib.compress(json.dumps(told).encode())) == "it is no parcel"


def test_bomb_is_not_unpacked() -> None:
    assert "too large" in str(unpacked(bytes(BYTES_MAX + 1)))
    assert "when unpacked" in str(unpacked(zlib.compress(b" " * 20_000_000)))
