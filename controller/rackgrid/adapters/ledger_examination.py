"""Verifying the files of ledgers: each by itself, as many at a time as there are processors.

A row is read once for everything that it is checked for: reading it is half of the work. A year of
a rack of twelve is near two million rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rackgrid.adapters.ledger_file import LedgerFile
from rackgrid.adapters.ledger_rack import Gathering
from rackgrid.adapters.ledger_signature import attested


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of verifying a file.

    Attributes:
        findings: what is wrong; unchecked: what could not be checked.
        hash: of the newest batch, in hex.
        owner: who signed it, in hex; "" if nobody did.
        gathering: what it says of each hour, if that was asked for.
    """

    findings: tuple[str, ...]
    unchecked: tuple[str, ...]
    hash: str
    owner: str
    gathering: Gathering | None


def examined(path: Path, *, gathers: bool = False) -> Examined:
    """Verify a file.

    Args:
        gathers: whether to put together what it says of each hour, to balance a rack.

    Raises:
        StoreError: it cannot be read.
    """
    ledger = LedgerFile(path, writable=False)
    try:
        gathering = Gathering(str(path)) if gathers else None
        findings = ledger.verify(None if gathering is None else gathering.take)
        signed = attested(ledger)
        if signed.objection:
            findings.append(signed.objection)
        unchecked = tuple(_unchecked(ledger, signed.until, signed.newer))
        last_hash = ledger.last_hash().hex()
        return Examined(tuple(findings), unchecked, last_hash, signed.node, gathering)
    finally:
        ledger.close()


def all_examined(paths: Sequence[Path], *, gathers: bool) -> list[Examined]:
    """Verify files side by side; in their order.

    Raises:
        StoreError: one cannot be read.
    """
    count = min(len(paths), os.cpu_count() or 1)
    if count < 2:
        return [examined(path, gathers=gathers) for path in paths]
    with ProcessPoolExecutor(count) as pool:
        asked = [pool.submit(examined, path, gathers=gathers) for path in paths]
        return [each.result() for each in asked]


def _unchecked(ledger: LedgerFile, until: int, newer: int) -> list[str]:
    """Say what could not be checked of a file by itself."""
    found: list[str] = []
    if newer:
        what = f"{newer} of the newest batches are not" if until else "no batch is"
        found.append(f"whose it is: {what} signed")
    if count := ledger.open_rows():
        found.append(f"{count} of the newest rows: their batch has no hash yet")
    for mend in ledger.mends():
        lost = f", after {mend.aside} was damaged" if mend.aside else ""
        found.append(
            f"whether that is all: what is up to batch {mend.batch} came back from the copy of "
            f"node {mend.keeper}{lost}"
        )
    if (origin := ledger.origin()) is not None:
        end = "no hash of it could be read" if origin.hash is None else origin.hash.hex()
        found.append(
            f"what came before: it goes on from {origin.aside}, which was damaged "
            f"({origin.damage}); its chain ended with: {end}"
        )
    return found
