"""Reading a TOML file so that its author can put it right in one go.

A configuration error costs a round trip to the file for each message, so the rule here is: *every*
finding at once, each one line of one shape,

    rack.toml:10: [[load]] "fan" gpoi: unknown key; did you mean 'gpio'?
    rack.toml:4: [rack] round_s: expected a number of seconds (got "500"); allowed: 0.05 to 60 s

A file is described by tables of keys (`Table`, `key.Key`). A value that is wrong is reported and
replaced by a stand-in, so that reading goes on to the next finding; whoever compares keys with each
other asks `Section.sound` first, so that one mistake is not reported twice.

Both files of a node are read with this: the board profile (firmware) and `rackgrid.toml`
(controller). The firmware imports it at its start, so it imports nothing heavy.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

from rackgrid_firmware.key import Key, Need, Table, Value, complaint, meant, quoted, shown
from rackgrid_firmware.position import Place, Positions
from rackgrid_firmware.section import Finding, Section

FILE_MAX = 1_000_000
"""Longest file, bytes."""
FINDINGS_MAX = 200
"""Most findings of one file: nobody reads more, and a hostile file may not fill a journal."""


class TomlFile:
    """One file: its data, the line of each key, and what was found wrong so far."""

    def __init__(self, path: Path) -> None:
        """Read and parse; what goes wrong is a finding, and the file then has no tables."""
        self.path = path
        self.parsed = False
        self._findings: list[Finding] = []
        self._data: dict[str, object] = {}
        self._known: tuple[Table, ...] = ()
        self._positions = Positions("")
        text = self._read()
        if text is not None:
            self._parse(text)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong, in the order of the lines."""
        return tuple(sorted(self._findings, key=lambda finding: finding.line)[:FINDINGS_MAX])

    def has(self, table: str) -> bool:
        """Whether the file has this table."""
        return table in self._data

    def peek(self, table: str, key: str) -> str:
        """Return a text before anything is checked, for use in messages; "" if there is none."""
        section = self._data.get(table)
        value = section.get(key) if is_table(section) else None
        return value if isinstance(value, str) else ""

    def beside(self, text: str) -> Path | None:
        """Resolve a relative path beside this file; None for ""."""
        return self.path.absolute().parent / text if text else None

    def report(self, place: Place, label: str, problem: str) -> None:
        """Add a finding at the line of `place`."""
        self._findings.append(self.finding(place, label, problem))

    def finding(self, place: Place, label: str, problem: str) -> Finding:
        """Make a finding at the line of `place`, without adding it (a note)."""
        return Finding(str(self.path), self.line(place), label, problem)

    def blame(self, section: Section, key: str, problem: str) -> None:
        """Add a finding about one key of a section."""
        self.report((*section.place, key), f"{section.label} {key}", problem)

    def line(self, place: Place) -> int:
        """Return the line on which a key or table begins."""
        return self._positions.line(place)

    def tables(
        self, known: Sequence[Table], refused: Mapping[str, str] | None = None
    ) -> dict[str, list[Section]]:
        """Read every table, and report what is unknown or missing.

        Args:
            known: the tables of this kind of file.
            refused: tables that one may expect here, and why they are not: name to reason.

        Returns:
            The sections of each known table: one for a plain table (made of defaults and stand-ins
            if the file has none), as many as the file has for an array.
        """
        self._known = tuple(known)
        if self.parsed:
            self._report_unknown(refused or {})
        return {table.name: list(self._sections(table)) for table in known}

    def unique(self, sections: Sequence[Section], *keys: str, shape: str = "") -> None:
        """Report each section that has the same values under `keys` as an earlier one.

        Args:
            sections: to compare.
            keys: that make one; the last is blamed.
            shape: format of a number in the message, such as "#x".
        """
        first: dict[tuple[Value, ...], Section] = {}
        for section in sections:
            values = tuple(section.values[key] for key in keys)
            if not section.sound(*keys) or None in values:
                continue
            earlier = first.setdefault(values, section)
            if earlier is not section:
                line = self.line((*earlier.place, keys[-1]))
                got = format(values[-1], shape) if shape else shown(values[-1])
                text = f"used already in line {line}, by {earlier.label}; each needs its own"
                self.blame(section, keys[-1], complaint(text, got))

    def refer(self, section: Section, key: str, names: Collection[str], what: str) -> bool:
        """Report a name that nothing has; say whether it refers to something."""
        name = section.text(key)
        if not name or not section.sound(key):
            return False
        if name in names:
            return True
        allowed = ", ".join(f'"{each}"' for each in sorted(names)) or f"none, there is no {what}"
        self.blame(
            section, key, complaint(f"no such {what}", shown(name), allowed, meant(name, names))
        )
        return False

    # --- reading ---------------------------------------------------------------------------------

    def _read(self) -> str | None:
        try:
            with self.path.open("rb") as file:
                raw = file.read(FILE_MAX + 1)
        except (OSError, ValueError) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._fail(
                0, f"cannot be read: {what}; give the path of a TOML file that this user may read"
            )
            return None
        if len(raw) > FILE_MAX:
            self._fail(0, f"longer than {FILE_MAX} bytes: this is no settings file")
            return None
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            self._fail(line, f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8")
            return None

    def _parse(self, text: str) -> None:
        try:
            self._data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self._fail(*_syntax(str(error), text))
        except (ValueError, RecursionError) as error:
            self._fail(0, f"not TOML: {type(error).__name__}: {error}")
        else:
            self.parsed = True
            self._positions = Positions(text)

    def _fail(self, line: int, text: str) -> None:
        self._findings.append(Finding(str(self.path), line, "", text))

    # --- tables and keys -------------------------------------------------------------------------

    def _report_unknown(self, refused: Mapping[str, str]) -> None:
        known = self._known
        names = {table.name: table for table in known}
        for name in self._data.keys() - names.keys():
            value = self._data[name]
            if is_table(value) or is_array(value):
                guess = meant(name, names)
                label = f"[{_bare(name)}]" if is_table(value) else f"[[{_bare(name)}]]"
                allowed = ", ".join(table.title for table in known)
                text = refused.get(name) or complaint("unknown table", "", allowed, guess)
                self.report((name,), label, text)
            else:
                home = _home(name, known)
                guess = f"'{name}' under {home}" if home else ""
                self.report(
                    (name,), _bare(name), complaint("a key outside of any table", "", "", guess)
                )
        for table in known:
            if table.required and table.name not in self._data:
                needs = f"missing; it needs {table.needs}" if table.needs else "missing"
                self.report((), table.title, needs)

    def _sections(self, table: Table) -> Iterator[Section]:
        value = self._data.get(table.name)
        place: Place = (table.name,)
        if is_array(value) and not table.many:
            self.report(place, f"[[{table.name}]]", f"there is one of these; write {table.title}")
            place = (*place, 0)
            value = value[0] if value else None
        if is_table(value) and table.many:
            self.report(place, f"[{table.name}]", f"there may be several; write {table.title}")
            yield self._section(table, value, place)
        elif table.many:
            yield from self._elements(table, value, place)
        else:
            yield self._section(table, value, place)

    def _elements(self, table: Table, value: object, place: Place) -> Iterator[Section]:
        if value is None:
            return
        if not is_array(value):
            self.report(place, table.name, complaint("expected tables", shown(value), table.title))
            return
        if len(value) > table.count_max:
            text = complaint("too many", str(len(value)), f"at most {table.count_max}")
            self.report((*place, table.count_max), table.title, text)
        for index, element in enumerate(value[: table.count_max]):
            yield self._section(table, element, (*place, index))

    def _section(self, table: Table, value: object, place: Place, outer: str = "") -> Section:
        label = f"{outer} {table.name}" if outer else _label(table, value, place)
        if value is not None and not is_table(value):
            self.report(place, label, complaint("expected a table", shown(value)))
        data: dict[str, object] = value if is_table(value) else {}
        guessed = self._report_keys(table, data, place, label)
        values: dict[str, Value] = {}
        broken: set[str] = set()
        for key in table.keys:
            text, sound = self._objection(key, data, asked=is_table(value))
            if text and not (text.startswith("missing") and key.name in guessed):
                self.report((*place, key.name), f"{label} {key.name}", text)
            values[key.name] = (
                _value(data[key.name]) if key.name in data and sound else key.stand_in
            )
            broken.update(() if sound else (key.name,))
        inside = {
            each.name: self._section(each, data.get(each.name), (*place, each.name), label)
            for each in table.tables
        }
        return Section(
            label=label,
            place=place,
            present=value is not None,
            values=values,
            given=frozenset(data),
            broken=frozenset(broken),
            guessed=frozenset(guessed),
            inside=inside,
        )

    def _objection(self, key: Key, data: dict[str, object], *, asked: bool) -> tuple[str, bool]:
        """Return what is wrong with a key, and whether its value may be used."""
        if key.name in data:
            text = key.objection(data[key.name])
            return text, not text
        if key.default is not Need.REQUIRED:
            return "", True
        text = complaint(f"missing: {key.doc}", "", key.range or key.expected)
        return (text if asked else ""), False

    def _report_keys(
        self, table: Table, data: dict[str, object], place: Place, label: str
    ) -> set[str]:
        """Report the keys that do not belong here; return those that were probably meant."""
        reasons = dict(table.refused)
        absent = [name for name in table.names if name not in data]
        guessed: set[str] = set()
        for name in data.keys() - set(table.names):
            guess = meant(name, absent) or meant(name, table.names)
            home = "" if guess else _home(name, self._known)
            if name in reasons:
                text = reasons[name]
            elif home:
                text = f"unknown key; it belongs into {home}"
            else:
                allowed = "" if guess else ", ".join(table.names)
                text = complaint("unknown key", "", allowed, guess)
                guessed.add(guess.strip("'"))
            self.report((*place, name), f"{label} {_bare(name)}", text)
        return guessed


def is_table(value: object) -> TypeGuard[dict[str, object]]:
    """Whether a value of `tomllib` is a table."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Whether a value of `tomllib` is an array."""
    return isinstance(value, list)


def _value(value: object) -> Value:
    if is_array(value):
        return tuple(str(each) for each in value)  # names, each of which was looked at
    assert isinstance(value, str | int | float | bool), "a key's objection has seen to that"
    return value


def _label(table: Table, value: object, place: Place) -> str:
    """Name a table as messages do: an element of an array by its name, else by its number."""
    if not table.many:
        return table.title
    name = value.get("name") if is_table(value) else None
    if isinstance(name, str) and name:
        return f"{table.title} {shown(name)}"
    index = place[-1]
    return f"{table.title} #{index + 1}" if isinstance(index, int) else table.title


def _home(name: str, known: Sequence[Table]) -> str:
    """Return the table that has a key of this name, or ""."""
    homes = [table.title for table in known if any(key.name == name for key in table.keys)]
    return homes[0] if len(homes) == 1 else ""


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) else shown(name)


def _syntax(message: str, text: str) -> tuple[int, str]:
    """Take the line out of `tomllib`'s message, and say what the usual slips look like."""
    match = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if match is None:
        what = message.removesuffix(" (at end of document)")
        return max(1, text.rstrip("\n").count("\n") + 1), f"not TOML: {what} at the end of the file"
    line, column = int(match[1]), int(match[2])
    lines = text.splitlines()
    source = lines[line - 1].strip() if line <= len(lines) else ""
    what = f"column {column}: not TOML: {message[: match.start()]}"
    return line, complaint(what, "", "", _bare_word(source))


def _bare_word(source: str) -> str:
    """Guess what `name = rack` or `preempt = True` was to be: a text without quotes, a flag."""
    slip = re.fullmatch(r"[A-Za-z0-9_-]+\s*=\s*([A-Za-z][^\s#\"']{0,59})\s*(#.*)?", source)
    if slip is None:
        return ""
    word = slip[1].lower()
    return f"'{word}'" if word in {"true", "false"} else f"'{quoted(slip[1])}'"
