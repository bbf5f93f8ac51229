"""Rows as the columns of the file, both ways."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from tests.unit.controller.adapters.test_ledger_store import rows

from rackgrid.adapters.ledger_columns import (
    COLUMNS,
    INSERT,
    JOINED,
    NUMBERS,
    Entry,
    entry_of,
    hashed_numbers_of,
    numbers_of,
)
from rackgrid.adapters.ledger_schema import STEPS
from rackgrid.market.row import Mixed, Row, Terms

PLAIN = rows("fan", 1)[0]


@pytest.mark.parametrize(
    "row",
    [
        PLAIN,
        replace(PLAIN, terms=Terms(False, None, -5, 7), cost_nc=None, revenue_nc=0),
        replace(PLAIN, revenue_left=9, doubt_mj=0, meter_mj=None),
        replace(PLAIN, terms=Terms(True, None, None), mixed=Mixed(1, -2, 3, -4)),
        replace(PLAIN, mixed=Mixed()),
        replace(PLAIN, granted_mj=0),
        replace(PLAIN, mixed=Mixed(), granted_mj=7_000),
    ],
)
def test_row_comes_back_as_it_went_in(row: Row) -> None:
    with closing(sqlite3.connect(":memory:")) as file:
        file.executescript("".join(STEPS))
        file.execute("INSERT INTO load VALUES (3, ?)", (row.load,))
        file.execute("INSERT INTO boot VALUES (2, 'kernel', 11)")
        file.execute(INSERT, (None, 8, 3, 2, *numbers_of(row)))
        (found,) = file.execute(f"SELECT {COLUMNS} FROM entry {JOINED}")  # constants
    entry = entry_of(*found)
    assert entry == Entry(row, "kernel", 11, 8)
    assert entry.start_wall_ns == row.start_ns + 11


def test_every_number_has_its_column() -> None:
    assert len(numbers_of(PLAIN)) == len(NUMBERS)


def test_row_is_hashed_as_the_first_format_that_could_hold_it_had_it() -> None:
    """Fails if a file of an older format does not verify as before."""
    assert hashed_numbers_of(PLAIN) == numbers_of(PLAIN)[:15]
    doubted = replace(PLAIN, doubt_mj=0)
    assert hashed_numbers_of(doubted) == (*numbers_of(PLAIN)[:18], 0, None, None, None, None)
    granted = replace(PLAIN, granted_mj=0)
    assert hashed_numbers_of(granted) == (*numbers_of(PLAIN)[:23], 0)


def test_row_of_an_undated_boot_has_no_date() -> None:
    assert Entry(PLAIN, "kernel", None, 1).start_wall_ns is None
