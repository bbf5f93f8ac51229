"""`replace` for frozen values: what `dataclasses.replace` does, for half of its time.

Every step of the core makes a new value of an old one, a hundred times a second on an idle rack,
and `dataclasses.replace` asks each field of each record anew how it is to be treated. The core's
records all answer alike, so here a class is asked once. The constructor runs as ever, and with it
every check that a value makes of itself. Type checkers see the original, and know each field.

Rejected: writing long constructors out, where a field that is added later is forgotten once; and
filling the slots past the constructor, which would make values that nobody has checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

__all__ = ["replace"]

T = TypeVar("T")


@cache
def _shape(kind: type) -> tuple[Callable[[object], tuple[object, ...]], Mapping[str, int]]:
    """Say of a class how all its fields are read, and where each of them stands."""
    parts = fields(kind)
    assert all(part.init and not part.kw_only for part in parts), f"{kind.__name__} is a record"
    names = [part.name for part in parts]
    pick = attrgetter(*names)
    places = {name: place for place, name in enumerate(names)}
    return (pick if len(names) > 1 else lambda record: (pick(record),)), places


def _replace(record: T, /, **changes: object) -> T:
    """Make a record like this one, but for some fields.

    Raises:
        KeyError: it has no such field.
        TypeError: it is no dataclass.
    """
    kind: type = type(record)
    pick, places = _shape(kind)
    values = list(pick(record))
    for name, value in changes.items():
        values[places[name]] = value
    return type(record)(*values)


if TYPE_CHECKING:
    from dataclasses import replace
else:
    replace = _replace
