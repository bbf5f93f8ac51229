"""A parcel: some batches of a ledger in bytes, to be sent to another node, and read with suspicion.

It is compressed JSON. What it says is checked where it is taken (`ledger_copy`, and the signature):
here only that it is of the right shape, and not larger than a node can hold.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from rackgrid.adapters.ledger_chain import Batch
from rackgrid.adapters.ledger_columns import (
    GRANTED_COLUMNS,
    NUMBERS,
    Entry,
    entry_of,
    numbers_of,
)
from rackgrid.adapters.ledger_copy import Told
from rackgrid.adapters.ledger_file import LedgerFile, Origin

ROWS_MIN: Final = 400
"""A parcel ends with the first signed batch after so many rows."""
BYTES_MAX: Final = 600_000
"""Of a parcel; and eight times that when it is unpacked."""
_UNPACKED_MAX: Final = 8 * BYTES_MAX
_FORMER: Final = len(NUMBERS) - len(GRANTED_COLUMNS)
"""So many numbers has a row from a node whose ledger is of format 3."""
_INTEGER_MAX: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Parcel:
    """Batches that follow each other, and whose they are.

    Attributes:
        public_key: of the node whose ledger they are of, as it says.
        origin: what that ledger goes on from, if these are its first.
    """

    public_key: bytes
    batches: Sequence[Told]
    origin: Origin | None = None

    def signed(self) -> Parcel:
        """Leave out what comes after the last signed batch: nobody vouches for that yet."""
        last = max((at for at, (b, _) in enumerate(self.batches, 1) if b.signature), default=0)
        return Parcel(self.public_key, self.batches[:last], self.origin)


def parcel_after(ledger: LedgerFile, number: int) -> Parcel:
    """Take the next batches of a ledger after one; none if there are none."""
    found: list[Told] = []
    rows = 0
    for batch, entries in ledger.after(number):
        found.append((batch, entries))
        rows += len(entries) + 1
        if rows >= ROWS_MIN and batch.signature is not None:
            break
    origin = ledger.origin() if number == 0 else None
    return Parcel(ledger.public_key() or b"", found, origin)


def packed(parcel: Parcel) -> bytes:
    """Put a parcel into bytes."""
    kernels: dict[str, int] = {}
    walls: dict[str, int | None] = {}
    loads: dict[str, int] = {}
    batches: list[object] = []
    for batch, entries in parcel.batches:
        lines: list[object] = []
        for entry in entries:
            walls[entry.kernel] = entry.wall_ns
            kernel = kernels.setdefault(entry.kernel, len(kernels))
            load = loads.setdefault(entry.row.load, len(loads))
            lines.append([load, kernel, *numbers_of(entry.row)])
        hashes = (batch.hash, batch.vouched, batch.seal, batch.signature)
        batches.append(
            [batch.id, *(None if each is None else each.hex() for each in hashes), lines]
        )
    origin = parcel.origin
    told = {
        "key": parcel.public_key.hex(),
        "origin": None
        if origin is None
        else [origin.aside, origin.damage, None if origin.hash is None else origin.hash.hex()],
        "loads": [*loads],
        "boots": [[kernel, walls[kernel]] for kernel in kernels],
        "batches": batches,
    }
    return zlib.compress(json.dumps(told, separators=(",", ":")).encode())


def unpacked(data: bytes) -> Parcel | str:
    """Read a parcel; what is wrong with it if it is none. Never raises."""
    if len(data) > BYTES_MAX:
        return "it is too large"
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(data, _UNPACKED_MAX)
        if unpacker.unconsumed_tail:
            return "it is too large when unpacked"
        return _parcel(cast("dict[str, object]", json.loads(text)))
    except (
        zlib.error,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        RecursionError,
    ):
        return "it is no parcel"


def _parcel(told: dict[str, object]) -> Parcel:
    loads = [_text(each) for each in _list(told["loads"])]
    boots = [_list(each) for each in _list(told["boots"])]
    kernels = [(_text(kernel), _integer(wall)) for kernel, wall in boots]
    batches: list[Told] = []
    for each in _list(told["batches"]):
        number, digest, vouched, seal, signature, lines = _list(each)
        batch = Batch(_number(number), _bytes(digest), *map(_maybe, (vouched, seal, signature)))
        batches.append((batch, [_entry(loads, kernels, batch.id, _list(x)) for x in _list(lines)]))
    origin = None
    if told["origin"] is not None:
        aside, damage, ended = _list(told["origin"])
        origin = Origin(_text(aside), _text(damage), _maybe(ended))
    return Parcel(_bytes(told["key"]), batches, origin)


def _entry(
    loads: Sequence[str],
    kernels: Sequence[tuple[str, int | None]],
    batch: int,
    line: Sequence[object],
) -> Entry:
    load, kernel, *numbers = map(_integer, line)
    if len(numbers) == _FORMER:
        numbers += [None] * len(GRANTED_COLUMNS)
    if load is None or kernel is None or load < 0 or kernel < 0 or len(numbers) != len(NUMBERS):
        raise ValueError
    make = cast("Callable[..., Entry]", entry_of)
    return make(loads[load], *numbers, *kernels[kernel], batch)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError
    return cast("list[object]", value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not -_INTEGER_MAX <= value < _INTEGER_MAX:
        raise ValueError
    return value


def _number(value: object) -> int:
    number = _integer(value)
    if number is None or number <= 0:
        raise ValueError
    return number


def _bytes(value: object) -> bytes:
    return bytes.fromhex(_text(value))


def _maybe(value: object) -> bytes | None:
    return None if value is None else _bytes(value)
