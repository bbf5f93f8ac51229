"""A record on a card: one line of JSON, and in front of it the checksum of that.

It imports little: the fail-safe helper reads one, and each millisecond there is one that a load
stays on.
"""

from __future__ import annotations

import json
import zlib

TYPE_CHECKING = False  # typing's own costs 2 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MISREAD = (ArithmeticError, ValueError, TypeError, KeyError)
"""What it raises to read a record that is none of ours, or damaged."""


def written(record: Mapping[str, Any]) -> bytes:
    """Write a record."""
    text = json.dumps(record, sort_keys=True)
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


def read(content: bytes) -> dict[str, Any]:
    """Read a record; raises one of `MISREAD` if it is none, or damaged."""
    digits, _, text = content.rstrip(b"\n").partition(b" ")
    if int(digits, 16) != zlib.crc32(text):
        raise ValueError("damaged")
    found: Any = json.loads(text)
    return dict(found)
