"""One table of a TOML file as it was read, and one finding about it.

A section gives its values by type, so that whoever builds on it needs no second check: a key that
the file has wrong holds a stand-in of the right type, and says so (`sound`).
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid_firmware.key import Value, printable
from rackgrid_firmware.position import Place


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where.

    Attributes:
        file: as the caller named it.
        line: from 1; 0 if it is about the file as a whole.
        place: table and key, or "".
        problem: the rest of the sentence.
    """

    file: str
    line: int
    place: str
    problem: str

    def __str__(self) -> str:
        """Write `file:line: [table] key: problem`, on one line, whatever a file's words hold."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return printable(": ".join(part for part in (where, self.place, self.problem) if part))


@dataclass(frozen=True, slots=True)
class Section:
    """One table as read: every key has a value of its type, given, default or stand-in.

    Attributes:
        label: what messages call it: `[rack]`, or `[[load]] "fan"`.
        place: where it stands in the data.
        present: whether the file has it.
        values: by key.
        given: the keys that the file has.
        broken: the keys whose value is a stand-in.
        guessed: absent keys that an unknown one was probably meant to be.
        inside: the tables in this one, by name.
    """

    label: str
    place: Place
    present: bool
    values: dict[str, Value]
    given: frozenset[str]
    broken: frozenset[str]
    guessed: frozenset[str]
    inside: dict[str, Section]

    def sound(self, *names: str) -> bool:
        """Whether all these keys have values that the file means."""
        return self.broken.isdisjoint(names)

    def text(self, name: str) -> str:
        """Return a text; "" if it is left out."""
        value = self.values[name]
        assert value is None or isinstance(value, str)
        return value or ""

    def names(self, name: str) -> tuple[str, ...]:
        """Return a list of names; empty if it is left out."""
        value = self.values[name]
        assert value is None or isinstance(value, tuple)
        return value or ()

    def integer(self, name: str) -> int:
        """Return a whole number."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def number(self, name: str, otherwise: float = 0.0) -> float:
        """Return a number, or `otherwise` if it is left out."""
        value = self.values[name]
        assert value is None or isinstance(value, int | float)
        return otherwise if value is None else float(value)

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self.values[name]
        assert isinstance(value, bool)
        return value
