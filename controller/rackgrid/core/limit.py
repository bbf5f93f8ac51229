"""What an operator says that the feed gives, told to any one node (`rackgrid capacity`).

The word goes to the broker with the node's next ack, which is sent at once, and holds from there
on. The broker has it agreed as part of the roster (P7): so it outlives the node that was told, the
broker, and a power cut. Words are numbered, each one more than the latest that its node knew.

A limit is no permission: the least capacity in the settings of those whom the broker has heard
holds, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from rackgrid.identity import NO_LIMIT, Limit

VERSION_MAX = (1 << 32) - 1
"""Largest number on the wire."""


def said(known: Limit, power_mw: int) -> Limit:
    """Number a new word; what is known already is no new one.

    Past the last number only a lower word counts: somebody with the group key has used them up.
    """
    is_known = known.version > 0 and known.power_mw == power_mw
    return known if is_known else Limit(min(known.version + 1, VERSION_MAX), power_mw)


def latest(words: Iterable[Limit]) -> Limit:
    """Find the word that counts."""
    found = NO_LIMIT
    for word in words:
        if found.yields_to(word):
            found = word
    return found


def bounded_mw(capacity_mw: int, words: Iterable[Limit]) -> int:
    """Keep within every one of these words, mW: one may not be agreed yet."""
    return min(capacity_mw, *(word.power_mw for word in words if word.version), capacity_mw)
