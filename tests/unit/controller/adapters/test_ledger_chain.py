"""The chain: what its hashes cover, and what an audit finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.ledger_chain import FIRST_HASH, Batch, audit, chained, sealed
from rackgrid.adapters.ledger_columns import Entry, numbers_of
from rackgrid.market.row import Mixed, Row, merged


def ledger(*batches: list[Row]) -> tuple[list[Entry], list[Batch]]:
    """Lay out batches as a file has them."""
    entries, found, digest = list[Entry](), list[Batch](), FIRST_HASH
    for number, told in enumerate(batches, start=1):
        digest = chained(digest, [(row, KERNEL) for row in told])
        found.append(Batch(number, digest))
        entries += [Entry(row, KERNEL, None, number) for row in told]
    return entries, found


def folded() -> tuple[list[Entry], list[Batch]]:
    """Lay out four batches the first two of which were summed up."""
    told = rows("fan", 8)
    entries, batches = ledger(told[:2], told[2:4], told[4:6], told[6:])
    day = merged(merged(merged(*told[:2]), told[2]), told[3])
    seal = sealed(FIRST_HASH, batches[1].hash, [(day, KERNEL)])
    vouching = Batch(5, chained(batches[3].hash, [], seal), vouched=seal)
    kept = [replace(batches[1], seal=seal), *batches[2:], vouching]
    return [Entry(day, KERNEL, None, 2), *entries[4:]], kept


def test_sound_chain_is_objected_to_in_nothing() -> None:
    told = rows("fan", 6)
    assert list(audit(*ledger(told[:2], [], told[2:]), FIRST_HASH)) == []
    assert list(audit([], [], FIRST_HASH)) == []


def test_rows_without_a_batch_are_found_at_the_end_and_between() -> None:
    told = rows("fan", 6)
    entries, batches = ledger(told[:2], told[2:4], told[4:])
    assert list(audit(entries, batches[:1], FIRST_HASH)) == ["batch 3 has rows and no hash"]
    assert list(audit(entries, [batches[0], batches[2]], FIRST_HASH)) == [
        "batch 2 has rows and no hash",
        "batch 3 is not what was written, or a batch before it is missing",
    ]


def test_rows_of_the_batch_that_is_open_are_checked_and_not_missed_a_hash() -> None:
    told = rows("fan", 6)
    entries, batches = ledger(told[:2], told[2:])
    assert list(audit(entries, batches[:1], FIRST_HASH)) == []
    entries[-1] = replace(entries[-1], row=replace(told[-1], energy_mj=1))
    assert "in no row" in next(iter(audit(entries, batches[:1], FIRST_HASH)))


def test_part_of_a_chain_is_checked_after_what_came_before_it() -> None:
    told = rows("fan", 6)
    entries, batches = ledger(told[:2], told[2:4], told[4:])
    part = entries[2:], batches[1:], batches[0].hash
    assert list(audit(*part, {"fan": told[1]})) == []
    assert "in no row" in next(iter(audit(*part)))


def test_sums_of_old_rows_are_part_of_the_chain() -> None:
    assert list(audit(*folded(), FIRST_HASH)) == []


def test_sum_that_was_changed_is_found() -> None:
    entries, batches = folded()
    entries[0] = replace(entries[0], row=replace(entries[0].row, cost_nc=7))
    assert list(audit(entries, batches, FIRST_HASH)) == [
        "the sums up to batch 2 are not what was written"
    ]


def test_sum_that_was_changed_with_its_seal_is_found() -> None:
    """Fails if whoever can write the file can write a seal that nobody vouches for."""
    entries, batches = folded()
    row = replace(entries[0].row, cost_nc=7)
    entries[0] = replace(entries[0], row=row)
    seal = sealed(FIRST_HASH, batches[0].hash, [(row, KERNEL)])
    batches[0] = replace(batches[0], seal=seal)
    assert list(audit(entries, batches, FIRST_HASH)) == [
        "the sums of old rows are not those that the chain vouches for"
    ]
    batches[-1] = replace(batches[-1], vouched=seal)
    assert list(audit(entries, batches, FIRST_HASH)) == [
        "batch 5 is not what was written, or a batch before it is missing"
    ]


ROW = rows("fan", 1)[0]


@pytest.mark.parametrize("field", [*Row.__dataclass_fields__])
def test_hash_covers_every_field(field: str) -> None:
    changed: dict[str, object] = {
        "load": "fam",
        "terms": replace(ROW.terms, revenue_uc=0),
        "mixed": Mixed(),
    }
    value = changed[field] if field in changed else (getattr(ROW, field) or 0) + 1
    row = replace(ROW, **{field: value})
    assert chained(FIRST_HASH, [(row, KERNEL)]) != chained(FIRST_HASH, [(ROW, KERNEL)])


@given(st.lists(st.none() | st.integers(0, 9), min_size=4, max_size=4))
def test_hash_tells_none_from_zero(numbers: list[int | None]) -> None:
    revenue_uc, revenue_nc, doubt_mj, meter_mj = numbers
    terms = replace(ROW.terms, revenue_uc=revenue_uc)
    row = replace(ROW, terms=terms, revenue_nc=revenue_nc, doubt_mj=doubt_mj, meter_mj=meter_mj)
    is_same = row == ROW
    assert (chained(FIRST_HASH, [(row, "k")]) == chained(FIRST_HASH, [(ROW, "k")])) == is_same
    assert len(numbers_of(row)) == 24
