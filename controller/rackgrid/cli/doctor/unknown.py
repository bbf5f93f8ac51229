"""A fact about this node that the doctor could not have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be had.

    Attributes:
        reason: why not, for the reader.
    """

    reason: str
