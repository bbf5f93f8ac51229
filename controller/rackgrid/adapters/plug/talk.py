"""A conversation with a plug: a word, written when it can go, and the JSON object that answers it.

What a word says may depend on when it is written (a timer that ends before a deadline), so it is
made at that moment, by the one who knows; None when it is too late for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from rackgrid.errors import TransportError

Word = TypeVar("Word", contravariant=True)
Answer = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and when.

    Attributes:
        written_ns: when the word was written, CLOCK_MONOTONIC ns: it was not heard before.
        answered_ns: when the answer was there: it was heard by then.
    """

    written_ns: int
    answered_ns: int
    answer: Answer


class Talk(Protocol, Generic[Word]):
    """A way to a plug."""

    async def ask(self, word: Callable[[int], Word | None]) -> Told | None:
        """Say a word and wait for its answer.

        Args:
            word: makes it, given the time at which it will be written, ns.

        Returns:
            None if there was no word.

        Raises:
            TransportError: no answer, or none that is understood.
        """
        ...


def read_object(raw: bytes, who: str) -> Answer:
    """Read a JSON object.

    Raises:
        TransportError: it is none.
    """
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError) as fault:
        raise TransportError(f"{who} says what is not JSON: {fault}"[:200]) from None
    if not isinstance(value, dict):
        raise TransportError(f"{who} says {type(value).__name__}, not an object")
    return cast("dict[str, object]", value)


def inside(answer: Answer, key: str) -> Answer:
    """Return an object inside another; an empty one if it is not there."""
    value = answer.get(key)
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def number(answer: Answer, key: str) -> float | None:
    """Return a finite number inside an object; None if it is not there."""
    value = answer.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e12 else None
