"""What may stand in a TOML file, key by key, and the words for what stands there instead.

Keys and tables are data: type, default, bounds, choices, unit and meaning stand once, and checks,
messages and documentation are made of them. Every message has one order: what is wrong, what was
there, what is allowed, and what was probably meant.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

NAME_MAX = 32
"""Longest name, bytes: names travel in datagrams and become MQTT topics."""
_SHOWN_MAX = 60
"""Longest value that a message repeats, characters."""

NAMES_MAX = 24
"""Longest list of names: as many as a board has outputs."""

Value = str | int | float | bool | tuple[str, ...] | None

_NAME = re.compile(rf"[a-z0-9_-]{{1,{NAME_MAX}}}")
_NAME_ALLOWED = f"1 to {NAME_MAX} of a-z 0-9 _ -"
_UNITS = {"s": "seconds", "W": "watts", "A": "amperes", "ohm": "ohms"}
_SCALES = {"": 1.0, "k": 1e3, "m": 1e-3, "u": 1e-6, "µ": 1e-6}
_QUANTITY = re.compile(r"\s*([-+]?[0-9]*\.?[0-9]+)\s*(?:([kmuµ]?)(s|W|A|ohm|Ω))?\s*")


class Kind(Enum):
    """What a key's value is, in the words of a message."""

    TEXT = "a text in quotes"
    NAME = "a name in quotes"
    NAMES = "an array of names"
    PATH = "a path in quotes"
    INTEGER = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"


class Need(Enum):
    """The default of a key that has none."""

    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what may stand there, and what it means.

    Attributes:
        doc: its meaning, one sentence.
        default: taken if the key is absent; None leaves it out; `Need.REQUIRED` forbids that.
        unit: of a number ("s", "W", "A", "ohm"), for messages; the name carries it too.
        low, high: bounds of a number, inclusive.
        choices: the only texts allowed, if any.
        hexadecimal: whether people write this integer as 0x40.
        pattern, allowed: what a text, or each of an array of names, must match; in words, too.
    """

    name: str
    kind: Kind
    doc: str
    default: Value | Need = Need.REQUIRED
    unit: str = ""
    low: float = 0
    high: float = 1e9
    choices: tuple[str, ...] = ()
    hexadecimal: bool = False
    pattern: str = ""
    allowed: str = ""

    @property
    def is_number(self) -> bool:
        """Whether bounds apply."""
        return self.kind in {Kind.INTEGER, Kind.NUMBER}

    @property
    def expected(self) -> str:
        """The type in words: "a number of seconds"."""
        unit = _UNITS.get(self.unit)
        return f"{self.kind.value} of {unit}" if unit else self.kind.value

    @property
    def range(self) -> str:
        """What is allowed, in words; "" if the type says it all."""
        if self.allowed:
            return self.allowed
        if self.choices:
            return " or ".join(f'"{choice}"' for choice in self.choices)
        if self.kind is Kind.NAME:
            return _NAME_ALLOWED
        if self.kind is Kind.NAMES:
            return f'such as ["fan"], at most {NAMES_MAX}'
        if not self.is_number:
            return ""
        low, high = (
            shown(int(x), self) if x == int(x) else f"{x:g}" for x in (self.low, self.high)
        )
        return f"{low} to {high} {self.unit}".rstrip()

    @property
    def stand_in(self) -> Value:
        """A value of the right type, so that reading can go on after a finding."""
        if not isinstance(self.default, Need):
            return self.default
        if self.is_number:
            return int(self.low) if self.kind is Kind.INTEGER else float(self.low)
        if self.kind is Kind.NAMES:
            return ()
        return False if self.kind is Kind.FLAG else ""

    def objection(self, value: object) -> str:
        """Return what is wrong with a value, or "" if it is as it should be."""
        got = shown(value, self)
        if not self._fits_kind(value):
            guess = self._guess(value) if isinstance(value, str) else ""
            return complaint(f"expected {self.expected}", got, self.range, guess)
        if isinstance(value, str):
            return self._objection_to_text(value, got)
        if self.kind is Kind.NAMES:
            return self._objection_to_names(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        if isinstance(value, float) and not math.isfinite(value):
            return complaint("not a finite number", got, self.range)
        if value < self.low:
            return complaint("too small", got, self.range)
        return complaint("too large", got, self.range) if value > self.high else ""

    def _fits_kind(self, value: object) -> bool:
        match self.kind:
            case Kind.FLAG:
                return isinstance(value, bool)
            case Kind.INTEGER:
                return isinstance(value, int) and not isinstance(value, bool)
            case Kind.NUMBER:
                return isinstance(value, int | float) and not isinstance(value, bool)
            case Kind.TEXT | Kind.NAME | Kind.PATH:
                return isinstance(value, str)
            case Kind.NAMES:
                return isinstance(value, list)

    def _objection_to_text(self, value: str, got: str) -> str:
        if self.choices and value not in self.choices:
            return complaint("not one of the choices", got, self.range, meant(value, self.choices))
        if self.kind is Kind.NAME and not _NAME.fullmatch(value):
            near = re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-")[:NAME_MAX]
            is_one = near and not (self.pattern and not re.fullmatch(self.pattern, near))
            return complaint("not a name", got, self.range, f"'{near}'" if is_one else "")
        if self.pattern and not re.fullmatch(self.pattern, value):
            return complaint("not understood", got, self.range)
        if not value:
            return complaint("empty", got, self.range)
        return complaint("holds a zero byte", got, self.range) if "\0" in value else ""

    @property
    def _names_pattern(self) -> str:
        return self.pattern or _NAME.pattern

    def _objection_to_names(self, value: object) -> str:
        assert isinstance(value, list), "its kind has been looked at"
        names: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        if len(names) > NAMES_MAX:
            return complaint("too many", str(len(names)), self.range)
        for name in names:
            if not isinstance(name, str) or not re.fullmatch(self._names_pattern, name):
                return complaint("not a name", shown(name), self.allowed or _NAME_ALLOWED)
        return ""

    def _guess(self, value: str) -> str:
        """Read "500", "5s", "20 mW" or "0x40" as the value that was meant."""
        if self.kind is Kind.NAMES:
            return f"[{quoted(value)}]" if re.fullmatch(self._names_pattern, value) else ""
        if self.kind is Kind.FLAG:
            words = {"true": "true", "yes": "true", "on": "true", "1": "true"}
            words |= {"false": "false", "no": "false", "off": "false", "0": "false"}
            return words.get(value.lower(), "")
        if self.hexadecimal and re.fullmatch(r"0x[0-9a-fA-F]{1,8}", value):
            return value
        match = _QUANTITY.fullmatch(value)
        if not self.is_number or match is None:
            return ""
        digits, scale, unit = match.groups()
        if unit and unit.replace("Ω", "ohm") != self.unit:
            return ""
        number = float(digits[:30])
        scales = (
            [_SCALES[scale or ""]] if unit else [1.0, 1e-3]
        )  # "500" may be meant in thousandths
        near = [number * each for each in scales if self.low <= number * each <= self.high]
        return f"{near[0]:g}" if near else ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its keys.

    Attributes:
        many: whether it is an array, `[[name]]`, whose elements have a `name`.
        count_max: the most elements of an array.
        required: whether it (or at least one element) must be there.
        tables: tables inside this one, such as `mock = { ... }`.
        refused: keys that one may expect here and that are not here for a reason: name to reason.
    """

    name: str
    keys: tuple[Key, ...]
    many: bool = False
    count_max: int = 64
    required: bool = False
    tables: tuple[Table, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The header as one writes it."""
        return f"[[{self.name}]]" if self.many else f"[{self.name}]"

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that may stand inside."""
        return (*(key.name for key in self.keys), *(table.name for table in self.tables))

    @property
    def needs(self) -> str:
        """The keys that must be there, for a message."""
        return ", ".join(key.name for key in self.keys if key.default is Need.REQUIRED)


def shown(value: object, key: Key | None = None) -> str:
    """Write a value as TOML has it, shortened, for a message."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        if abs(value) > 10**18:
            return "a huge number"
        return f"0x{value:02x}" if key and key.hexadecimal else str(value)
    if isinstance(value, str):
        text = quoted(value)
        return text if len(text) <= _SHOWN_MAX else f'{text[:_SHOWN_MAX]}..."'
    if isinstance(value, dict):
        return "a table"
    return "an array" if isinstance(value, list) else str(value)


def quoted(text: str) -> str:
    """Write a text as TOML has it, on one line and without what could steer a terminal."""
    return printable(json.dumps(text, ensure_ascii=False))


def printable(text: str) -> str:
    """Escape what could steer a terminal, or begin another line."""
    return "".join(each if each.isprintable() else _escaped(ord(each)) for each in text)


def _escaped(point: int) -> str:
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def meant(word: str, words: Iterable[str]) -> str:
    """Return the one of `words` that was probably meant, in quotes, or ""."""
    from difflib import get_close_matches  # only who errs pays for it

    near = get_close_matches(word.lower()[:64], sorted(words), n=1, cutoff=0.6)
    return f"'{near[0]}'" if near else ""


def complaint(what: str, got: str = "", allowed: str = "", guess: str = "") -> str:
    """Put a finding's sentence together, in the one order that all of them have."""
    text = f"{what} (got {got})" if got else what
    text += f"; allowed: {allowed}" if allowed else ""
    return text + (f"; did you mean {guess}?" if guess else "")
