"""Reading one JSON object field by field, from somebody who is not trusted.

A missing, surplus or wrong field is a mismatch; there is no coercion, and no default but that of a
field which came later than its message (`whole_or`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TypeVar

TEXT_MAX = 200
"""Longest name or reason, characters."""
LIST_MAX = 64
"""Most entries of one list."""
WHOLE_MAX = 2**63 - 1
"""Largest magnitude of an integer: some 292 years in ns."""

_T = TypeVar("_T")


class MismatchError(Exception):
    """JSON, but not a message; never leaves whoever decodes."""


class Fields:
    """One JSON object; each method takes a field out of it, or raises `MismatchError`."""

    __slots__ = ("_left",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise MismatchError(f"{type(value).__name__} where an object belongs")
        self._left: dict[str, object] = value

    def _take(self, name: str) -> object:
        if name not in self._left:
            raise MismatchError(f"no field {name}")
        return self._left.pop(name)

    def whole(self, name: str) -> int:
        """Take a 64-bit integer."""
        value = self._take(name)
        # `type` and not isinstance: a bool is an int in Python and not in this protocol.
        if type(value) is not int or abs(value) > WHOLE_MAX:
            raise MismatchError(f"{name} is not a 64-bit integer")
        return value

    def whole_or(self, name: str, otherwise: int, low: int, high: int) -> int:
        """Take an integer within bounds, or `otherwise` if an older peer does not know the field.

        The only field that may be missing: see `link`.
        """
        value = self.whole(name) if name in self._left else otherwise
        if not low <= value <= high:
            raise MismatchError(f"{name} is not within {low} to {high}")
        return value

    def number(self, name: str) -> float:
        """Take a finite number."""
        value = self._take(name)
        if type(value) is int and abs(value) <= WHOLE_MAX:
            return float(value)
        if type(value) is not float or not isfinite(value):
            raise MismatchError(f"{name} is not a finite number")
        return value

    def flag(self, name: str) -> bool:
        """Take true or false."""
        value = self._take(name)
        if not isinstance(value, bool):
            raise MismatchError(f"{name} is neither true nor false")
        return value

    def text(self, name: str) -> str:
        """Take a printable text."""
        value = self._take(name)
        # Printable: what arrives here is logged, and a line feed or a lone surrogate breaks a log.
        if not isinstance(value, str) or len(value) > TEXT_MAX or not value.isprintable():
            raise MismatchError(f"{name} is not a printable text of at most {TEXT_MAX} characters")
        return value

    def choice(self, name: str, choices: Mapping[str, _T]) -> _T:
        """Take a text that stands for something."""
        value = self.text(name)
        if value not in choices:
            raise MismatchError(f"{name} cannot be {value[:32]!r}")
        return choices[value]

    def item(self, name: str, read: Callable[[Fields], _T]) -> _T:
        """Take an object."""
        return whole_object(self._take(name), read)

    def items(self, name: str, read: Callable[[Fields], _T]) -> tuple[_T, ...]:
        """Take a list of objects."""
        entries = _entries(name, self._take(name))
        if len(entries) > LIST_MAX:
            raise MismatchError(f"{name} has {len(entries)} entries, more than {LIST_MAX}")
        return tuple(whole_object(entry, read) for entry in entries)

    def end(self) -> None:
        """Make sure that nothing is left."""
        for name in self._left:
            raise MismatchError(f"unknown field {name[:32]!r}")


def _entries(name: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise MismatchError(f"{name} is not a list")
    return value  # pyright: ignore[reportUnknownVariableType]  # JSON says no more of its entries


def whole_object(value: object, read: Callable[[Fields], _T]) -> _T:
    """Read a whole object: every field, and none besides.

    Raises:
        MismatchError: it is not what `read` expects.
    """
    unread = Fields(value)
    result = read(unread)
    unread.end()
    return result
