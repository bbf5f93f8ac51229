"""The fields of a line, each with the type that it must have."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeGuard

Object = dict[str, object]
UNREADABLE = "not JSON"


class Malformed(ValueError):
    """A line, or a field of it, is not what a record has there."""


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a line; every look-up says what is wrong with what it finds."""

    values: Object

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def whole(self, key: str) -> int:
        """Return a whole number."""
        return _whole(self._value(key), key)

    def maybe(self, key: str) -> int | None:
        """Return a whole number, or None where the line says null."""
        value = self._value(key)
        return None if value is None else _whole(value, key)

    def text(self, key: str) -> str:
        """Return a text."""
        value = self._value(key)
        if not isinstance(value, str):
            raise Malformed(f"{key}: {value!r} is no text")
        return value

    def flag(self, key: str) -> bool:
        """Return whether it is true."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise Malformed(f"{key}: {value!r} is neither true nor false")
        return value

    def part(self, key: str) -> Fields | None:
        """Return the object inside, or None where the line says null."""
        value = self._value(key)
        if value is None:
            return None
        if not _is_object(value):
            raise Malformed(f"{key}: no object")
        return Fields(value)

    def parts(self, key: str) -> list[Fields]:
        """Return the objects of a list."""
        return [Fields(_object(each, key)) for each in self.rows(key)]

    def rows(self, key: str) -> list[object]:
        """Return a list."""
        return _list(self._value(key), key)

    def numbers(self, key: str) -> dict[str, int]:
        """Return whole numbers by name."""
        found = _object(self._value(key), key)
        return {name: _whole(value, f"{key} of {name}") for name, value in found.items()}

    def named(self, key: str) -> dict[str, object]:
        """Return what stands by name, whatever it is."""
        return _object(self._value(key), key)

    def _value(self, key: str) -> object:
        if key not in self.values:
            raise Malformed(f"{key} is missing")
        return self.values[key]


def parsed(text: str) -> Fields:
    """Read a line.

    Raises:
        Malformed: it is not a JSON object.
    """
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise Malformed(UNREADABLE) from fault
    return Fields(_object(value, "the line"))


def step_row(row: object) -> tuple[int, int, int, bool]:
    """Read a step: worth, power, reserve, and whether it runs.

    It reserves at least what it takes, or nothing: the later stages of a load that modulates rest
    on what its first one reserves.
    """
    values = _list(row, "a step")
    if len(values) != 4 or not isinstance(values[3], bool):
        raise Malformed("a step is [worth, power, reserve, running]")
    worth, power, reserve = (_whole(value, "a step") for value in values[:3])
    if power < 0 or reserve < 0 or power > reserve > 0:
        raise Malformed(f"a step of {power} mW that reserves {reserve} mW")
    return worth, power, reserve, values[3]


def offer_row(row: object) -> tuple[int, str, int]:
    """Read an offer: price, source, power."""
    values = _list(row, "an offer")
    if len(values) != 3 or not isinstance(values[0], str):
        raise Malformed("an offer is [source, price, power]")
    price, power = _whole(values[1], "an offer"), _whole(values[2], "an offer")
    if power < 0:
        raise Malformed(f"an offer of {power} mW")
    return price, values[0], power


def whole_row(row: object, name: str, count: int) -> tuple[int, ...]:
    """Read a row of so many whole numbers."""
    return tuple(_whole(value, name) for value in list_row(row, name, count))


def rows_of(value: object, name: str) -> list[object]:
    """Read the rows of something that stands by name."""
    return _list(value, name)


def list_row(row: object, name: str, count: int) -> list[object]:
    """Read a row of so many values."""
    values = _list(row, name)
    if len(values) != count:
        raise Malformed(f"{name}: {len(values)} values, where there are {count}")
    return values


def _whole(value: object, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(f"{key}: {value!r} is no whole number")
    return value


def _object(value: object, key: str) -> Object:
    if not _is_object(value):
        raise Malformed(f"{key}: no object")
    return value


def _list(value: object, key: str) -> list[object]:
    if not _is_list(value):
        raise Malformed(f"{key}: no list")
    return value


def _is_object(value: object) -> TypeGuard[Object]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
