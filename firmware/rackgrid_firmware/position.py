"""Where in a TOML file each key stands.

`tomllib` gives values without lines, and a finding without a line makes its reader search. Parsers
that know lines are dependencies of some weight; so this scanner walks a text that `tomllib` has
*already accepted* and notes two things: the line on which each key begins, and where its value
stands. It decides nothing. If it should ever lose its way it stops, and a finding falls back on the
line of the nearest table.

A position is named by its path through the data: `("meter", 1, "address")` is the key `address` of
the second `[[meter]]`, `("rack",)` the table `[rack]` itself.

Source: TOML v1.0.0, toml.io (keys, tables, arrays of tables, inline tables, four kinds of string).
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left, bisect_right

Place = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}\n#]+")


class _LostError(Exception):
    """The scanner does not understand the text at this place."""


class Positions:
    """The line of every key of one text."""

    def __init__(self, text: str) -> None:
        """Scan `text`, which `tomllib` accepts."""
        scanner = _Scanner(text)
        self._lines = scanner.scan()
        self._spans = scanner.values
        # Line ends are one character while scanning: where the text has two, it is longer.
        self._long = [match.start() - n for n, match in enumerate(re.finditer("\r\n", text))]

    def line(self, path: Place) -> int:
        """Return the line of the key at `path`, or of the nearest thing around it; else 1."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 1

    def span(self, path: Place) -> tuple[int, int] | None:
        """Return where the value of a key stands in the text, from and to; None if unknown."""
        found = self._spans.get(path)
        if found is None:
            return None
        start, end = found
        return start + bisect_left(self._long, start), end + bisect_left(self._long, end)

    def spans(self, table: Place) -> dict[str, tuple[int, int]]:
        """Return where the values of a table's own keys stand, by key."""
        found: dict[str, tuple[int, int]] = {}
        for path in self._spans:
            key, span = path[-1], self.span(path)
            if path[:-1] == table and isinstance(key, str) and span is not None:
                found[key] = span
        return found

    def knows(self, path: Place) -> bool:
        """Whether the very key was found, and not only something around it."""
        return path in self._lines


class _Scanner:
    """One walk over one text."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", self._text)]
        self._lines: dict[Place, int] = {}
        self._counts: dict[Place, int] = {}
        self.values: dict[Place, tuple[int, int]] = {}
        """Where the value of each key stands: from, to."""

    def scan(self) -> dict[Place, int]:
        prefix: Place = ()
        try:
            while self._skip(_BLANK):
                if self._take("[["):
                    prefix = self._header("]]", repeated=True)
                elif self._take("["):
                    prefix = self._header("]", repeated=False)
                else:
                    self._pair(prefix)
        except (_LostError, RecursionError):
            pass  # what was found until here still helps
        return self._lines

    def _header(self, end: str, *, repeated: bool) -> Place:
        line = self._line()
        path = self._resolved(self._key())
        if repeated:
            count = self._counts.get(path, 0)
            self._counts[path] = count + 1
            self._lines.setdefault(path, line)
            path = (*path, count)
        self._lines[path] = line
        self._skip(_SPACE)
        if not self._take(end):
            raise _LostError
        return path

    def _resolved(self, key: Place) -> Place:
        """Enter the newest element of each array of tables that the header passes through."""
        path: Place = ()
        for part in key[:-1]:
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return (*path, key[-1])

    def _pair(self, prefix: Place) -> None:
        line = self._line()
        key = self._key()
        for length in range(1, len(key) + 1):
            self._lines.setdefault((*prefix, *key[:length]), line)
        self._skip(_SPACE)
        if not self._take("="):
            raise _LostError
        self._skip(_SPACE)
        start = self._at
        self._value((*prefix, *key))
        value = self._text[start : self._at].rstrip(" \t")
        self.values[(*prefix, *key)] = (start, start + len(value))

    def _key(self) -> Place:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            part = self._match(_PART)
            parts.append(_unquoted(part) if part[0] in "\"'" else part)
            self._skip(_SPACE)
            if not self._take("."):
                return tuple(parts)

    def _value(self, path: Place) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            self._inline_table(path)
        elif self._text.startswith(('"', "'"), self._at):
            self._match(_STRING)
        else:
            self._match(_BARE)

    def _array(self, path: Place) -> None:
        index = 0
        while self._skip(_BLANK) and not self._take("]"):
            if self._take(","):
                continue
            self._lines.setdefault((*path, index), self._line())
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Place) -> None:
        while self._skip(_BLANK) and not self._take("}"):
            if not self._take(","):
                self._pair(path)

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Pass over what may be there; say whether text is left."""
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _LostError
        self._at = match.end()
        return match.group()

    def _take(self, literal: str) -> bool:
        if not self._text.startswith(literal, self._at):
            return False
        self._at += len(literal)
        return True


def _unquoted(part: str) -> str:
    value: object = tomllib.loads(f"key = {part}")["key"]
    return str(value)
