"""Small files of one line: what it is, numbers by name with the kernel's boot, and a checksum."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import cast

Numbers = Mapping[str, Sequence[int]]


def checked(text: str) -> bytes:
    """Put the checksum of a text behind it, and end the line."""
    return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


def numbers_line(form: str, kernel: str, numbers: Numbers) -> bytes:
    """Write numbers by name.

    Args:
        form: what it is, and of which version: "rackgrid counters 1".
        kernel: boot id of the kernel that they belong to.
        numbers: whole ones.
    """
    kept = {name: [*each] for name, each in numbers.items()}
    return checked(f"{form} {json.dumps([kernel, kept], separators=(',', ':'))}")


def numbers_of(data: bytes, form: str, count: int) -> tuple[str, dict[str, tuple[int, ...]]] | None:
    """Read what `numbers_line` wrote, `count` numbers for each name; None if it did not write this.

    Returns:
        The kernel's boot id, and the numbers, none of them below 0.
    """
    text = data.decode("ascii", "replace").removesuffix("\n").rpartition(" ")[0]
    body = text.removeprefix(f"{form} ")
    if body == text or checked(text) != data:
        return None
    try:
        kernel, kept = cast("tuple[object, dict[str, Sequence[object]]]", json.loads(body))
        found = {name: tuple(each) for name, each in kept.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(kernel, str) or not all(_are_sound(each, count) for each in found.values()):
        return None
    return kernel, cast("dict[str, tuple[int, ...]]", found)


def _are_sound(numbers: tuple[object, ...], count: int) -> bool:
    return len(numbers) == count and all(
        isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in numbers
    )
