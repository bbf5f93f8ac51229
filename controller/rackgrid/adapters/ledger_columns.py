"""A row of the ledger as the columns of its file: both ways, and in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rackgrid.market.row import Mixed, Row, Terms

_ADDED_ROWS: Final = 2
_SIGNED: Final = 3
_GRANTED: Final = 4
"""Formats of the file, by what they brought."""
ROW_COLUMNS: Final = (
    *("start_ns", "end_ns", "is_on", "price_uc", "reference_uc", "term", "round", "energy_mj"),
    *("estimated_mj", "cost_nc", "reference_nc", "counter_mj", "meter_mj", "cost_left"),
    "reference_left",
)
"""A row's numbers of format 1."""
ADDED_COLUMNS: Final = (
    *("revenue_uc", "revenue_nc", "revenue_left", "doubt_mj", "mixed_priced_mj"),
    *("mixed_reference_nc", "mixed_saving_nc", "mixed_profit_nc"),
)
"""What format 2 added to a row: NULL in every row that format 1 has written."""
GRANTED_COLUMNS: Final = ("granted_mj",)
"""What format 4 added to a row: NULL in every row of a format before it."""
NUMBERS: Final = (*ROW_COLUMNS, *ADDED_COLUMNS, *GRANTED_COLUMNS)
"""All numbers of a row, in the order of the file's columns and of what is hashed."""
JOINED: Final = "JOIN load ON load.id = entry.load JOIN boot ON boot.id = entry.boot"
COLUMNS: Final = (
    f"load.name, {', '.join(f'entry.{name}' for name in NUMBERS)},"
    " boot.kernel, boot.wall_ns, entry.batch"
)
BATCH_COLUMNS: Final = "id, hash, vouched, seal, signature"
_WRITTEN: Final = ("batch", "load", "boot", *NUMBERS)
INSERT: Final = (
    f"INSERT INTO entry (id, {', '.join(_WRITTEN)})"  # noqa: S608  # made of constants
    f" VALUES (?{', ?' * len(_WRITTEN)})"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as the file has it.

    Attributes:
        kernel: boot id of the kernel whose monotonic clock the row's times are of.
        wall_ns: what Unix time it was when that clock was at zero, ns; None if nobody has said yet.
        batch: that it was written in.
    """

    row: Row
    kernel: str
    wall_ns: int | None
    batch: int

    @property
    def start_wall_ns(self) -> int | None:
        """When the row began, Unix time in ns."""
        return None if self.wall_ns is None else self.wall_ns + self.row.start_ns


def numbers_of(row: Row) -> tuple[int | None, ...]:
    """List all numbers of a row, in the order of the file's columns."""
    return (*_first_numbers(row), *_added_numbers(row), row.granted_mj)


def hashed_numbers_of(row: Row) -> tuple[int | None, ...]:
    """List the numbers of a row that its batch's hash covers.

    A row that has none of what a later format added is hashed as the formats before it had it: so
    every file is hashed as it was when it was written.
    """
    numbers = numbers_of(row)
    for length in (len(ROW_COLUMNS), len(ROW_COLUMNS) + len(ADDED_COLUMNS)):
        if all(each is None for each in numbers[length:]):
            return numbers[:length]
    return numbers


def _first_numbers(row: Row) -> tuple[int | None, ...]:
    return (
        row.start_ns,
        row.end_ns,
        int(row.terms.on),
        row.terms.price_uc,
        row.terms.reference_uc,
        row.term,
        row.round,
        row.energy_mj,
        row.estimated_mj,
        row.cost_nc,
        row.reference_nc,
        row.counter_mj,
        row.meter_mj,
        row.cost_left,
        row.reference_left,
    )


def _added_numbers(row: Row) -> tuple[int | None, ...]:
    mixed = row.mixed
    return (
        row.terms.revenue_uc,
        row.revenue_nc,
        row.revenue_left or None,
        row.doubt_mj,
        *(
            (None, None, None, None)
            if mixed is None
            else (mixed.priced_mj, mixed.reference_nc, mixed.saving_nc, mixed.profit_nc)
        ),
    )


def entry_of(
    load: str,
    start_ns: int,
    end_ns: int,
    is_on: int,
    price_uc: int | None,
    reference_uc: int | None,
    term: int,
    round_: int,
    energy_mj: int,
    estimated_mj: int,
    cost_nc: int | None,
    reference_nc: int | None,
    counter_mj: int,
    meter_mj: int | None,
    cost_left: int,
    reference_left: int,
    revenue_uc: int | None,
    revenue_nc: int | None,
    revenue_left: int | None,
    doubt_mj: int | None,
    priced_mj: int | None,
    mixed_reference_nc: int,
    saving_nc: int,
    profit_nc: int,
    granted_mj: int | None,
    kernel: str,
    wall_ns: int | None,
    batch: int,
) -> Entry:
    """Make a row of the file's columns."""
    mixed = None
    if priced_mj is not None:
        mixed = Mixed(priced_mj, mixed_reference_nc, saving_nc, profit_nc)
    row = Row(
        load,
        start_ns,
        end_ns,
        Terms(bool(is_on), price_uc, reference_uc, revenue_uc),
        term,
        round_,
        energy_mj,
        estimated_mj,
        cost_nc,
        reference_nc,
        counter_mj,
        meter_mj,
        cost_left,
        reference_left,
        revenue_nc,
        revenue_left or 0,
        doubt_mj,
        mixed,
        granted_mj,
    )
    return Entry(row, kernel, wall_ns, batch)


def table(name: str, version: int) -> str:
    """Name a table of a file of an older format, with what that format does not have.

    Args:
        name: "entry" or "batch".
        version: of the file.
    """
    added: Sequence[str] = ()
    if name == "entry" and version < _GRANTED:
        added = GRANTED_COLUMNS if version >= _ADDED_ROWS else (*ADDED_COLUMNS, *GRANTED_COLUMNS)
    elif name == "batch" and version < _SIGNED:
        added = ("signature",) if version >= _ADDED_ROWS else ("vouched", "seal", "signature")
    if not added:
        return name
    missing = ", ".join(f"NULL AS {each}" for each in added)
    return f"(SELECT *, {missing} FROM {name}) AS {name}"  # noqa: S608  # made of constants
