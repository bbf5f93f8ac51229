"""The chain of the ledger's batches: how they are hashed, and how a reader finds what was changed.

A batch's hash covers its rows and the hash of the batch before it, so nothing can be changed, taken
out or slipped in behind the back of whoever knows the last hash. The node signs it, so that nobody
else can go on with its chain; the newest signature is of all that came before.

Rows of the newest batch may lie there before it has a hash: it is open still.

Rows that have grown old are summed up by the day. The last of the batches that they came from keeps
its hash, so that the chain of the fine rows goes on from there, and has a **seal**: a hash over the
sums, that hash, and the seal before. The newest batch of that moment **vouches** for the seal: the
seal is part of its hash. So the last hash covers the sums as well.

Source: BLAKE2, RFC 7693.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rackgrid.adapters.ledger_columns import Entry, hashed_numbers_of
from rackgrid.market.row import Row, objection

FIRST_HASH: Final = bytes(32)
"""What the first batch is chained to, and the first seal."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the file has it.

    Attributes:
        vouched: the seal that it vouches for, if it does.
        seal: over the sums that stand for it and for the batches before it.
        signature: of the node whose ledger it is (`told`), if it was signed.
    """

    id: int
    hash: bytes
    vouched: bytes | None = None
    seal: bytes | None = None
    signature: bytes | None = None

    @property
    def told(self) -> bytes:
        """What is signed: which batch it is, and its hash, which covers all before it."""
        return told(self.id, self.hash)


def told(number: int, digest: bytes) -> bytes:
    """Put together what the signature of a batch is over."""
    return number.to_bytes(8, "big") + digest


def chained(before: bytes, rows: Iterable[tuple[Row, str]], vouched: bytes | None = None) -> bytes:
    """Hash a batch after the one before it.

    Args:
        before: the hash of the batch before.
        rows: each with the kernel's boot id.
        vouched: the seal that the batch vouches for.
    """
    digest = hashlib.blake2b(before, digest_size=32)
    for row, kernel in rows:
        text = ",".join(["" if each is None else str(each) for each in hashed_numbers_of(row)])
        digest.update(f"{row.load}\0{kernel}\0{text}\n".encode())
    if vouched is not None:
        digest.update(b"\0" + vouched)
    return digest.digest()


def sealed(before: bytes, last_hash: bytes, rows: Iterable[tuple[Row, str]]) -> bytes:
    """Hash sums after the seal before them.

    Args:
        last_hash: of the last batch that they stand for.
    """
    return chained(before, rows, last_hash)


def audit(
    entries: Iterable[Entry],
    batches: Iterable[Batch],
    first: bytes,
    known: Mapping[str, Row] | None = None,
    seal: bytes = FIRST_HASH,
) -> Iterator[str]:
    """Check the arithmetic of every row after its predecessor, the chain, and the seals.

    Args:
        entries: in the order of the file; batches: in theirs.
        first: what the first of these batches is chained to.
        known: each load's row before these; none if these are all.
        seal: the last one before these.

    Yields:
        What is wrong, a sentence each.
    """
    before = dict(known or {})
    groups = groupby(enumerate(entries, start=1), key=lambda found: found[1].batch)
    group = next(groups, None)
    digest, vouched, last = first, {seal}, 0
    for batch in batches:
        rows: list[tuple[Row, str]] = []
        while group is not None and group[0] <= batch.id:
            found = list(group[1])
            yield from _objections(found, before)
            if group[0] == batch.id:
                rows = [(entry.row, entry.kernel) for _, entry in found]
            else:
                yield f"batch {group[0]} has rows and no hash"
            group = next(groups, None)
        if batch.seal is not None:
            if sealed(seal, batch.hash, rows) != batch.seal:
                yield f"the sums up to batch {batch.id} are not what was written"
            seal = batch.seal
        elif chained(digest, rows, batch.vouched) != batch.hash:
            yield f"batch {batch.id} is not what was written, or a batch before it is missing"
        if batch.vouched is not None:
            vouched.add(batch.vouched)
        digest, last = batch.hash, batch.id
    while group is not None:
        yield from _objections(list(group[1]), before)
        if group[0] != last + 1:
            yield f"batch {group[0]} has rows and no hash"
        group = next(groups, None)
    if seal not in vouched:
        yield "the sums of old rows are not those that the chain vouches for"


def _objections(found: Iterable[tuple[int, Entry]], before: dict[str, Row]) -> Iterator[str]:
    for place, entry in found:
        row = entry.row
        if wrong := objection(row, before.get(row.load)):
            yield f"row {place}, of {row.load}: {wrong}"
        before[row.load] = row
