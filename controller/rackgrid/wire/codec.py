"""Messages to bytes and back, derived from the annotations in `message`.

The encoding is canonical: each message has one encoding, and whatever decodes is that encoding. So
`decode(encode(m)) == m`, and `encode(decode(p)) == p` for every payload that decodes at all: two
nodes that read the same bytes hold the same value, and a digest of the bytes names the value.

    payload    kind u8, then the fields in order, big-endian
    int        as annotated: "u8" "u16" "u32" "u64" "i64"
    bytes      as annotated: "b32" "b64", so many of them
    bool       u8, 0 or 1
    IntEnum    u8, the value of a member
    str        u8 length in bytes, then UTF-8
    tuple      u8 count, then the items
    dataclass  its fields in order

What a stranger or a newer peer sends cannot raise: it becomes a `Rejection`. What we send ourselves
outside the limits is our bug, and an assertion.

Neighbouring numbers, those of a record among them too, are read by one `struct` call, and a list of
records made of numbers alone by one `iter_unpack`; the annotations are read once, at import. A
schema language (CBOR, msgpack, protobuf) was rejected: none is canonical by itself, and each would
still need these checks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum
from operator import attrgetter
from typing import Annotated, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from rackgrid.wire import message as words
from rackgrid.wire.message import Message
from rackgrid.wire.vocabulary import Rejection, RejectReason

COUNT_MAX = 255
"""Longest text (bytes) and longest list: their length is one byte."""

KINDS: Final[Mapping[int, type[Message]]] = {
    1: words.Beacon,
    2: words.Join,
    3: words.JoinReply,
    4: words.RosterUpdate,
    5: words.Heartbeat,
    6: words.Ack,
    7: words.Price,
    8: words.Remove,
    9: words.Leave,
    10: words.Election,
    11: words.Answer,
    12: words.Coordinator,
    13: words.Resign,
    14: words.Superseded,
    15: words.Forget,
    16: words.Pledge,
}
"""The first byte of a payload. A number that was ever used is never given to another kind."""

_INTEGERS: Final[Mapping[object, str]] = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i64": "q"}
_FORMATS: Final[Mapping[object, str]] = {**_INTEGERS, "b32": "32s", "b64": "64s"}

_BOOLS: Final[Mapping[int, object]] = {0: False, 1: True}

T = TypeVar("T")
Reader = Callable[[bytes, int, list[object]], int]
"""Reads its fields at an offset, appends their values, returns the offset behind them."""
Writer = Callable[[object, bytearray], None]
"""Appends the bytes of its fields of a record."""


class MalformedError(ValueError):
    """These bytes are no message. It never leaves `decode`."""


@dataclass(frozen=True, slots=True)
class Number:
    """A field that is a number on the wire.

    Attributes:
        name: with dots, if it is a field of a record that is itself a field.
        format: of `struct`.
        table: what each number stands for, if it is not a plain one.
    """

    name: str
    format: str
    table: Mapping[int, object] | None


@dataclass(frozen=True, slots=True)
class Nest:
    """A record made of numbers alone, among the numbers of the record around it.

    Attributes:
        start: where its first number is.
        arity: how many values it is made of, once those within it are made.
    """

    start: int
    arity: int
    kind: Callable[..., object]


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring fields that are numbers, or records of numbers: one `struct` for all of them.

    Attributes:
        names: of the numbers.
        packer: their encoding.
        tables: for those that are not plain numbers (by index): what each number stands for.
        nests: the records among them, from the last to the first, and the inner ones first: what
            stands before a record has its place still.
        pick: takes the numbers out of a record.
    """

    names: tuple[str, ...]
    packer: struct.Struct
    tables: tuple[tuple[int, Mapping[int, object]], ...]
    nests: tuple[Nest, ...]
    pick: Callable[[object], tuple[int, ...]]

    def finish(self, numbers: tuple[int, ...]) -> Sequence[object]:
        """Turn numbers into the values that they stand for."""
        if not self.tables and not self.nests:
            return numbers
        values: list[object] = list(numbers)
        for index, table in self.tables:
            number = numbers[index]
            if number not in table:
                raise MalformedError(f"{self.names[index]} is {number}")
            values[index] = table[number]
        for nest in self.nests:
            end = nest.start + nest.arity
            values[nest.start : end] = (nest.kind(*values[nest.start : end]),)
        return values

    def read(self, payload: bytes, at: int, values: list[object]) -> int:
        """Append this run's values (a `Reader`)."""
        values += self.finish(self.packer.unpack_from(payload, at))
        return at + self.packer.size

    def write(self, record: object, out: bytearray) -> None:
        """Append this run's bytes (a `Writer`)."""
        out += self.packer.pack(*self.pick(record))


@dataclass(frozen=True, slots=True)
class Record(Generic[T]):
    """The compiled encoding of one dataclass.

    Attributes:
        kind: the dataclass.
        parts: how its fields are read and written, in order.
        run: the only part, if all fields are numbers.
    """

    kind: Callable[..., T]
    parts: tuple[tuple[Reader, Writer], ...]
    run: Run | None

    def read(self, payload: bytes, at: int) -> tuple[T, int]:
        """Read one, and return it with the offset behind it."""
        values: list[object] = []
        for reader, _ in self.parts:
            at = reader(payload, at, values)
        return self.kind(*values), at

    def write(self, record: object, out: bytearray) -> None:
        """Append the bytes of one."""
        for _, writer in self.parts:
            writer(record, out)


def compile_record(kind: type[T]) -> Record[T]:
    """Derive a dataclass's encoding from its annotations."""
    assert is_dataclass(kind), "only dataclasses go over the wire"
    hints = get_type_hints(kind, include_extras=True)
    parts: list[tuple[Reader, Writer]] = []
    numbers: list[Number] = []
    nests: list[Nest] = []
    run: Run | None = None

    def flush() -> None:
        nonlocal run
        if numbers:
            run = _run(numbers, nests)
            parts.append((run.read, run.write))
            numbers.clear()
            nests.clear()

    for field in fields(kind):
        if _is_numbers(hints[field.name]):
            _flatten(field.name, hints[field.name], numbers, nests)
            continue
        flush()
        parts.append(_part(field.name, hints[field.name]))
    flush()
    return Record(kind, tuple(parts), run if len(parts) == 1 else None)


def _run(numbers: Sequence[Number], nests: Sequence[Nest]) -> Run:
    names = tuple(number.name for number in numbers)
    return Run(
        names=names,
        packer=struct.Struct(">" + "".join(number.format for number in numbers)),
        tables=tuple((i, x.table) for i, x in enumerate(numbers) if x.table is not None),
        nests=tuple(sorted(nests, key=lambda nest: -nest.start)),
        pick=_picker(names),
    )


def _is_numbers(hint: object) -> bool:
    """Whether a field is a number, or a record of such fields alone."""
    if _number(hint) is not None:
        return True
    if not isinstance(hint, type) or not is_dataclass(hint):
        return False
    hints = get_type_hints(hint, include_extras=True)
    return all(_is_numbers(hints[field.name]) for field in fields(hint))


def _flatten(name: str, hint: object, numbers: list[Number], nests: list[Nest]) -> None:
    """Add a field's numbers, and the records that they are to be made into, inner ones first."""
    number = _number(hint)
    if number is not None:
        numbers.append(Number(name, *number))
        return
    assert isinstance(hint, type)
    assert is_dataclass(hint), f"{name} is made of numbers"
    start, hints, inner = len(numbers), get_type_hints(hint, include_extras=True), fields(hint)
    for field in inner:
        _flatten(f"{name}.{field.name}", hints[field.name], numbers, nests)
    nests.append(Nest(start, len(inner), hint))


def _picker(names: tuple[str, ...]) -> Callable[[object], tuple[int, ...]]:
    first, *more = names
    if more:
        return attrgetter(first, *more)
    alone: Callable[[object], int] = attrgetter(first)
    return lambda record: (alone(record),)


def _number(hint: object) -> tuple[str, Mapping[int, object] | None] | None:
    """Return a field's struct format, and what its numbers stand for; None if it is no number."""
    if hint is bool:
        return "B", _BOOLS
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return "B", {member.value: member for member in hint}
    if get_origin(hint) is Annotated and get_args(hint)[1] in _FORMATS:
        return _FORMATS[get_args(hint)[1]], None
    return None


def _part(name: str, hint: object) -> tuple[Reader, Writer]:
    if isinstance(hint, type):
        return _nested(name, compile_record(hint))
    assert get_origin(hint) is Annotated, f"{name}: an annotation names the encoding"
    shape, limit = get_args(hint)
    assert isinstance(limit, int)
    assert limit <= COUNT_MAX
    if shape is str:
        return _text(name, limit)
    item, ellipsis = get_args(shape)
    assert get_origin(shape) is tuple
    assert ellipsis is Ellipsis
    record: Record[object] = compile_record(item)
    return _rows(name, record.run, record, limit) if record.run else _list(name, record, limit)


def _nested(name: str, inner: Record[object]) -> tuple[Reader, Writer]:
    pick = attrgetter(name)

    def read(payload: bytes, at: int, values: list[object]) -> int:
        value, at = inner.read(payload, at)
        values.append(value)
        return at

    return read, lambda record, out: inner.write(pick(record), out)


def _text(name: str, limit: int) -> tuple[Reader, Writer]:
    pick: Callable[[object], str] = attrgetter(name)

    def read(payload: bytes, at: int, values: list[object]) -> int:
        start = at + 1
        end = start + payload[at]
        if end - start > limit:
            raise MalformedError(f"{name} has {end - start} bytes, at most {limit}")
        if end > len(payload):
            raise IndexError
        values.append(str(payload[start:end], "utf-8"))
        return end

    def write(record: object, out: bytearray) -> None:
        text = pick(record).encode()
        assert len(text) <= limit, f"{name} has {len(text)} bytes, at most {limit}"
        out.append(len(text))
        out += text

    return read, write


def _list(name: str, inner: Record[object], limit: int) -> tuple[Reader, Writer]:
    pick: Callable[[object], Sequence[object]] = attrgetter(name)

    def read(payload: bytes, at: int, values: list[object]) -> int:
        count = _checked(name, payload[at], limit)
        at += 1
        items: list[object] = []
        for _ in range(count):
            item, at = inner.read(payload, at)
            items.append(item)
        values.append(tuple(items))
        return at

    def write(record: object, out: bytearray) -> None:
        items = pick(record)
        assert len(items) <= limit, f"{name} has {len(items)} entries, at most {limit}"
        out.append(len(items))
        for item in items:
            inner.write(item, out)

    return read, write


def _rows(name: str, run: Run, inner: Record[object], limit: int) -> tuple[Reader, Writer]:
    """A list whose items are numbers alone: one call reads them all."""
    pick: Callable[[object], Sequence[object]] = attrgetter(name)
    size, make, finish = run.packer.size, inner.kind, run.finish

    def read(payload: bytes, at: int, values: list[object]) -> int:
        start = at + 1
        end = start + size * _checked(name, payload[at], limit)
        if end > len(payload):
            raise IndexError
        rows = run.packer.iter_unpack(payload[start:end])
        values.append(tuple([make(*finish(row)) for row in rows]))
        return end

    def write(record: object, out: bytearray) -> None:
        items = pick(record)
        assert len(items) <= limit, f"{name} has {len(items)} entries, at most {limit}"
        out.append(len(items))
        pack, numbers = run.packer.pack, run.pick
        for item in items:
            out += pack(*numbers(item))

    return read, write


def _checked(name: str, count: int, limit: int) -> int:
    if count > limit:
        raise MalformedError(f"{name} has {count} entries, at most {limit}")
    return count


_RECORDS: Final[Mapping[int, Record[Message]]] = {
    number: compile_record(kind) for number, kind in KINDS.items()
}
_NUMBERS: Final[Mapping[type[Message], int]] = {kind: number for number, kind in KINDS.items()}


def encode(message: Message) -> bytes:
    """Return the message's one encoding.

    Raises:
        AssertionError: if a text or a list of ours is longer than the wire allows.
        struct.error: if a number of ours does not fit its field; our bug as well.
    """
    number = _NUMBERS[type(message)]
    out = bytearray((number,))
    _RECORDS[number].write(message, out)
    return bytes(out)


def decode(payload: bytes) -> Message | Rejection:
    """Return the message that these bytes encode, or why they encode none. Never raises."""
    if not payload:
        return Rejection(RejectReason.MALFORMED, "empty payload")
    record = _RECORDS.get(payload[0])
    if record is None:
        return Rejection(RejectReason.UNKNOWN_KIND, f"kind {payload[0]}")
    try:
        message, end = record.read(payload, 1)
    except (IndexError, struct.error):
        return _malformed(payload, "ends early")
    except (ValueError, AssertionError) as fault:
        # An assertion here is the dataclass refusing a peer's values: the peer's fault, not ours.
        return _malformed(payload, str(fault))
    if end != len(payload):
        return _malformed(payload, f"{len(payload) - end} bytes too many")
    return message


def _malformed(payload: bytes, what: str) -> Rejection:
    return Rejection(RejectReason.MALFORMED, f"{KINDS[payload[0]].__name__}: {what}")
