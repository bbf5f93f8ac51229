"""Writing values into a board profile, and leaving everything else as its author wrote it.

A profile is somebody's notes: comments, order and blanks are theirs. So nothing is written anew
from data: the value of a key is replaced where it stands, and a key that is missing gets a line
below its neighbour. What comes out is parsed, and must say what was asked for and nothing else,
before it touches the disk.

The file is replaced whole, by rename, with the owner and the mode that it had; what was there stays
beside it. A firmware that starts at that moment reads the one or the other.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.position import Place, Positions


def edited(text: str, table: Place, values: Mapping[str, str], after: str) -> str:
    """Set keys of one table.

    Args:
        text: of the file.
        table: where the table stands in the data, such as ("meter", 1).
        values: what the keys shall be, as TOML writes it; in the order in which new ones stand.
        after: the key below which new ones go, if the table has it; else below its last.

    Raises:
        ProfileError: the text is not TOML, has no such table, or cannot be edited with certainty.
    """
    wanted = _expected(text, table, values)
    for key, value in values.items():
        text = _with(text, table, key, value, after)
        after = key
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != wanted:
        lines = ", ".join(f"{key} = {value}" for key, value in values.items())
        raise ProfileError(
            f"this file is written in a way that this program does not edit: set {lines} by hand"
        )
    return text


def _expected(text: str, table: Place, values: Mapping[str, str]) -> dict[str, Any]:
    try:
        data = tomllib.loads(text)
        inside: Any = data
        for part in table:
            inside = inside[part]
        inside.update({key: tomllib.loads(f"v = {value}")["v"] for key, value in values.items()})
    except tomllib.TOMLDecodeError as fault:
        raise ProfileError(f"not TOML: {fault}") from fault
    except (LookupError, TypeError, AttributeError) as fault:
        raise ProfileError(f"the file has no table {'.'.join(map(str, table))}") from fault
    return data


def _with(text: str, table: Place, key: str, value: str, after: str) -> str:
    where = Positions(text)
    span = where.span((*table, key))
    if span is not None:
        return text[: span[0]] + value + text[span[1] :]
    return _with_new(text, where, table, f"{key} = {value}", after)


def _with_new(text: str, where: Positions, table: Place, pair: str, after: str) -> str:
    spans = where.spans(table)
    if not spans:
        return text  # nothing to hold on to: found out by who compares
    name = after if after in spans else max(spans, key=lambda each: spans[each][1])
    start, end = spans[name]
    if where.span(table[:1]) is not None:  # [{...}, {...}]: the table is written as a value
        return f"{text[:end]}, {pair}{text[end:]}"
    line_start = text.rfind("\n", 0, start) + 1
    line = text[line_start:start]
    indent = line[: len(line) - len(line.lstrip())]
    line_end = text.find("\n", end)
    newline = "\r\n" if "\r\n" in text else "\n"
    if line_end < 0:
        return f"{text}{newline}{indent}{pair}{newline}"
    return f"{text[: line_end + 1]}{indent}{pair}{newline}{text[line_end + 1 :]}"


def replace_file(path: Path, before: bytes, text: str, now: datetime) -> Path:
    """Put a new text in the place of a file.

    Args:
        path: of the file; a link stays one.
        before: what it held when it was read: if it holds something else now, it is left alone.
        text: what it shall hold.
        now: names the copy of what was there.

    Returns:
        The copy of what was there.

    Raises:
        ProfileError: it was changed meanwhile, or cannot be written.
    """
    real = path.resolve()
    copy = real.with_name(f"{real.name}.{now:%Y%m%d-%H%M%S}.bak")
    try:
        if real.read_bytes() != before:
            raise ProfileError(f"{path} was changed meanwhile: nothing written; start again")
        _write(copy, before, real.stat())
        _write(real, text.encode(), real.stat())
    except OSError as fault:
        raise ProfileError(
            f"{path} cannot be replaced: {fault.strerror or fault}; it belongs to root, so use sudo"
        ) from fault
    return copy


def _write(path: Path, data: bytes, like: os.stat_result) -> None:
    """Write a file under another name, with owner and mode of `like`, and move it into place."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), like.st_mode & 0o7777)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
